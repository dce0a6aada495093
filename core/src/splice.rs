//! Where text and visual tokens go in a batch of rows.
//!
//! A prompt is token ids with [`IMAGE_TOKEN`] at each image. The splice replaces each by the
//! image's visual tokens and pads the rows to one width. It is made of numbers alone, so that the
//! same plan serves embeddings, labels and positions.

use crate::context::Rows;
use crate::tokens::{IGNORE, IMAGE_TOKEN};

/// On which side short rows are filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// For generation: all rows end at the same slot.
    Left,
    /// For training.
    Right,
}

/// The plan of a batch.
#[derive(Debug, Clone)]
pub struct Splice {
    /// The text tokens of all rows, one after another.
    pub(crate) text_ids: Vec<i32>,
    /// For each slot of `[batch, width]`, which vector it takes: a text token's number, or, past
    /// those, a visual token's.
    pub(crate) places: Vec<i32>,
    /// Positions and segments of every slot.
    pub rows: Rows,
}

impl Splice {
    /// Plans rows of token ids, an image taking `visual_tokens` slots.
    ///
    /// # Panics
    /// If there is no row, or one is empty.
    #[must_use]
    pub fn new(prompts: &[&[i64]], visual_tokens: usize, padding: Padding) -> Self {
        let lengths: Vec<usize> = prompts
            .iter()
            .map(|ids| expanded_len(ids, visual_tokens))
            .collect();
        let width = lengths.iter().copied().max().expect("a batch has rows");
        let text_ids: Vec<i32> = prompts
            .iter()
            .flat_map(|ids| ids.iter().filter(|&&id| id != IMAGE_TOKEN))
            .map(|&id| i32::try_from(id).expect("token ids fit in 31 bits"))
            .collect();
        let (mut next_text, mut next_visual) = (0, text_ids.len());
        let mut places = Vec::with_capacity(width * prompts.len());
        for (ids, length) in prompts.iter().zip(&lengths) {
            let fill = std::iter::repeat_n(0, width - length);
            if padding == Padding::Left {
                places.extend(fill.clone());
            }
            for &id in *ids {
                let (next, count) = if id == IMAGE_TOKEN {
                    (&mut next_visual, visual_tokens)
                } else {
                    (&mut next_text, 1)
                };
                places.extend((*next..*next + count).map(as_i32));
                *next += count;
            }
            if padding == Padding::Right {
                places.extend(fill);
            }
        }
        let rows = match padding {
            Padding::Left => Rows::padded_left(&lengths),
            Padding::Right => Rows::padded_right(&lengths),
        };
        Self {
            text_ids,
            places,
            rows,
        }
    }

    /// Rows.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.rows.segments.len()
    }

    /// Slots of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.rows.segments.first().map_or(0, Vec::len)
    }
}

/// Tokens of a prompt once its images are in place.
#[must_use]
pub fn expanded_len(ids: &[i64], visual_tokens: usize) -> usize {
    let images = ids.iter().filter(|&&id| id == IMAGE_TOKEN).count();
    ids.len() - images + images * visual_tokens
}

/// The supervised places of right-padded rows: for each, the slot (in `[batch · width]`) whose
/// logits predict it, and the token that is right.
#[must_use]
pub fn supervised(
    samples: &[(&[i64], &[i64])],
    visual_tokens: usize,
    width: usize,
) -> Vec<(usize, i64)> {
    let mut targets = Vec::new();
    for (row, (ids, labels)) in samples.iter().enumerate() {
        let mut slot = row * width;
        for (&id, &label) in ids.iter().zip(*labels) {
            // The first token of a row has nothing before it that could predict it.
            if label != IGNORE && slot > row * width {
                targets.push((slot - 1, label));
            }
            slot += if id == IMAGE_TOKEN { visual_tokens } else { 1 };
        }
    }
    targets
}

fn as_i32(value: usize) -> i32 {
    i32::try_from(value).expect("a batch has fewer than 2^31 tokens")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_take_their_places_in_order() {
        let first: &[i64] = &[5, IMAGE_TOKEN, 6, IMAGE_TOKEN];
        let second: &[i64] = &[7];
        let splice = Splice::new(&[first, second], 2, Padding::Right);
        assert_eq!(splice.text_ids, [5, 6, 7]);
        assert_eq!(splice.places, [0, 3, 4, 1, 5, 6, 2, 0, 0, 0, 0, 0]);
        assert_eq!(splice.rows.segments[1], [1, 0, 0, 0, 0, 0]);
        let splice = Splice::new(&[first, second], 2, Padding::Left);
        assert_eq!(splice.places[6..], [0, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn a_label_is_predicted_by_the_slot_before_it() {
        let ids: &[i64] = &[1, IMAGE_TOKEN, 8, 9];
        let labels: &[i64] = &[IGNORE, IGNORE, IGNORE, 9];
        let other: &[i64] = &[1, 2];
        let targets = supervised(&[(ids, labels), (other, &[1, 2])], 3, 6);
        assert_eq!(targets, [(4, 9), (6, 2)]);
    }
}
