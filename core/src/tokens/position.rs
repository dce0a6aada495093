//! Where the image stands in the first question.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::{IMAGE_MARK, Role, Turn};

/// Where the images of the first human turn stand.
///
/// The paper (arXiv 2304.08485, eq. 3) draws the order for each sample; its released data has the
/// order baked in, and the original code from 1.0.1 on moves the image to the front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePosition {
    /// Where the data has them (default).
    #[default]
    AsData,
    /// Before the text, a line feed after each.
    First,
    /// After the text, a line feed before each.
    Last,
    /// `first` or `last`, drawn for each sample from the seed, the sample's id and its question.
    Random,
}

impl ImagePosition {
    /// Moves the images of the first human turn. Text without an image stays as it is, and so do
    /// later turns. `seed` and `id` matter to [`Random`](Self::Random) alone.
    ///
    /// That one gives a sample the same order in every epoch, as the paper's data has it: LLaVA
    /// drew once when it was made. Samples of one id and different questions, of which LLaVA's data
    /// has many, have draws of their own.
    pub fn apply(self, turns: &mut [Turn], seed: u64, id: &str) {
        let first = turns.iter_mut().find(|turn| turn.role == Role::Human);
        let Some(turn) = first.filter(|turn| turn.images() > 0) else {
            return;
        };
        let text = turn.text.replace(IMAGE_MARK, "");
        let text = text.trim();
        let in_front = match self {
            Self::AsData => return,
            Self::First => true,
            Self::Last => false,
            Self::Random => draw(seed, id, text),
        };
        let images = vec![IMAGE_MARK; turn.images()].join("\n");
        turn.text = match text {
            "" => images,
            text if in_front => format!("{images}\n{text}"),
            text => format!("{text}\n{images}"),
        };
    }
}

/// A fair draw, of the question without its images so that where they were does not matter.
fn draw(seed: u64, id: &str, question: &str) -> bool {
    let hash = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update((id.len() as u64).to_le_bytes())
        .chain_update(id)
        .chain_update(question)
        .finalize();
    ChaCha8Rng::from_seed(hash.into()).random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(position: ImagePosition, text: &str) -> String {
        let mut turns = [Turn::human(text), Turn::assistant("So.")];
        position.apply(&mut turns, 7, "");
        turns[0].text.clone()
    }

    #[test]
    fn images_go_to_the_front_or_to_the_end() {
        let text = "<image>\nWhat is this?";
        assert_eq!(moved(ImagePosition::AsData, text), text);
        assert_eq!(moved(ImagePosition::First, text), text);
        let last = "What is this?\n<image>";
        assert_eq!(moved(ImagePosition::Last, text), last);
        assert_eq!(moved(ImagePosition::First, last), text);
        let two = moved(ImagePosition::Last, "<image> and <image>: which?");
        assert_eq!(two, "and : which?\n<image>\n<image>");
        assert_eq!(moved(ImagePosition::First, "<image>"), "<image>");
        assert_eq!(moved(ImagePosition::First, "No image.\n"), "No image.\n");
    }

    #[test]
    fn only_the_first_question_is_touched() {
        let said = ["<image>\nWhat?", "A cat.", "And <image>?", "A dog."];
        let turns = [
            Turn::human(said[0]),
            Turn::assistant(said[1]),
            Turn::human(said[2]),
            Turn::assistant(said[3]),
        ];
        for seed in 0..8 {
            let mut moved = turns.clone();
            ImagePosition::Random.apply(&mut moved, seed, "a");
            assert!(["<image>\nWhat?", "What?\n<image>"].contains(&moved[0].text.as_str()));
            assert_eq!(moved[1..], turns[1..]);
            // An answer that nobody asked for is not a question.
            let mut answers = turns[1..].to_vec();
            ImagePosition::Last.apply(&mut answers, seed, "a");
            assert_eq!(answers[0], turns[1]);
            assert_eq!(answers[1].text, "And ?\n<image>");
        }
    }

    /// Each of `(seed, id, question)` decides; the same three give the same.
    #[test]
    fn random_is_a_fair_draw_that_repeats() {
        let in_front = |seed: u64, id: u64, question: u64| {
            let mut turns = [Turn::human(format!("<image>\nWhy {question}?"))];
            ImagePosition::Random.apply(&mut turns, seed, &id.to_string());
            turns[0].text.starts_with('<')
        };
        let streams: [&dyn Fn(u64) -> bool; 3] =
            [&|n| in_front(n, 1, 1), &|n| in_front(1, n, 1), &|n| {
                in_front(1, 1, n)
            }];
        for draw in streams {
            let drawn: Vec<bool> = (0..400).map(draw).collect();
            assert_eq!(drawn, (0..400).map(draw).collect::<Vec<_>>());
            let share = drawn.iter().filter(|&&first| first).count();
            assert!((160..240).contains(&share), "{share} of 400 in front");
        }
    }

    #[test]
    fn random_does_not_depend_on_where_the_data_has_the_image() {
        for seed in 0..8 {
            let drawn = |text: &str| {
                let mut turns = [Turn::human(text)];
                ImagePosition::Random.apply(&mut turns, seed, "a");
                turns[0].text.clone()
            };
            assert_eq!(drawn("<image>\nWhy?"), drawn("Why?\n<image>"));
        }
    }
}
