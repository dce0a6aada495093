//! From logits to the next token.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::GenerationConfig;

/// Draws the tokens of one answer.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    config: &'a GenerationConfig,
    random: ChaCha8Rng,
    /// The tokens of prompt and answer, if repetition is penalised.
    seen: Option<BTreeSet<usize>>,
}

impl<'a> Sampler<'a> {
    /// `stream` tells prompts apart: each has random numbers of its own. `prompt` are its ids.
    pub(super) fn new(config: &'a GenerationConfig, stream: u64, prompt: &[i64]) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(stream);
        let tokens = prompt.iter().filter_map(|&id| usize::try_from(id).ok());
        let penalises = (config.repetition_penalty - 1.0).abs() >= f64::EPSILON;
        Self {
            config,
            random,
            seen: penalises.then(|| tokens.collect()),
        }
    }

    /// The next token, given its logits `[vocab]`, which may change.
    ///
    /// Filters apply in transformers' order: repetition penalty, temperature, top-k, top-p, min-p.
    pub(super) fn next(&mut self, logits: &mut [f32]) -> u32 {
        if let Some(seen) = &self.seen {
            penalise(logits, seen, self.config.repetition_penalty);
        }
        let token = self.draw(logits);
        if let Some(seen) = &mut self.seen {
            seen.insert(token as usize);
        }
        token
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        if self.config.temperature <= 0.0 {
            return greedy(logits);
        }
        let candidates = candidates(logits, self.config);
        let total: f64 = candidates.iter().map(|(_, p)| p).sum();
        let mut remaining = uniform(&mut self.random) * total;
        let last = candidates[candidates.len() - 1].0;
        let drawn = candidates.into_iter().find(|(_, p)| {
            remaining -= p;
            remaining < 0.0
        });
        drawn.map_or(last, |(token, _)| token)
    }
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    random.random::<f64>()
}

/// The largest logit, the first of equals.
fn greedy(logits: &[f32]) -> u32 {
    let best = (0..)
        .zip(logits)
        .fold((0, f32::NEG_INFINITY), |best, (token, &logit)| {
            if logit > best.1 { (token, logit) } else { best }
        });
    best.0
}

/// Divides positive logits of seen tokens by the penalty and multiplies negative ones (CTRL, arXiv
/// 1909.05858).
fn penalise(logits: &mut [f32], seen: &BTreeSet<usize>, penalty: f64) {
    #[expect(clippy::cast_possible_truncation)]
    let penalty = penalty as f32;
    for &token in seen {
        if let Some(logit) = logits.get_mut(token) {
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
    }
}

/// A token and its logit; what is likelier is less, and of equals the first.
#[derive(Debug, Clone, Copy)]
struct Candidate(u32, f32);

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let likelier = other.1.total_cmp(&self.1);
        likelier.then(self.0.cmp(&other.0))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

/// The `count` likeliest tokens, the likeliest first.
fn likeliest(logits: &[f32], count: usize) -> Vec<Candidate> {
    let tokens = (0..).zip(logits);
    let mut tokens = tokens.map(|(token, &logit)| Candidate(token, logit));
    if count >= logits.len() {
        let mut all: Vec<Candidate> = tokens.collect();
        all.sort_unstable();
        return all;
    }
    let mut kept: BinaryHeap<Candidate> = tokens.by_ref().take(count).collect();
    for token in tokens {
        if let Some(mut least) = kept.peek_mut()
            && token < *least
        {
            *least = token;
        }
    }
    kept.into_sorted_vec()
}

/// The tokens that may be drawn with their unnormalised probabilities, the likeliest first. There
/// is always at least one.
fn candidates(logits: &[f32], config: &GenerationConfig) -> Vec<(u32, f64)> {
    let count = match config.top_k {
        0 => logits.len(),
        count => count,
    };
    let order = likeliest(logits, count).into_iter();
    let scaled = |Candidate(token, logit)| (token, f64::from(logit) / config.temperature);
    let mut order: Vec<(u32, f64)> = order.map(scaled).collect();
    let top = order[0].1;
    for (_, value) in &mut order {
        *value = (*value - top).exp();
    }
    let total: f64 = order.iter().map(|(_, p)| p).sum();
    let mut before = 0.0;
    let kept = order.iter().take_while(|(_, p)| {
        let keep = before < config.top_p * total;
        before += p;
        keep
    });
    let kept = kept.count().max(1);
    order.truncate(kept);
    // Relative to the likeliest, whose unnormalised probability is 1.
    order.retain(|(_, p)| *p >= config.min_p);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(config: &GenerationConfig) -> Vec<u32> {
        // Probabilities 0.5, 0.25, 0.125, 0.0625 and a rest.
        let logits: Vec<f32> = [2.0, 8.0, 4.0, 0.5, 1.0]
            .iter()
            .map(|p: &f32| (p / 16.0).ln())
            .collect();
        candidates(&logits, config)
            .into_iter()
            .map(|(token, _)| token)
            .collect()
    }

    #[test]
    fn filters_keep_what_they_should() {
        let sampling = GenerationConfig {
            temperature: 1.0,
            ..GenerationConfig::default()
        };
        assert_eq!(kept(&sampling), [1, 2, 0, 4, 3]);
        assert_eq!(
            kept(&GenerationConfig {
                top_k: 2,
                ..sampling.clone()
            }),
            [1, 2]
        );
        assert_eq!(
            kept(&GenerationConfig {
                top_p: 0.7,
                ..sampling.clone()
            }),
            [1, 2]
        );
        assert_eq!(
            kept(&GenerationConfig {
                top_p: 0.0,
                ..sampling.clone()
            }),
            [1]
        );
        assert_eq!(
            kept(&GenerationConfig {
                min_p: 0.2,
                ..sampling.clone()
            }),
            [1, 2, 0]
        );
    }

    #[test]
    fn draws_follow_the_probabilities_and_the_seed() {
        let config = GenerationConfig {
            temperature: 1.0,
            seed: 3,
            ..GenerationConfig::default()
        };
        let draw = |stream| {
            let mut sampler = Sampler::new(&config, stream, &[]);
            (0..4000)
                .map(|_| sampler.next(&mut [0.75_f32.ln(), 0.25_f32.ln()]))
                .collect::<Vec<_>>()
        };
        let ones = draw(0).iter().sum::<u32>();
        assert!(
            (900..1100).contains(&ones),
            "{ones} of 4000 at probability 0.25"
        );
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn the_likeliest_are_those_of_a_sort_the_first_of_equals_first() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let logits: Vec<f32> = (0..300)
            .map(|_| f32::from(random.random_range(-20_i8..20)))
            .collect();
        let mut order: Vec<u32> = (0..300).collect();
        order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
        for count in [1, 7, 299, 300, 500] {
            let found = likeliest(&logits, count).into_iter();
            let found: Vec<u32> = found.map(|Candidate(token, _)| token).collect();
            assert_eq!(found, order[..count.min(300)]);
        }
    }

    #[test]
    fn a_repeated_token_is_penalised_whatever_its_sign() {
        let config = GenerationConfig {
            repetition_penalty: 2.0,
            ..GenerationConfig::default()
        };
        let mut sampler = Sampler::new(&config, 0, &[0, 1, 1, -200]);
        let mut logits = [2.0, -2.0, 1.5];
        assert_eq!(sampler.next(&mut logits), 2);
        assert_eq!(logits, [1.0, -4.0, 1.5]);
        // Token 2 has been drawn since.
        let mut logits = [2.0, -2.0, 1.5];
        assert_eq!(sampler.next(&mut logits), 0);
        assert_eq!(logits, [1.0, -4.0, 0.75]);
    }
}
