//! Rotary frequencies, and how they are stretched for contexts longer than the model was first
//! trained on: by the formulas of transformers' `modeling_rope_utils.py`, in f32 where it uses f32,
//! so that angles are the same at large positions too.

mod scaling;

use std::f64::consts::PI;

use crate::rotary::Rotary;
use burn::tensor::DType;
use menagerie_core::{BuildError, Context};
pub use scaling::RopeScaling;
pub(crate) use scaling::{default_beta_fast, default_beta_slow, default_truncate};

/// What the rotation of a decoder is made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rope {
    /// Features of a head that turn.
    pub dim: usize,
    pub theta: f64,
    pub max_position_embeddings: usize,
    pub scaling: Option<RopeScaling>,
}

impl Rope {
    pub(crate) fn check(&self, plugin: &str) -> Result<(), BuildError> {
        if !self.theta.is_finite() || self.theta <= 1.0 {
            let message = format!("{} must be greater than 1", self.theta);
            return Err(BuildError::invalid(plugin, "rope_theta", message));
        }
        let invalid = |message: String| Err(BuildError::invalid(plugin, "rope_scaling", message));
        let positive = match &self.scaling {
            None => return Ok(()),
            Some(RopeScaling::Linear { factor } | RopeScaling::Dynamic { factor }) => {
                vec![("factor", *factor)]
            }
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            }) => {
                if high_freq_factor <= low_freq_factor {
                    return invalid(format!(
                        "high_freq_factor = {high_freq_factor} must be greater than \
                         low_freq_factor = {low_freq_factor}"
                    ));
                }
                vec![
                    ("factor", *factor),
                    ("low_freq_factor", *low_freq_factor),
                    original_length(*original_max_position_embeddings),
                ]
            }
            Some(RopeScaling::Yarn {
                factor,
                original_max_position_embeddings,
                beta_fast,
                beta_slow,
                ..
            }) => vec![
                ("factor", *factor),
                ("beta_fast", *beta_fast),
                ("beta_slow", *beta_slow),
                original_length(*original_max_position_embeddings),
            ],
            Some(RopeScaling::Factors { factors }) => {
                self.check_factors(plugin, "factors", factors)?;
                factors.iter().map(|&factor| ("factors", factor)).collect()
            }
            Some(RopeScaling::Longrope {
                short_factor,
                long_factor,
                original_max_position_embeddings,
                factor,
                attention_factor,
            }) => {
                self.check_factors(plugin, "short_factor", short_factor)?;
                self.check_factors(plugin, "long_factor", long_factor)?;
                let short = short_factor.iter().map(|&f| ("short_factor", f));
                let long = long_factor.iter().map(|&f| ("long_factor", f));
                let stated = [("factor", factor), ("attention_factor", attention_factor)];
                let stated = stated.into_iter();
                let stated = stated.filter_map(|(key, value)| Some((key, (*value)?)));
                let original = original_length(*original_max_position_embeddings);
                let all = short.chain(long).chain(stated);
                all.chain([original]).collect()
            }
        };
        if let Some((key, value)) = positive
            .into_iter()
            .find(|(_, value)| !value.is_finite() || *value <= 0.0)
        {
            return invalid(format!("{key} = {value} must be greater than 0"));
        }
        if matches!(self.scaling, Some(RopeScaling::Dynamic { .. })) && self.dim <= 2 {
            return invalid("`dynamic` needs a head_dim above 2".to_owned());
        }
        Ok(())
    }

    fn check_factors(&self, plugin: &str, key: &str, factors: &[f64]) -> Result<(), BuildError> {
        let half = self.dim / 2;
        if factors.len() == half {
            return Ok(());
        }
        let (count, dim) = (factors.len(), self.dim);
        let message = format!(
            "{count} in `{key}`; {dim} features of a head turn, which have {half} frequencies"
        );
        Err(BuildError::invalid(plugin, "rope_scaling", message))
    }

    /// Cosines and sines of the positions of a pass.
    pub(crate) fn rotary(&self, context: &Context, dtype: DType) -> Rotary {
        let positions = context.positions();
        // Only `dynamic` asks for the positions' values, which makes a GPU wait. They are read as they
        // were given: nothing computed can be read where a pass is only planned.
        let tokens = match self.scaling {
            Some(RopeScaling::Dynamic { .. }) => {
                let values = positions.clone().into_data();
                values
                    .iter::<i64>()
                    .max()
                    .map_or(0, |last| last.unsigned_abs() + 1)
            }
            // Keys that were cached under the short factors could not be compared with queries under
            // the long ones: what the whole answer may reach decides.
            Some(RopeScaling::Longrope {
                original_max_position_embeddings: original,
                ..
            }) if context.reaches_past(original) => original as u64 + 1,
            _ => 0,
        };
        let (frequencies, amplitude) = self.frequencies(tokens);
        Rotary::new(positions, &frequencies, amplitude, dtype)
    }

    /// Radians a position of each pair of features, and the factor of cosines and sines, in a pass
    /// that reaches over `tokens` positions.
    pub(crate) fn frequencies(&self, tokens: u64) -> (Vec<f32>, f64) {
        let wavelengths = || powers(single(self.theta), self.dim);
        let plain = || wavelengths().map(f32::recip);
        match &self.scaling {
            None => (plain().collect(), 1.0),
            Some(RopeScaling::Linear { factor }) => {
                (plain().map(|f| f / single(*factor)).collect(), 1.0)
            }
            Some(RopeScaling::Dynamic { factor }) => {
                let base = self.dynamic_base(*factor, tokens);
                (powers(base, self.dim).map(f32::recip).collect(), 1.0)
            }
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            }) => {
                let blend = Llama3Blend {
                    factor: *factor,
                    low: *low_freq_factor,
                    high: *high_freq_factor,
                    original: *original_max_position_embeddings as f64,
                };
                (plain().map(|f| blend.apply(f)).collect(), 1.0)
            }
            Some(RopeScaling::Yarn {
                factor,
                original_max_position_embeddings,
                beta_fast,
                beta_slow,
                attention_factor,
                mscale,
                mscale_all_dim,
                truncate,
            }) => {
                let original = *original_max_position_embeddings as f64;
                let feature = |turns: f64| {
                    let turns = (original / (turns * 2.0 * PI)).ln();
                    self.dim as f64 * turns / (2.0 * self.theta.ln())
                };
                let (mut low, mut high) = (feature(*beta_fast), feature(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let low = low.max(0.0);
                let mut high = high.min(self.dim as f64 - 1.0);
                if low == high {
                    high += 0.001; // as there, against a division by zero
                }
                let frequencies = wavelengths().enumerate().map(|(index, wavelength)| {
                    let ramp = (index as f32 - single(low)) / single(high - low);
                    let kept = 1.0 - ramp.clamp(0.0, 1.0);
                    let divided = (single(*factor) * wavelength).recip();
                    divided * (1.0 - kept) + wavelength.recip() * kept
                });
                let amplitude = attention_factor
                    .unwrap_or_else(|| yarn_amplitude(*factor, *mscale, *mscale_all_dim));
                (frequencies.collect(), amplitude)
            }
            Some(RopeScaling::Factors { factors }) => (self.divided(factors), 1.0),
            Some(RopeScaling::Longrope {
                short_factor,
                long_factor,
                original_max_position_embeddings,
                factor,
                attention_factor,
            }) => {
                let original = *original_max_position_embeddings as f64;
                let factors = if tokens as f64 > original {
                    long_factor
                } else {
                    short_factor
                };
                let factor = factor.unwrap_or(self.max_position_embeddings as f64 / original);
                let amplitude =
                    attention_factor.unwrap_or_else(|| longrope_amplitude(factor, original));
                (self.divided(factors), amplitude)
            }
        }
    }

    /// Every frequency divided by a factor of its own.
    fn divided(&self, factors: &[f64]) -> Vec<f32> {
        let wavelengths = powers(single(self.theta), self.dim);
        let factors = factors.iter().map(|&factor| single(factor));
        let divided = wavelengths.zip(factors);
        divided.map(|(w, factor)| (factor * w).recip()).collect()
    }

    /// The base of a pass over `tokens` positions.
    fn dynamic_base(&self, factor: f64, tokens: u64) -> f32 {
        let original = self.max_position_embeddings as u64;
        if tokens <= original {
            return single(self.theta);
        }
        let growth = single(factor) * tokens as f32 / original as f32 - single(factor - 1.0);
        let dim = self.dim as f64;
        single(self.theta) * power(growth, dim / (dim - 2.0))
    }
}

fn original_length(tokens: usize) -> (&'static str, f64) {
    ("original_max_position_embeddings", tokens as f64)
}

/// `base^(2i / dim)` for every pair of features `i`.
fn powers(base: f32, dim: usize) -> impl Iterator<Item = f32> {
    let exponents = (0..dim / 2).map(move |i| (2 * i) as f32 / dim as f32);
    exponents.map(move |exponent| power(base, f64::from(exponent)))
}

/// `base^exponent`, rounded once: the f32 functions of the mathematical libraries differ.
fn power(base: f32, exponent: f64) -> f32 {
    single(f64::from(base).powf(exponent))
}

#[expect(clippy::cast_possible_truncation)]
fn single(value: f64) -> f32 {
    value as f32
}

/// The blend of `RopeScaling::Llama3`.
struct Llama3Blend {
    factor: f64,
    low: f64,
    high: f64,
    original: f64,
}

impl Llama3Blend {
    fn apply(&self, frequency: f32) -> f32 {
        let wavelength = frequency.recip() * single(2.0 * PI);
        if wavelength > single(self.original / self.low) {
            return frequency / single(self.factor);
        }
        if wavelength < single(self.original / self.high) {
            return frequency;
        }
        let turns = wavelength.recip() * single(self.original);
        let smooth = (turns - single(self.low)) / single(self.high - self.low);
        (1.0 - smooth) * frequency / single(self.factor) + smooth * frequency
    }
}

/// The factor of cosines and sines that YaRN's paper suggests (section 3.4), weighted as DeepSeek's
/// configs state it.
fn yarn_amplitude(factor: f64, mscale: Option<f64>, mscale_all_dim: Option<f64>) -> f64 {
    let amplitude = |weight: f64| {
        if factor <= 1.0 {
            1.0
        } else {
            0.1 * weight * factor.ln() + 1.0
        }
    };
    let stated = |weight: Option<f64>| weight.filter(|&weight| weight != 0.0);
    match (stated(mscale), stated(mscale_all_dim)) {
        (Some(mscale), Some(all)) => amplitude(mscale) / amplitude(all),
        _ => amplitude(1.0),
    }
}

/// The factor of cosines and sines of LongRoPE, for sequences `factor` times longer.
fn longrope_amplitude(factor: f64, original: f64) -> f64 {
    if factor <= 1.0 {
        return 1.0;
    }
    (1.0 + factor.ln() / original.ln()).sqrt()
}

#[cfg(test)]
mod tests;
