//! The accuracy of an answer by ten people's answers.

use std::collections::HashSet;

/// The mean, over all ways to leave one person out, of a third for each of the others who gave the
/// answer `said`, but at most 1. With one person alone, whether they gave it.
pub(in crate::bench) fn soft_accuracy<T: AsRef<str>>(answers: &[T], said: &str) -> f64 {
    let same: Vec<bool> = answers
        .iter()
        .map(|answer| answer.as_ref() == said)
        .collect();
    let matches = same.iter().filter(|same| **same).count();
    if answers.len() < 2 {
        return matches as f64;
    }
    let left_out = same.iter().map(|same| matches - usize::from(*same));
    let sum: f64 = left_out.map(|others| (others as f64 / 3.0).min(1.0)).sum();
    sum / answers.len() as f64
}

/// Whether people disagree.
pub(in crate::bench) fn spread(answers: &[String]) -> bool {
    answers.iter().collect::<HashSet<_>>().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_by_the_number_of_people_who_agree() {
        let mut answers = vec!["other"; 10];
        // Of ten, with m who agree: m leave-one-outs see m - 1 others, and 10 - m see m.
        for (count, expected) in [0.0, 0.3, 0.6, 0.9, 1.0, 1.0].into_iter().enumerate() {
            if count > 0 {
                answers[count - 1] = "red";
            }
            let score = soft_accuracy(&answers, "red");
            assert!((score - expected).abs() < 1e-12, "{count}: {score}");
        }
        assert_eq!(soft_accuracy(&["red"], "red"), 1.0);
        assert_eq!(soft_accuracy(&["red"], "blue"), 0.0);
        assert_eq!(soft_accuracy(&[] as &[&str], "red"), 0.0);
    }
}
