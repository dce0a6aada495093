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
    /// `first` or `last`, drawn for each sample from the seed and the sample's id.
    Random,
}

impl ImagePosition {
    /// Moves the images of the first human turn. Text without an image stays as it is, and so do
    /// later turns. `seed` and `id` matter to [`Random`](Self::Random) alone, which gives one
    /// sample the same order in every epoch.
    pub fn apply(self, turns: &mut [Turn], seed: u64, id: &str) {
        let first = turns.iter_mut().find(|turn| turn.role == Role::Human);
        let Some(turn) = first.filter(|turn| turn.images() > 0) else {
            return;
        };
        let in_front = match self {
            Self::AsData => return,
            Self::First => true,
            Self::Last => false,
            Self::Random => draw(seed, id),
        };
        let images = vec![IMAGE_MARK; turn.images()].join("\n");
        let text = turn.text.replace(IMAGE_MARK, "");
        turn.text = match text.trim() {
            "" => images,
            text if in_front => format!("{images}\n{text}"),
            text => format!("{text}\n{images}"),
        };
    }
}

fn draw(seed: u64, id: &str) -> bool {
    let hash = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(id)
        .finalize();
    ChaCha8Rng::from_seed(hash.into()).random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(position: ImagePosition, text: &str, id: &str) -> String {
        let mut turns = [Turn::human(text), Turn::assistant("So.")];
        position.apply(&mut turns, 7, id);
        turns[0].text.clone()
    }

    #[test]
    fn images_go_to_the_front_or_to_the_end() {
        let text = "<image>\nWhat is this?";
        assert_eq!(moved(ImagePosition::AsData, text, ""), text);
        assert_eq!(moved(ImagePosition::First, text, ""), text);
        let last = "What is this?\n<image>";
        assert_eq!(moved(ImagePosition::Last, text, ""), last);
        assert_eq!(moved(ImagePosition::First, last, ""), text);
        let two = moved(ImagePosition::Last, "<image> and <image>: which?", "");
        assert_eq!(two, "and : which?\n<image>\n<image>");
        assert_eq!(moved(ImagePosition::First, "<image>", ""), "<image>");
        assert_eq!(
            moved(ImagePosition::First, "No image.\n", ""),
            "No image.\n"
        );
    }

    #[test]
    fn random_is_a_fair_draw_that_repeats() {
        let first = |id: u32| {
            moved(ImagePosition::Random, "<image>\nWhy?", &id.to_string()).starts_with('<')
        };
        let drawn: Vec<bool> = (0..400).map(first).collect();
        assert_eq!(drawn, (0..400).map(first).collect::<Vec<_>>());
        let share = drawn.iter().filter(|&&first| first).count();
        assert!((160..240).contains(&share), "{share} of 400 in front");
    }
}
