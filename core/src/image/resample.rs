//! PIL's resampling of RGB bytes (Pillow 13, `src/libImaging/Resample.c`), byte for byte: the kernel
//! widened when it shrinks, weights in fixed point, rounded to bytes between the two passes.

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
    each: Vec<i32>,
    sum: i32,
}

impl Weights {
    fn new(start: usize, each: Vec<i32>) -> Self {
        let sum = each.iter().sum();
        Self { start, each, sum }
    }

    fn end(&self) -> usize {
        self.start + self.each.len()
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

    /// How many pixels it loses.
    fn loss(&self) -> usize {
        self.source.saturating_sub(self.target)
    }

    /// The weights of each pixel of the window. PIL skips a pass that changes no size; the weights
    /// are a single one then, which does the same.
    fn weights(&self) -> Vec<Weights> {
        let weights = self.window.clone().map(|x| {
            if self.source == self.target {
                return Weights::new(x, vec![1 << PRECISION_BITS]);
            }
            let (start, weights) = self.filter.window(self.source, self.target, x);
            Weights::new(start, weights.into_iter().map(fixed).collect())
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

    fn width(&self) -> usize {
        self.image.width() as usize
    }

    /// The image's part of line `y` of the canvas, if it has one.
    fn line(&self, y: usize) -> Option<&[u8]> {
        let y = y.checked_sub(self.top).filter(|&y| y < self.height())?;
        let bytes = 3 * self.width();
        Some(&self.image.as_raw()[y * bytes..(y + 1) * bytes])
    }
}

/// Resamples a canvas to the windows of both axes, `[height, width, 3]`.
///
/// Horizontally first, unless the height loses more than twice the pixels that the width does: the
/// rule of Pillow 13. (Before, it was always horizontally first.)
pub(super) fn resample(canvas: &Canvas, horizontal: &Axis, vertical: &Axis) -> Vec<u8> {
    let (columns, rows) = (horizontal.weights(), vertical.weights());
    if vertical.loss() > 2 * horizontal.loss() {
        vertically_first(canvas, horizontal.source, &columns, &rows)
    } else {
        horizontally_first(canvas, &columns, &rows)
    }
}

/// Holds one line and 32-bit sums of the result, never the canvas, and works only where the image
/// is: a strip of 1 × 65,535 pixels costs as little as its pixels.
fn horizontally_first(canvas: &Canvas, columns: &[Weights], rows: &[Weights]) -> Vec<u8> {
    let width = 3 * columns.len();
    let mut blank = vec![0; width];
    shrink_line(&[], canvas.left, canvas.colour, columns, &mut blank);
    // The columns that the image has a part of; the others are as in a blank line.
    let right = canvas.left + canvas.width();
    let touched = columns.partition_point(|column| column.end() <= canvas.left)
        ..columns.partition_point(|column| column.start < right);

    let mut sums = vec![HALF; width * rows.len()];
    let mut narrow = blank.clone();
    let mut complete = 0;
    let first = rows.first().map_or(0, |row| row.start);
    let last = rows.last().map_or(0, Weights::end);
    for y in first..last {
        let line = match canvas.line(y) {
            Some(line) => {
                let columns = &columns[touched.clone()];
                let changed = &mut narrow[3 * touched.start..3 * touched.end];
                shrink_line(line, canvas.left, canvas.colour, columns, changed);
                &narrow
            }
            None => &blank,
        };
        while rows[complete].end() <= y {
            complete += 1;
        }
        let open = rows.iter().zip(sums.chunks_exact_mut(width)).skip(complete);
        for (row, sums) in open.take_while(|(row, _)| row.start <= y) {
            add(sums, line, row.each[y - row.start]);
        }
    }
    sums.into_iter().map(round).collect()
}

/// Holds one line of 32-bit sums, the canvas's width wide.
fn vertically_first(
    canvas: &Canvas,
    canvas_width: usize,
    columns: &[Weights],
    rows: &[Weights],
) -> Vec<u8> {
    let blank = canvas.colour.repeat(canvas_width);
    let mut source = blank.clone();
    let mut sums = vec![0; blank.len()];
    let width = 3 * columns.len();
    let mut result = vec![0; width * rows.len()];
    for (row, result) in rows.iter().zip(result.chunks_exact_mut(width)) {
        sums.fill(HALF);
        for (y, &weight) in (row.start..).zip(&row.each) {
            match canvas.line(y) {
                Some(line) => {
                    source[3 * canvas.left..][..line.len()].copy_from_slice(line);
                    add(&mut sums, &source, weight);
                }
                None => add(&mut sums, &blank, weight),
            }
        }
        let line: Vec<u8> = sums.iter().map(|&sum| round(sum)).collect();
        shrink_line(&line, 0, canvas.colour, columns, result);
    }
    result
}

fn add(sums: &mut [i32], line: &[u8], weight: i32) {
    for (sum, &byte) in sums.iter_mut().zip(line) {
        *sum += weight * i32::from(byte);
    }
}

/// The columns of a line that has one colour but for `image`, which begins at pixel `left`.
fn shrink_line(image: &[u8], left: usize, colour: [u8; 3], columns: &[Weights], result: &mut [u8]) {
    let (image, _) = image.as_chunks::<3>();
    let (result, _) = result.as_chunks_mut::<3>();
    let colour = colour.map(i32::from);
    for (column, result) in columns.iter().zip(result) {
        let start = column.start.max(left);
        let pixels = image.get(start - left..).unwrap_or_default();
        let weights = column.each.get(start - column.start..).unwrap_or_default();
        let [mut red, mut green, mut blue] = colour.map(|value| HALF + column.sum * value);
        for (pixel, &weight) in pixels.iter().zip(weights) {
            red += weight * (i32::from(pixel[0]) - colour[0]);
            green += weight * (i32::from(pixel[1]) - colour[1]);
            blue += weight * (i32::from(pixel[2]) - colour[2]);
        }
        *result = [red, green, blue].map(round);
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
