//! Where text and visual tokens go in a batch of rows.
//!
//! A prompt is token ids with [`IMAGE_TOKEN`] at each image. The splice replaces each by the
//! image's visual tokens and fills the rows up to one width, with padding or with further prompts. It
//! is made of numbers alone, so that the same plan serves embeddings, labels and positions.

use std::cmp::Reverse;

use crate::context::Rows;
use crate::tokens::{IGNORE, IMAGE_TOKEN};

/// How rows are filled up to the width of the longest prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// A prompt a row, padded on the left, for generation: all rows end at the same slot.
    Left,
    /// A prompt a row, padded on the right, for training.
    Right,
    /// Several prompts a row, as few rows as first-fit decreasing finds, padded on the right. Each
    /// prompt is a segment of its own with positions from 0, so it computes what it does alone.
    Packed,
}

impl Padding {
    /// `[batch, width]` of the rows that prompts of these lengths are laid out in.
    #[must_use]
    pub fn dims(self, lengths: &[usize]) -> [usize; 2] {
        let width = lengths.iter().copied().max().unwrap_or(0);
        match self {
            Self::Left | Self::Right => [lengths.len(), width],
            Self::Packed => [pack(lengths, width).len(), width],
        }
    }
}

/// The plan of a batch.
#[derive(Debug, Clone)]
pub struct Splice {
    /// The text tokens of all rows, one after another.
    pub(crate) text_ids: Vec<i32>,
    /// For each slot of `[batch, width]`, which vector it takes: a text token's number, or, past
    /// those, a visual token's.
    pub(crate) places: Vec<i32>,
    /// The slot in `[batch · width]` at which each prompt begins.
    pub starts: Vec<usize>,
    /// Positions and segments of every slot.
    pub rows: Rows,
}

impl Splice {
    /// Plans rows of token ids, an image taking `visual_tokens` slots.
    ///
    /// # Panics
    /// If there is no prompt, or one is empty.
    #[must_use]
    pub fn new(prompts: &[&[i64]], visual_tokens: usize, padding: Padding) -> Self {
        let lengths: Vec<usize> = prompts
            .iter()
            .map(|ids| expanded_len(ids, visual_tokens))
            .collect();
        let width = lengths.iter().copied().max().expect("a batch has rows");
        let (starts, rows) = lay_out(&lengths, width, padding);
        let text_ids: Vec<i32> = prompts
            .iter()
            .flat_map(|ids| ids.iter().filter(|&&id| id != IMAGE_TOKEN))
            .map(|&id| i32::try_from(id).expect("token ids fit in 31 bits"))
            .collect();
        let (mut next_text, mut next_visual) = (0, text_ids.len());
        let mut places = vec![0; width * rows.segments.len()];
        for (ids, &start) in prompts.iter().zip(&starts) {
            let mut slots = places[start..].iter_mut();
            for &id in *ids {
                let (next, count) = if id == IMAGE_TOKEN {
                    (&mut next_visual, visual_tokens)
                } else {
                    (&mut next_text, 1)
                };
                for (place, slot) in (*next..*next + count).zip(&mut slots) {
                    *slot = as_i32(place);
                }
                *next += count;
            }
        }
        Self {
            text_ids,
            places,
            starts,
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

/// Where prompts of these lengths begin, and the rows that hold them.
fn lay_out(lengths: &[usize], width: usize, padding: Padding) -> (Vec<usize>, Rows) {
    let numbered = lengths.iter().enumerate();
    match padding {
        Padding::Left => {
            let starts = numbered.map(|(row, length)| (row + 1) * width - length);
            (starts.collect(), Rows::padded_left(lengths))
        }
        Padding::Right => {
            let starts = numbered.map(|(row, _)| row * width);
            (starts.collect(), Rows::padded_right(lengths))
        }
        Padding::Packed => {
            let packed = pack(lengths, width);
            let mut starts = vec![0; lengths.len()];
            for (row, prompts) in packed.iter().enumerate() {
                let mut slot = row * width;
                for &prompt in prompts {
                    starts[prompt] = slot;
                    slot += lengths[prompt];
                }
            }
            let of_row = |row: &Vec<usize>| row.iter().map(|&prompt| lengths[prompt]).collect();
            let rows: Vec<Vec<usize>> = packed.iter().map(of_row).collect();
            (starts, Rows::packed(&rows, width))
        }
    }
}

/// Which prompts share a row of `width`: the longest first, each in the first row with room for it.
fn pack(lengths: &[usize], width: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&prompt| Reverse(lengths[prompt]));
    let mut rows: Vec<(usize, Vec<usize>)> = Vec::new();
    for prompt in order {
        let length = lengths[prompt];
        match rows.iter_mut().find(|(used, _)| used + length <= width) {
            Some((used, row)) => {
                *used += length;
                row.push(prompt);
            }
            None => rows.push((length, vec![prompt])),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The supervised places of a splice: for each, the slot (in `[batch · width]`) whose logits
/// predict it, and the token that is right. `starts`: [`Splice::starts`] of the samples.
#[must_use]
pub fn supervised(
    samples: &[(&[i64], &[i64])],
    visual_tokens: usize,
    starts: &[usize],
) -> Vec<(usize, i64)> {
    let mut targets = Vec::new();
    for ((ids, labels), &start) in samples.iter().zip(starts) {
        let mut slot = start;
        for (&id, &label) in ids.iter().zip(*labels) {
            // The first token of a sample has nothing before it that could predict it; the slot
            // before may be another sample's.
            if label != IGNORE && slot > start {
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
        let targets = supervised(&[(ids, labels), (other, &[1, 2])], 3, &[0, 6]);
        assert_eq!(targets, [(4, 9), (6, 2)]);
    }

    #[test]
    fn packed_prompts_share_rows_no_longer_than_the_longest() {
        let long: &[i64] = &[5, IMAGE_TOKEN, 6, 7];
        let (one, two): (&[i64], &[i64]) = (&[8], &[9, IMAGE_TOKEN]);
        let splice = Splice::new(&[one, long, two, one], 3, Padding::Packed);
        assert_eq!((splice.batch(), splice.width()), (2, 6));
        assert_eq!(splice.starts, [10, 0, 6, 11]);
        assert_eq!(splice.text_ids, [8, 5, 6, 7, 9, 8]);
        assert_eq!(splice.places, [1, 6, 7, 8, 2, 3, 4, 9, 10, 11, 0, 5]);
        assert_eq!(splice.rows.segments[1], [1, 1, 1, 1, 2, 3]);
        assert_eq!(splice.rows.positions[1], [0, 1, 2, 3, 0, 0]);
        // A sample's first token is not learned from the end of the sample before it.
        let labelled = [(one, one), (long, long), (two, two), (one, one)];
        let slots = supervised(&labelled, 3, &splice.starts);
        assert!(slots.iter().all(|(slot, _)| ![5, 9, 10].contains(slot)));
    }

    #[test]
    fn rows_of_a_pack_are_full_where_lengths_allow_it() {
        let lengths = [3, 8, 5, 2, 6, 1, 7];
        assert_eq!(
            pack(&lengths, 8),
            [vec![1], vec![6, 5], vec![4, 3], vec![2, 0]]
        );
        let rows = Rows::packed(&[vec![2, 1], vec![3]], 4);
        assert_eq!(rows.segments, [[1, 1, 2, 0], [1, 1, 1, 0]]);
        assert_eq!(rows.positions, [[0, 1, 0, 0], [0, 1, 2, 0]]);
    }
}
