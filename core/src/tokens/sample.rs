//! A tokenised conversation.

use super::{EncodeError, IGNORE, IMAGE_TOKEN};
use crate::splice::{ImageLengths, expanded_lens};

/// A tokenised conversation: ids and labels of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Token ids; [`IMAGE_TOKEN`] stands for an image.
    pub input_ids: Vec<i64>,
    /// The token's own id where it is supervised, [`IGNORE`] elsewhere. Not shifted: the logits at
    /// a position are compared to the label of the next.
    pub labels: Vec<i64>,
}

impl Sample {
    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        count_images(&self.input_ids)
    }

    /// Number of supervised tokens.
    #[must_use]
    pub fn supervised(&self) -> usize {
        self.labels.iter().filter(|&&label| label != IGNORE).count()
    }

    /// Length once each image has become as many tokens as `images` says.
    ///
    /// # Panics
    /// `images` has fewer images than the sample.
    #[must_use]
    pub fn expanded_len<'i>(&self, images: impl Into<ImageLengths<'i>>) -> usize {
        expanded_lens(&[&self.input_ids], images).iter().sum()
    }

    /// Cuts the end, so that with as many tokens for each image as `images` says no more than
    /// `max_tokens` are left. An image that does not fit whole goes too: as nothing follows it, no
    /// loss changes.
    ///
    /// # Errors
    /// No supervised token is left.
    ///
    /// # Panics
    /// `images` has fewer images than the sample.
    pub fn truncate<'i>(
        &mut self,
        max_tokens: usize,
        images: impl Into<ImageLengths<'i>>,
    ) -> Result<(), EncodeError> {
        let images = images.into();
        let length = self.expanded_len(images);
        if length <= max_tokens {
            return Ok(());
        }
        let (mut room, mut image) = (max_tokens, 0);
        let kept = self.input_ids.iter().take_while(|&&id| {
            let size = if id == IMAGE_TOKEN {
                image += 1;
                images.of(image - 1)
            } else {
                1
            };
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        let kept = kept.count();
        self.input_ids.truncate(kept);
        self.labels.truncate(kept);
        if self.supervised() == 0 {
            return Err(EncodeError::CutAway { max_tokens, length });
        }
        Ok(())
    }
}

/// Number of images among ids.
fn count_images(ids: &[i64]) -> usize {
    ids.iter().filter(|&&id| id == IMAGE_TOKEN).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            input_ids: vec![1, IMAGE_TOKEN, 7, 8, IMAGE_TOKEN, 9, 2],
            labels: vec![IGNORE, IGNORE, IGNORE, 8, IGNORE, 9, 2],
        }
    }

    fn cut(max_tokens: usize) -> Result<Vec<i64>, EncodeError> {
        let mut sample = sample();
        sample.truncate(max_tokens, 4)?;
        assert_eq!(sample.input_ids.len(), sample.labels.len());
        Ok(sample.input_ids)
    }

    #[test]
    fn images_count_at_their_full_length() {
        assert_eq!(sample().expanded_len(4), 13);
        assert_eq!(cut(13).expect("fits"), sample().input_ids);
        assert_eq!(cut(12).expect("one less").len(), 6);
        assert_eq!(cut(11).expect("two less").len(), 5);
    }

    #[test]
    fn an_image_is_cut_whole() {
        assert_eq!(cut(10).expect("an answer is left"), [1, IMAGE_TOKEN, 7, 8]);
        assert_eq!(cut(7).expect("an answer is left"), [1, IMAGE_TOKEN, 7, 8]);
    }

    #[test]
    fn an_image_is_cut_by_its_own_length() {
        let mut sample = sample();
        assert_eq!(sample.expanded_len(&[4, 6][..]), 15);
        sample.truncate(7, &[4, 6][..]).expect("an answer is left");
        assert_eq!(sample.input_ids, [1, IMAGE_TOKEN, 7, 8]);
    }

    #[test]
    fn a_cut_that_leaves_nothing_to_learn_is_an_error() {
        let error = cut(6).expect_err("the answer is gone").to_string();
        assert!(
            error.contains("of 13 tokens cut to max_tokens = 6"),
            "{error}"
        );
    }
}
