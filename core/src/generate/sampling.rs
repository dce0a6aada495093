//! From logits to the next token.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::GenerationConfig;

/// Draws the tokens of one answer.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    config: &'a GenerationConfig,
    random: ChaCha8Rng,
}

impl<'a> Sampler<'a> {
    /// `stream` tells the rows of a batch apart: each has random numbers of its own.
    pub(super) fn new(config: &'a GenerationConfig, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(stream);
        Self { config, random }
    }

    /// The next token after `seen` (prompt and answer so far), given its logits `[vocab]`.
    ///
    /// Filters apply in transformers' order: repetition penalty, temperature, top-k, top-p, min-p.
    pub(super) fn next(&mut self, mut logits: Vec<f32>, seen: &[i64]) -> u32 {
        penalise(&mut logits, seen, self.config.repetition_penalty);
        if self.config.temperature <= 0.0 {
            return greedy(&logits);
        }
        let candidates = candidates(&logits, self.config);
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
fn penalise(logits: &mut [f32], seen: &[i64], penalty: f64) {
    if (penalty - 1.0).abs() < f64::EPSILON {
        return;
    }
    let mut tokens: Vec<usize> = seen
        .iter()
        .filter_map(|&id| usize::try_from(id).ok())
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    #[expect(clippy::cast_possible_truncation)]
    let penalty = penalty as f32;
    for token in tokens {
        if let Some(logit) = logits.get_mut(token) {
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
    }
}

/// The tokens that may be drawn with their unnormalised probabilities, the likeliest first. There
/// is always at least one.
fn candidates(logits: &[f32], config: &GenerationConfig) -> Vec<(u32, f64)> {
    let mut order: Vec<(u32, f64)> = (0..)
        .zip(logits)
        .map(|(token, &logit)| (token, f64::from(logit) / config.temperature))
        .collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    if config.top_k > 0 {
        order.truncate(config.top_k);
    }
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
            let mut sampler = Sampler::new(&config, stream);
            (0..4000)
                .map(|_| sampler.next(vec![0.75_f32.ln(), 0.25_f32.ln()], &[]))
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
    fn a_repeated_token_is_penalised_whatever_its_sign() {
        let mut logits = vec![2.0, -2.0, 1.0];
        penalise(&mut logits, &[0, 1, 1, -200], 2.0);
        assert_eq!(logits, [1.0, -4.0, 1.0]);
    }
}
