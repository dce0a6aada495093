//! PIL's bicubic resampling of RGB bytes (Pillow, `src/libImaging/Resample.c`), byte for byte:
//! widened when it shrinks, weights in fixed point, horizontally first, rounded to bytes between.

/// Fraction bits of a weight: 8 bits for the value and 2 of head room are left of 32.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Where the cubic is zero again, in source pixels at scale 1.
const SUPPORT: f64 = 2.0;

/// One axis of a resampling: for each pixel of the result the first source pixel and the weights.
pub(super) struct Axis {
    source: usize,
    target: usize,
    window: std::ops::Range<usize>,
}

struct Weights {
    start: usize,
    weights: Vec<i32>,
}

impl Axis {
    /// `source` pixels become `target`.
    pub(super) fn new(source: usize, target: usize) -> Self {
        Self {
            source,
            target,
            window: 0..target,
        }
    }

    /// Only these pixels of the result are made.
    pub(super) fn window(self, start: usize, length: usize) -> Self {
        Self {
            window: start..start + length,
            ..self
        }
    }

    /// The weights of each pixel of the window. PIL skips a pass that changes no size; the weights
    /// are a single one then, which does the same.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn weights(&self) -> Vec<Weights> {
        let scale = self.source as f64 / self.target as f64;
        let widened = scale.max(1.0);
        let support = SUPPORT * widened;
        let weights = self.window.clone().map(|x| {
            if self.source == self.target {
                let weights = vec![1 << PRECISION_BITS];
                return Weights { start: x, weights };
            }
            let centre = (x as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(self.source);
            let weights = (start..end).map(|s| cubic((s as f64 - centre + 0.5) / widened));
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            let weights = weights.iter().map(|weight| fixed(weight / sum));
            Weights {
                start,
                weights: weights.collect(),
            }
        });
        weights.collect()
    }
}

/// Resamples the image whose lines `line(y, into)` writes, three bytes a pixel. Gives the windows
/// of both axes, `[height, width, 3]`. Holds a single source line and the lines of the window, so
/// that a thin strip does not take a square of memory.
pub(super) fn resample(
    horizontal: &Axis,
    vertical: &Axis,
    mut line: impl FnMut(usize, &mut [u8]),
) -> Vec<u8> {
    let columns = horizontal.weights();
    let rows = vertical.weights();
    let first = rows.first().map_or(0, |row| row.start);
    let last = rows.last().map_or(0, |row| row.start + row.weights.len());

    let width = 3 * columns.len();
    let mut source = vec![0; 3 * horizontal.source];
    let mut narrow = vec![0; width * (last - first)];
    for (y, narrow) in (first..last).zip(narrow.chunks_exact_mut(width.max(1))) {
        line(y, &mut source);
        shrink_line(&source, &columns, narrow);
    }

    let mut result = vec![0; width * rows.len()];
    let mut sums = vec![0; width];
    for (row, result) in rows.iter().zip(result.chunks_exact_mut(width.max(1))) {
        sums.fill(HALF);
        let lines = narrow.chunks_exact(width).skip(row.start - first);
        for (line, &weight) in lines.zip(&row.weights) {
            for (sum, &byte) in sums.iter_mut().zip(line) {
                *sum += weight * i32::from(byte);
            }
        }
        for (byte, &sum) in result.iter_mut().zip(&sums) {
            *byte = round(sum);
        }
    }
    result
}

fn shrink_line(source: &[u8], columns: &[Weights], result: &mut [u8]) {
    let (source, _) = source.as_chunks::<3>();
    let (result, _) = result.as_chunks_mut::<3>();
    for (column, result) in columns.iter().zip(result) {
        let mut sums = [HALF; 3];
        for (pixel, &weight) in source[column.start..].iter().zip(&column.weights) {
            for (sum, &byte) in sums.iter_mut().zip(pixel) {
                *sum += weight * i32::from(byte);
            }
        }
        *result = sums.map(round);
    }
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn round(sum: i32) -> u8 {
    u8::try_from((sum >> PRECISION_BITS).clamp(0, 255)).expect("clamped")
}

#[expect(clippy::cast_possible_truncation)]
fn fixed(weight: f64) -> i32 {
    (weight * f64::from(1 << PRECISION_BITS)).round() as i32
}

/// The cubic convolution kernel (Keys 1981) with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
