//! What has been said already.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::form::Pair;
use super::response::ResponseType;
use super::words::normalised;

/// What accepted samples say, up to case, punctuation, white space and articles.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    /// Hashes, of which 16 bytes keep texts apart.
    seen: HashSet<[u8; 16]>,
}

impl Duplicates {
    /// Of a new sample's pairs those that are new: no other sample of its image has that question
    /// with that answer, and no description of any image says the same.
    pub(super) fn new_ones(&self, kind: ResponseType, image: &str, pairs: Vec<Pair>) -> Vec<Pair> {
        let mut own = HashSet::new();
        let mut pairs = pairs;
        pairs.retain(|pair| {
            let hash = hash(kind, image, pair);
            !self.seen.contains(&hash) && own.insert(hash)
        });
        pairs
    }

    /// Adds what an accepted sample says.
    pub(super) fn add(&mut self, kind: ResponseType, image: &str, pairs: &[Pair]) {
        let hashes = pairs.iter().map(|pair| hash(kind, image, pair));
        self.seen.extend(hashes);
    }
}

fn hash(kind: ResponseType, image: &str, pair: &Pair) -> [u8; 16] {
    let answer = normalised(&pair.answer);
    let parts = match kind {
        // Its question is one of a fixed list.
        ResponseType::Detail => [String::new(), String::new(), answer],
        ResponseType::Conversation | ResponseType::Reasoning => {
            [image.to_owned(), normalised(&pair.question), answer]
        }
    };
    let hash = Sha256::digest(parts.join("\n"));
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(question: &str, answer: &str) -> Pair {
        Pair {
            question: question.to_owned(),
            answer: answer.to_owned(),
        }
    }

    #[test]
    fn questions_are_compared_within_an_image_and_descriptions_among_all() {
        use ResponseType::{Conversation, Detail, Reasoning};
        let mut seen = Duplicates::default();
        seen.add(Conversation, "a.jpg", &[pair("What is it?", "A dog.")]);
        seen.add(Detail, "a.jpg", &[pair("Describe it.", "A dog runs.")]);
        let left = |kind, image, pairs: &[Pair]| seen.new_ones(kind, image, pairs.to_vec()).len();

        let same = pair("what is it", "The dog");
        assert_eq!(left(Conversation, "a.jpg", std::slice::from_ref(&same)), 0);
        assert_eq!(left(Reasoning, "a.jpg", std::slice::from_ref(&same)), 0);
        assert_eq!(left(Conversation, "b.jpg", std::slice::from_ref(&same)), 1);
        assert_eq!(
            left(Conversation, "a.jpg", &[pair("What is it?", "A cat.")]),
            1
        );
        assert_eq!(left(Conversation, "b.jpg", &[same.clone(), same]), 1);
        assert_eq!(left(Detail, "b.jpg", &[pair("Say more.", "a dog runs")]), 0);
    }
}
