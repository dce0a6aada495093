//! How far a figure may be chance: an interval of its values over questions drawn anew.
//!
//! The percentile bootstrap (Efron, 1979): as many questions as there are, drawn with replacement,
//! make another value of the figure; the middle 95 % of many such values are its interval. Unlike
//! the intervals of a sweep it needs no formula for the figure, so it serves ratios and F1 too.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values that an interval is made of.
pub const DRAWS: usize = 2000;
/// Part of every interval's number: the same answers have the same interval.
const SEED: u64 = 42;
/// Share of the values below an interval, and above.
const TAIL: f64 = 0.025;

/// The interval of 95 % of `figure` over `count` questions. `figure` gets the places of the questions
/// drawn, from 0 and each as often as it was drawn; draws of which it has no value are left out. `None`
/// with fewer than two questions, or if more than half of the draws are left out.
#[must_use]
pub fn interval(count: usize, mut figure: impl FnMut(&[usize]) -> Option<f64>) -> Option<[f64; 2]> {
    if count < 2 {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut places = vec![0; count];
    let mut values: Vec<f64> = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        places.fill_with(|| random.random_range(0..count));
        values.extend(figure(&places).filter(|value| value.is_finite()));
    }
    values.sort_unstable_by(f64::total_cmp);
    (2 * values.len() > DRAWS).then(|| [TAIL, 1.0 - TAIL].map(|share| quantile(&values, share)))
}

/// A quantile of sorted values, between the two beside it by proportion (the seventh of Hyndman and
/// Fan's, which `numpy` takes).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let below = place.floor();
    let low = values[below as usize];
    let high = values[place.ceil() as usize];
    low + (place - below) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!(quantile(&values, 0.975), 3.925);
        assert_eq!(quantile(&values, 1.0), 4.0);
    }

    /// 300 of 1000 are right: the normal approximation says 0.3 ± 1.96 √(0.21 / 1000) = 0.3 ± 0.0284.
    #[test]
    fn the_interval_of_a_share_is_that_of_its_formula() {
        let share = |places: &[usize]| {
            let right = places.iter().filter(|&&place| place < 300).count();
            Some(right as f64 / places.len() as f64)
        };
        let [low, high] = interval(1000, share).expect("an interval");
        assert!((low - 0.2716).abs() < 0.003, "{low}");
        assert!((high - 0.3284).abs() < 0.003, "{high}");
        assert_eq!(
            interval(1000, share),
            Some([low, high]),
            "it is no accident"
        );
    }

    #[test]
    fn nothing_is_said_of_one_question_or_of_no_values() {
        assert_eq!(interval(1, |_| Some(1.0)), None);
        assert_eq!(interval(10, |_| None), None);
        assert_eq!(interval(10, |_| Some(f64::NAN)), None);
        let unless_the_first_leads = |places: &[usize]| (places[0] > 0).then_some(3.0);
        assert_eq!(interval(10, unless_the_first_leads), Some([3.0, 3.0]));
    }
}
