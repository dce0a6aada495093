//! Yes and no, said and true.

/// How often what was said meets what is true. A share of nothing is 0; the original script divides by
/// zero there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Confusion {
    true_positive: usize,
    false_positive: usize,
    true_negative: usize,
    false_negative: usize,
}

impl Confusion {
    pub(super) fn add(&mut self, says_yes: bool, is_yes: bool) {
        *match (says_yes, is_yes) {
            (true, true) => &mut self.true_positive,
            (true, false) => &mut self.false_positive,
            (false, false) => &mut self.true_negative,
            (false, true) => &mut self.false_negative,
        } += 1;
    }

    pub(super) fn count(&self) -> usize {
        self.said_yes() + self.true_negative + self.false_negative
    }

    pub(super) fn accuracy(&self) -> f64 {
        share(self.true_positive + self.true_negative, self.count())
    }

    /// Of what it says is there, the share that is.
    pub(super) fn precision(&self) -> f64 {
        share(self.true_positive, self.said_yes())
    }

    /// Of what is there, the share that it says is.
    pub(super) fn recall(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    /// The harmonic mean of precision and recall.
    pub(super) fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 {
            return 0.0;
        }
        2.0 * precision * recall / (precision + recall)
    }

    pub(super) fn yes_share(&self) -> f64 {
        share(self.said_yes(), self.count())
    }

    fn said_yes(&self) -> usize {
        self.true_positive + self.false_positive
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        let mut confusion = Confusion::default();
        assert_eq!(confusion.f1(), 0.0, "of nothing");
        for (says_yes, is_yes, times) in [
            (true, true, 3),
            (true, false, 1),
            (false, false, 4),
            (false, true, 2),
        ] {
            (0..times).for_each(|_| confusion.add(says_yes, is_yes));
        }
        assert_eq!(confusion.count(), 10);
        assert_eq!(confusion.accuracy(), 0.7);
        assert_eq!(confusion.precision(), 0.75);
        assert_eq!(confusion.recall(), 0.6);
        assert!((confusion.f1() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(confusion.yes_share(), 0.4);

        let mut never = Confusion::default();
        never.add(false, true);
        assert_eq!(
            (never.precision(), never.recall(), never.f1()),
            (0.0, 0.0, 0.0)
        );
    }
}
