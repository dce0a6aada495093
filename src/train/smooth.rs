//! A curve without its noise.

/// An exponential mean without the pull towards its first value. What is not finite is left out.
#[derive(Debug, Clone)]
pub(crate) struct Smooth {
    keep: f64,
    sum: f64,
    weight: f64,
}

impl Smooth {
    /// For a stage of `steps` steps: over a fiftieth of them, and over ten at least.
    pub(crate) fn over(steps: usize) -> Self {
        Self {
            keep: 1.0 - 1.0 / (steps as f64 / 50.0).max(10.0),
            sum: 0.0,
            weight: 0.0,
        }
    }

    /// Takes one more value; the mean with it.
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        if value.is_finite() {
            self.sum = self.sum * self.keep + value;
            self.weight = self.weight * self.keep + 1.0;
        }
        self.last()
    }

    /// The mean of what came so far; not a number before there is any.
    pub(crate) fn last(&self) -> f64 {
        self.sum / self.weight
    }

    /// All of a curve.
    pub(crate) fn curve(mut self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points.iter().map(|&(x, y)| (x, self.push(y))).collect()
    }
}
