//! Arithmetic of passes of any size, from four recorded ones.

use menagerie_core::SquareTokens;
use menagerie_core::image::Layout;
use menagerie_core::splice::Padding;

use super::error::PlanError;
use super::shape::{PassShape, SampleShape};

/// Multiplications and additions of a forward and backward pass, by what it holds: every layer's
/// products grow with the tokens, attention's with the square of the width, the encoder's with the
/// squares of images, and the output layer's with the tokens that are learned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arithmetic {
    square: f64,
    slot: f64,
    slot_width: f64,
    supervised: f64,
}

/// Supervised tokens of the recorded passes.
const LEARNED: usize = 8;
/// Tokens of their text, evenly spaced.
const TEXT: [usize; 3] = [16, 48, 80];

impl Arithmetic {
    /// Solves for the four from passes of one row with one image, whose arithmetic `count` tells.
    pub(super) fn of(
        square: SquareTokens,
        count: impl Fn(&PassShape) -> Result<f64, PlanError>,
    ) -> Result<Self, PlanError> {
        let flops = |text: usize, supervised: usize| {
            let sample = SampleShape {
                text,
                images: vec![Layout::Square],
                supervised,
            };
            let shape = PassShape {
                samples: vec![sample],
                square,
                padding: Padding::Right,
            };
            count(&shape)
        };
        let [short, middle, long] = TEXT.map(|text| flops(text, LEARNED));
        let (short, middle, long) = (short?, middle?, long?);
        let more = flops(TEXT[0], 2 * LEARNED)?;

        let supervised = (more - short) / LEARNED as f64;
        let step = (TEXT[1] - TEXT[0]) as f64;
        let width = |text: usize| (text + square.count) as f64;
        let slot_width = (long - 2.0 * middle + short) / (2.0 * step * step);
        let slot = (middle - short) / step - slot_width * (width(TEXT[0]) + width(TEXT[1]));
        let first = width(TEXT[0]);
        let square =
            short - supervised * LEARNED as f64 - slot * first - slot_width * first * first;
        Ok(Self {
            square,
            slot,
            slot_width,
            supervised,
        })
    }

    /// Of a pass.
    pub(super) fn flops(&self, shape: &PassShape) -> f64 {
        let [rows, width] = shape.dims().map(|number| number as f64);
        let slots = rows * width;
        self.square * shape.squares() as f64
            + self.slot * slots
            + self.slot_width * slots * width
            + self.supervised * shape.supervised() as f64
    }
}
