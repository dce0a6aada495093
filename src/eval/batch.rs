//! Questions with what is to be seen for them, made ahead of their turn.

use std::ops::Range;
use std::sync::Arc;

use menagerie_core::image::Squares;

use super::error::EvalError;
use super::writer::Writer;
use crate::data::{Dataset, ImageRef};
use crate::features::{Known, Preparation};

/// A question as the model reads it.
pub(super) struct Written {
    pub sample: usize,
    pub id: String,
    pub question: String,
    pub truth: String,
    pub ids: Vec<i64>,
    /// What its image marks stand for, of the batch's images.
    pub images: Vec<usize>,
}

/// Questions that follow each other, and the images they are about.
pub(super) struct Batch {
    pub questions: Vec<Written>,
    /// Each image once.
    pub images: Vec<ImageRef>,
    /// Those of them that the batch before did not show, prepared.
    pub squares: Squares,
    /// What is known of each of these, if features are kept.
    pub known: Vec<Known>,
}

/// Makes batches.
pub(super) struct Maker {
    pub data: Arc<Dataset>,
    pub writer: Writer,
    pub preparation: Preparation,
}

impl Maker {
    /// Questions `batch`, which come after `before`: tokenised, and with their images decoded.
    pub(super) fn make(
        &self,
        before: Range<usize>,
        batch: Range<usize>,
    ) -> Result<Batch, EvalError> {
        let shown = |image: &ImageRef| {
            let mut before = before.clone().map(|sample| self.data.sample(sample));
            before.any(|conversation| conversation.images.contains(image))
        };
        let mut made = Batch {
            questions: Vec::new(),
            images: Vec::new(),
            squares: Squares::default(),
            known: Vec::new(),
        };
        for sample in batch {
            let conversation = self.data.sample(sample);
            let ids = self.writer.ids(conversation)?;
            let mut images = Vec::new();
            for image in &conversation.images {
                let known = made.images.iter().position(|other| other == image);
                images.push(known.unwrap_or(made.images.len()));
                if known.is_some() {
                    continue;
                }
                made.images.push(image.clone());
                if !shown(image) {
                    let (squares, known) = self.data.prepare(sample, image, &self.preparation)?;
                    made.squares.extend(squares);
                    made.known.extend(known);
                }
            }
            let question = conversation.question();
            made.questions.push(Written {
                sample,
                id: conversation.id.clone(),
                question: question.text(),
                truth: question.truth.to_owned(),
                ids,
                images,
            });
        }
        Ok(made)
    }
}
