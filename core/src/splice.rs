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

/// How many tokens images take, in the order of the prompts.
#[derive(Debug, Clone, Copy)]
pub enum ImageLengths<'a> {
    /// Every image as many.
    Alike(usize),
    /// Each image its own number.
    Each(&'a [usize]),
}

impl From<usize> for ImageLengths<'_> {
    fn from(tokens: usize) -> Self {
        Self::Alike(tokens)
    }
}

impl<'a> From<&'a [usize]> for ImageLengths<'a> {
    fn from(tokens: &'a [usize]) -> Self {
        Self::Each(tokens)
    }
}

impl<'a> From<&'a Vec<usize>> for ImageLengths<'a> {
    fn from(tokens: &'a Vec<usize>) -> Self {
        Self::Each(tokens)
    }
}

impl ImageLengths<'_> {
    /// Of image number `image`.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn of(self, image: usize) -> usize {
        match self {
            Self::Alike(tokens) => tokens,
            Self::Each(tokens) => tokens[image],
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
    /// Plans rows of token ids, images taking as many slots as `images` says.
    ///
    /// # Panics
    /// If there is no prompt, one is empty, or `images` has fewer images than the prompts.
    #[must_use]
    pub fn new<'i>(
        prompts: &[&[i64]],
        images: impl Into<ImageLengths<'i>>,
        padding: Padding,
    ) -> Self {
        let images = images.into();
        let lengths = expanded_lens(prompts, images);
        let width = lengths.iter().copied().max().expect("a batch has rows");
        let (starts, rows) = lay_out(&lengths, width, padding);
        let text_ids: Vec<i32> = prompts
            .iter()
            .flat_map(|ids| ids.iter().filter(|&&id| id != IMAGE_TOKEN))
            .map(|&id| i32::try_from(id).expect("token ids fit in 31 bits"))
            .collect();
        let (mut next_text, mut next_visual) = (0, text_ids.len());
        let mut places = vec![0; width * rows.segments.len()];
        let mut image = 0;
        for (ids, &start) in prompts.iter().zip(&starts) {
            let mut slots = places[start..].iter_mut();
            for &id in *ids {
                let (next, count) = if id == IMAGE_TOKEN {
                    image += 1;
                    (&mut next_visual, images.of(image - 1))
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

/// Tokens of each prompt once its images are in place.
///
/// # Panics
/// `images` has fewer images than the prompts.
#[must_use]
pub fn expanded_lens<'i>(prompts: &[&[i64]], images: impl Into<ImageLengths<'i>>) -> Vec<usize> {
    let images = images.into();
    let mut first = 0;
    let len = |ids: &&[i64]| {
        let count = ids.iter().filter(|&&id| id == IMAGE_TOKEN).count();
        let own = first..first + count;
        first = own.end;
        ids.len() - count + own.map(|image| images.of(image)).sum::<usize>()
    };
    prompts.iter().map(len).collect()
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
///
/// # Panics
/// `images` has fewer images than the samples.
#[must_use]
pub fn supervised<'i>(
    samples: &[(&[i64], &[i64])],
    images: impl Into<ImageLengths<'i>>,
    starts: &[usize],
) -> Vec<(usize, i64)> {
    let images = images.into();
    let (mut targets, mut image) = (Vec::new(), 0);
    for ((ids, labels), &start) in samples.iter().zip(starts) {
        let mut slot = start;
        for (&id, &label) in ids.iter().zip(*labels) {
            // The first token of a sample has nothing before it that could predict it; the slot
            // before may be another sample's.
            if label != IGNORE && slot > start {
                targets.push((slot - 1, label));
            }
            if id == IMAGE_TOKEN {
                slot += images.of(image);
                image += 1;
            } else {
                slot += 1;
            }
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
    fn images_of_a_batch_may_differ_in_length() {
        let first: &[i64] = &[5, IMAGE_TOKEN, 6, IMAGE_TOKEN];
        let second: &[i64] = &[7, IMAGE_TOKEN];
        let lengths = [1, 3, 2];
        let splice = Splice::new(&[first, second], &lengths[..], Padding::Right);
        assert_eq!(splice.text_ids, [5, 6, 7]);
        assert_eq!(splice.places, [0, 3, 1, 4, 5, 6, 2, 7, 8, 0, 0, 0]);
        let labelled: [(&[i64], &[i64]); 2] = [(first, &[5, 5, 6, 9]), (second, &[7, 8])];
        let targets = supervised(&labelled, &lengths[..], &splice.starts);
        assert_eq!(targets, [(0, 5), (1, 6), (2, 9), (6, 8)]);
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
