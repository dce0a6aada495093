//! A curve in a line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` as `width` characters, or fewer if there are fewer; `lowest` and `highest` are the
/// bottom and the top.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn spark(values: &[f64], width: usize, (lowest, highest): (f64, f64)) -> String {
    let width = width.min(values.len());
    let mean = |place: usize| {
        let part = &values[place * values.len() / width..(place + 1) * values.len() / width];
        part.iter().sum::<f64>() / part.len() as f64
    };
    let character = |value: f64| {
        let share = (value - lowest) / (highest - lowest).max(f64::MIN_POSITIVE);
        // What is not a number is at the bottom.
        LEVELS[(share.clamp(0.0, 1.0) * 7.0).round() as usize]
    };
    (0..width).map(|place| character(mean(place))).collect()
}

/// The lowest and the highest of all values; of several curves, so that they can be compared.
pub(super) fn range<'v>(values: impl IntoIterator<Item = &'v f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(*value), high.max(*value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_curve_falls_and_few_values_are_few_characters() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(spark(&values, 8, range(&values)), "█▇▆▅▄▃▂▁");
        assert_eq!(spark(&[1.0, 3.0], 8, (1.0, 3.0)), "▁█");
        assert_eq!(spark(&[], 8, range(&[])), "");
        assert_eq!(spark(&[2.0, 2.0], 8, (2.0, 2.0)), "▁▁");
        assert_eq!(spark(&[f64::NAN, 1.0], 8, (0.0, 1.0)), "▁█");
    }
}
