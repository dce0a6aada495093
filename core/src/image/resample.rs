//! PIL's resampling of RGB bytes (Pillow, `src/libImaging/Resample.c`), byte for byte: the kernel
//! widened when it shrinks, weights in fixed point, horizontally first, rounded to bytes between.

use image::RgbImage;

use super::filter::Filter;

/// Fraction bits of a weight: 8 bits for the value and 2 of head room are left of 32.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// One axis of a resampling: for each pixel of the result the first source pixel and the weights.
pub(super) struct Axis {
    filter: Filter,
    source: usize,
    target: usize,
    window: std::ops::Range<usize>,
}

struct Weights {
    start: usize,
    weights: Vec<i32>,
}

impl Weights {
    fn end(&self) -> usize {
        self.start + self.weights.len()
    }
}

impl Axis {
    /// `source` pixels become `target`, of which only the middle `kept` are made.
    pub(super) fn new(filter: Filter, source: usize, target: usize, kept: usize) -> Self {
        let start = (target - kept) / 2;
        Self {
            filter,
            source,
            target,
            window: start..start + kept,
        }
    }

    /// The weights of each pixel of the window. PIL skips a pass that changes no size; the weights
    /// are a single one then, which does the same.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn weights(&self) -> Vec<Weights> {
        let scale = self.source as f64 / self.target as f64;
        let widened = scale.max(1.0);
        let support = self.filter.support() * widened;
        let weights = self.window.clone().map(|x| {
            if self.source == self.target {
                let weights = vec![1 << PRECISION_BITS];
                return Weights { start: x, weights };
            }
            let centre = (x as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(self.source);
            let weight = |s| {
                self.filter
                    .weight((s as f64 - centre + 0.5) * (1.0 / widened))
            };
            let weights: Vec<f64> = (start..end).map(weight).collect();
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

/// An image on a canvas of one colour, which is as large as the axes say.
pub(super) struct Canvas<'image> {
    pub(super) image: &'image RgbImage,
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) colour: [u8; 3],
}

impl Canvas<'_> {
    fn height(&self) -> usize {
        self.image.height() as usize
    }

    fn row_bytes(&self) -> usize {
        3 * self.image.width() as usize
    }

    /// Line `y` of the canvas, if the image has a part of it.
    fn line(&self, y: usize) -> Option<&[u8]> {
        let y = y.checked_sub(self.top).filter(|&y| y < self.height())?;
        Some(&self.image.as_raw()[y * self.row_bytes()..(y + 1) * self.row_bytes()])
    }
}

/// Resamples a canvas to the windows of both axes, `[height, width, 3]`.
///
/// Holds one line of the canvas and 32-bit sums of the result, never the canvas itself, and works
/// only where the image is: a strip of 1 × 65,535 pixels costs as little as its pixels.
pub(super) fn resample(canvas: &Canvas, horizontal: &Axis, vertical: &Axis) -> Vec<u8> {
    let columns = horizontal.weights();
    let rows = vertical.weights();
    let width = 3 * columns.len();

    let mut source = canvas.colour.repeat(horizontal.source);
    let mut blank = vec![0; width];
    shrink_line(&source, &columns, &mut blank);
    // The columns that the image has a part of; the others are as in a blank line.
    let left = canvas.left;
    let right = left + canvas.image.width() as usize;
    let touched = columns.partition_point(|column| column.end() <= left)
        ..columns.partition_point(|column| column.start < right);

    let mut sums = vec![HALF; width * rows.len()];
    let mut narrow = blank.clone();
    let mut complete = 0;
    let first = rows.first().map_or(0, |row| row.start);
    let last = rows.last().map_or(0, Weights::end);
    for y in first..last {
        let line = match canvas.line(y) {
            Some(line) => {
                source[3 * left..3 * right].copy_from_slice(line);
                let changed = &mut narrow[3 * touched.start..3 * touched.end];
                shrink_line(&source, &columns[touched.clone()], changed);
                &narrow
            }
            None => &blank,
        };
        while rows[complete].end() <= y {
            complete += 1;
        }
        let open = rows.iter().zip(sums.chunks_exact_mut(width)).skip(complete);
        for (row, sums) in open.take_while(|(row, _)| row.start <= y) {
            let weight = row.weights[y - row.start];
            for (sum, &byte) in sums.iter_mut().zip(line) {
                *sum += weight * i32::from(byte);
            }
        }
    }
    sums.into_iter().map(round).collect()
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
