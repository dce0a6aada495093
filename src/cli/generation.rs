//! How answers are drawn, on the command line.

use menagerie_core::GenerationConfig;

/// How the answer is drawn. What is not given is as the model says.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Generation")]
pub(super) struct Generation {
    /// Divides the logits; 0 takes the likeliest token.
    #[arg(long, value_name = "T", value_parser = at_least_zero, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Draw from the likeliest tokens that together hold this probability; 1 is off.
    #[arg(long, value_name = "P", value_parser = share, allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Draw from this many of the likeliest tokens; 0 is off.
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from tokens at least this likely, relative to the likeliest; 0 is off.
    #[arg(long, value_name = "P", value_parser = share, allow_negative_numbers = true)]
    min_p: Option<f64>,
    /// Divides the logits of tokens already seen; 1 is off.
    #[arg(long, value_name = "R", value_parser = positive, allow_negative_numbers = true)]
    repetition_penalty: Option<f64>,
    /// Longest answer, in tokens.
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Seed of the draws.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End the answer at this text, which is left out. Repeatable.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl Generation {
    /// The model's config with these changes.
    pub(super) fn over(&self, model: &GenerationConfig) -> GenerationConfig {
        GenerationConfig {
            temperature: self.temperature.unwrap_or(model.temperature),
            top_p: self.top_p.unwrap_or(model.top_p),
            top_k: self.top_k.unwrap_or(model.top_k),
            min_p: self.min_p.unwrap_or(model.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(model.repetition_penalty),
            max_new_tokens: self.max_new_tokens.unwrap_or(model.max_new_tokens),
            seed: self.seed.unwrap_or(model.seed),
            stop: if self.stop.is_empty() {
                model.stop.clone()
            } else {
                self.stop.clone()
            },
        }
    }
}

fn number(text: &str, fits: impl Fn(f64) -> bool, allowed: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| fits(*number))
        .ok_or_else(|| format!("must be {allowed}"))
}

fn at_least_zero(text: &str) -> Result<f64, String> {
    number(text, |x| x >= 0.0 && x.is_finite(), "a number from 0 on")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x.is_finite(), "a number above 0")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1")
}
