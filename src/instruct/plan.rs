//! Which context gets which type of response.

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::amounts::PerType;
use super::context::Context;
use super::response::ResponseType;

/// A sample that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// The context's place among all contexts.
    pub context: usize,
    /// What is made of it.
    pub kind: ResponseType,
    /// How many of this type are made of this context before.
    pub number: u32,
}

/// All samples that are to be made, in the order in which they are asked for: the types mixed, so
/// that one that ends early has all of them in their shares.
///
/// Everything in it follows from the contexts, the counts and the seed. Contexts are walked through
/// in a random order, each once before any of them comes a second time, and the same type comes to a
/// context again only if there are more samples of it than contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    tasks: Vec<Task>,
    seed: u64,
}

impl Plan {
    /// Plans `counts` samples on so many contexts.
    ///
    /// # Panics
    /// There are samples to be made and no contexts.
    #[must_use]
    pub fn new(contexts: usize, counts: &PerType<u64>, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..contexts).collect();
        order.shuffle(&mut generator(seed, "contexts"));
        let mut walk = order.iter().cycle();
        let mut tasks = Vec::new();
        for kind in ResponseType::ALL {
            let count = usize::try_from(counts[kind]).unwrap_or(usize::MAX);
            for place in 0..count {
                let number = u32::try_from(place / contexts).unwrap_or(u32::MAX);
                let context = *walk.next().expect("there are contexts");
                tasks.push(Task {
                    context,
                    kind,
                    number,
                });
            }
        }
        tasks.shuffle(&mut generator(seed, "tasks"));
        Self { tasks, seed }
    }

    /// What is to be made.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// One of some texts, drawn for a sample.
    pub(super) fn draw<'t>(&self, name: &str, texts: &'t [String]) -> &'t str {
        let mut random = generator(self.seed, name);
        texts.choose(&mut random).map_or("", String::as_str)
    }

    /// The seed of the draws of a sample's reply at an attempt. At most 31 bits: some servers take
    /// no more.
    pub(super) fn reply_seed(&self, name: &str, attempt: u32) -> u64 {
        let hash = hash(self.seed, &format!("{name}/{attempt}"));
        u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1)
    }
}

impl Task {
    /// Its name in files, unlike all others: `000000033471-detail`, and from the second one of this
    /// type and context on `000000033471-detail-2`.
    pub(super) fn name(&self, context: &Context) -> String {
        let (id, kind) = (&context.id, self.kind);
        match self.number {
            0 => format!("{id}-{kind}"),
            number => format!("{id}-{kind}-{}", u64::from(number) + 1),
        }
    }
}

fn generator(seed: u64, what: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(hash(seed, what))
}

fn hash(seed: u64, what: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(what)
        .finalize();
    hash.into()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn counts(conversation: u64, detail: u64, reasoning: u64) -> PerType<u64> {
        PerType {
            conversation,
            detail,
            reasoning,
        }
    }

    #[test]
    fn each_context_comes_once_before_one_comes_twice() {
        let plan = Plan::new(80, &counts(29, 12, 39), 7);
        let contexts: BTreeSet<usize> = plan.tasks().iter().map(|task| task.context).collect();
        assert_eq!((plan.tasks().len(), contexts.len()), (80, 80));
        assert!(plan.tasks().iter().all(|task| task.number == 0));

        let plan = Plan::new(10, &counts(25, 7, 10), 7);
        let unique: BTreeSet<&Task> = plan.tasks().iter().collect();
        assert_eq!((plan.tasks().len(), unique.len()), (42, 42));
        let mut of: BTreeMap<(ResponseType, usize), u32> = BTreeMap::new();
        for task in plan.tasks() {
            *of.entry((task.kind, task.context)).or_default() += 1;
        }
        let most = |kind| {
            of.iter()
                .filter(|((k, _), _)| *k == kind)
                .map(|(_, n)| *n)
                .max()
        };
        assert_eq!(most(ResponseType::Conversation), Some(3));
        assert_eq!(most(ResponseType::Detail), Some(1));
        assert_eq!(most(ResponseType::Reasoning), Some(1));
    }

    #[test]
    fn the_seed_alone_decides_and_types_are_mixed() {
        let plan = |seed| Plan::new(100, &counts(40, 20, 40), seed);
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        let first: BTreeSet<ResponseType> =
            plan(1).tasks()[..30].iter().map(|task| task.kind).collect();
        assert_eq!(first.len(), 3);
        let texts: Vec<String> = (0..16).map(|n| n.to_string()).collect();
        let plan = plan(1);
        let drawn: BTreeSet<&str> = (0..200)
            .map(|sample| plan.draw(&sample.to_string(), &texts))
            .collect();
        assert_eq!(drawn.len(), 16);
    }
}
