//! Learning rates over a stage.

/// How the rate goes once the warm-up is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// Down to zero along half a cosine.
    Cosine,
    /// Not at all.
    Constant,
}

/// A linear warm-up, then a decay; the formula of transformers' `get_cosine_schedule_with_warmup`.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    decay: Decay,
    warmup: usize,
    steps: usize,
}

impl Schedule {
    /// `steps` optimizer steps, the first `⌈warmup_ratio · steps⌉` of them warming up.
    #[must_use]
    pub fn new(decay: Decay, warmup_ratio: f64, steps: usize) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let warmup = (warmup_ratio * steps as f64).ceil() as usize;
        Self {
            decay,
            warmup,
            steps,
        }
    }

    /// The share of a peak that is applied in `step`, counted from 0.
    ///
    /// `i / w` while `i < w`, then `½ (1 + cos(π (i − w) / (T − w)))`.
    #[must_use]
    pub fn factor(&self, step: usize) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => {
                let decaying = (self.steps - self.warmup).max(1);
                let progress = (step - self.warmup) as f64 / decaying as f64;
                0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }
}
