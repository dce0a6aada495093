//! How sure a difference between two scores is.
//!
//! Two things make a measured difference uncertain: another seed would have trained other models, and
//! other questions would have been answered otherwise. Runs of the same seed are compared on the same
//! questions, so what both find easy or hard cancels out.

use serde::Serialize;

/// The quantile 0.975 of Student's t distribution for 1 to 30 degrees of freedom.
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
/// The same of the normal distribution.
const Z_975: f64 = 1.960;

/// How this is done, in words for a reader of a report.
pub(super) const METHOD: &str = "A score is the share of exact answers at the end of the last stage; \
    its spread is the standard deviation over seeds. A difference is taken between runs of the same seed \
    over the same questions, and averaged over seeds; beside it stands its interval of 95 %. With three \
    seeds or more the interval is Student's, with one degree of freedom less than there are seeds; its \
    variance is the sum of two: that of the differences between seeds, divided by their number, and that \
    of the differences between questions (averaged over seeds), divided by theirs. With two seeds no \
    interval over seeds says anything, so a difference is marked only if each seed's own interval over \
    its questions (Agresti and Min's for matched pairs, 95 %) leaves out 0 on the same side. With one seed \
    none is marked: nobody knows what another seed would have given.";

/// Mean and spread of a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, from two numbers on.
    pub deviation: Option<f64>,
}

impl Spread {
    /// Of `values`; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (count > 0).then(|| Self {
            count,
            mean,
            deviation: (count > 1).then(|| (squares / (count - 1) as f64).sqrt()),
        })
    }
}

/// What a difference says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
#[non_exhaustive]
pub enum Verdict {
    /// It is better than the base.
    Better,
    /// It is worse.
    Worse,
    /// It may be chance.
    Unclear,
    /// Nothing can be said, for this reason.
    Withheld(String),
}

/// A setting beside the base.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Compared {
    /// The mean over seeds of the difference of scores, 0-1.
    pub difference: f64,
    /// The interval of 95 %: over seeds and questions from three seeds on, else over the questions of
    /// each seed, the widest of both ends. None if they are not the same questions.
    pub interval: Option<(f64, f64)>,
    /// What it says.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Which questions two runs of one seed have right, in the same order: of a setting, and of the base.
pub type Pair = (Vec<bool>, Vec<bool>);

/// Compares a setting with the base, a pair for each seed, all over the same questions. `None` without
/// a pair or a question.
#[must_use]
pub fn compare(seeds: &[Pair]) -> Option<Compared> {
    let questions = seeds.first().map_or(0, |(own, _)| own.len());
    if questions == 0 {
        return None;
    }
    let differences: Vec<f64> = seeds.iter().map(mean_difference).collect();
    let spread = Spread::of(&differences)?;
    let over_questions: Vec<(f64, f64)> = seeds.iter().map(matched_interval).collect();
    let low = over_questions
        .iter()
        .map(|(low, _)| *low)
        .fold(f64::MAX, f64::min);
    let high = over_questions
        .iter()
        .map(|(_, high)| *high)
        .fold(f64::MIN, f64::max);
    let (interval, verdict) = match (seeds.len(), spread.deviation) {
        (count @ 3.., Some(deviation)) => {
            let seeds_part = deviation.powi(2) / count as f64;
            let error = (seeds_part + question_variance(seeds) / questions as f64).sqrt();
            let half = T_975.get(count - 2).copied().unwrap_or(Z_975) * error;
            let interval = (spread.mean - half, spread.mean + half);
            (interval, sign(interval))
        }
        (2, _) => {
            let verdicts: Vec<Verdict> = over_questions.iter().map(|one| sign(*one)).collect();
            let agree = verdicts[0] == verdicts[1];
            let verdict = if agree {
                verdicts[0].clone()
            } else {
                Verdict::Unclear
            };
            ((low, high), verdict)
        }
        _ => {
            let why = "one seed: another one may have given another difference".to_owned();
            ((low, high), Verdict::Withheld(why))
        }
    };
    Some(Compared {
        difference: spread.mean,
        interval: Some(interval),
        verdict,
    })
}

/// What an interval says that leaves out 0, or not.
fn sign((low, high): (f64, f64)) -> Verdict {
    if low > 0.0 {
        Verdict::Better
    } else if high < 0.0 {
        Verdict::Worse
    } else {
        Verdict::Unclear
    }
}

/// How often the first alone is right, and how often the second alone.
fn discordant((own, base): &Pair) -> (f64, f64) {
    let count = |ours: bool| {
        let pairs = own.iter().zip(base);
        pairs
            .filter(|(own, base)| own != base && **own == ours)
            .count() as f64
    };
    (count(true), count(false))
}

fn mean_difference(pair: &Pair) -> f64 {
    let (won, lost) = discordant(pair);
    (won - lost) / pair.0.len() as f64
}

/// The interval of 95 % for the difference of two matched proportions, a half added to each of the four
/// counts (Agresti and Min 2005): it holds for few questions too.
fn matched_interval(pair: &Pair) -> (f64, f64) {
    let (won, lost) = discordant(pair);
    let all = pair.0.len() as f64 + 2.0;
    let (won, lost) = (won + 0.5, lost + 0.5);
    let difference = (won - lost) / all;
    let variance = (won + lost - (won - lost).powi(2) / all) / all.powi(2);
    let half = Z_975 * variance.sqrt();
    (difference - half, difference + half)
}

/// The variance over questions of the difference, averaged over seeds.
fn question_variance(seeds: &[Pair]) -> f64 {
    let questions = seeds[0].0.len();
    let of_question = |question: usize| {
        let differences = seeds.iter().map(|(own, base)| {
            f64::from(u8::from(own[question])) - f64::from(u8::from(base[question]))
        });
        differences.sum::<f64>() / seeds.len() as f64
    };
    let values: Vec<f64> = (0..questions).map(of_question).collect();
    let spread = Spread::of(&values).and_then(|spread| spread.deviation);
    spread.unwrap_or(0.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `right` of `count` questions, the first ones.
    fn first(right: usize, count: usize) -> Vec<bool> {
        (0..count).map(|question| question < right).collect()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-4
    }

    #[test]
    fn spread_is_the_sample_deviation() {
        let spread = Spread::of(&[1.0, 2.0, 4.0]).unwrap();
        assert_eq!(spread.count, 3);
        assert!(close(spread.mean, 2.3333) && close(spread.deviation.unwrap(), 1.5275));
        assert_eq!(Spread::of(&[5.0]).unwrap().deviation, None);
        assert_eq!(Spread::of(&[]), None);
    }

    /// By hand: 12 won and 3 lost of 100, so (12.5 - 3.5) / 102 ± 1.96 √(16 - 81/102) / 102.
    #[test]
    fn matched_pairs() {
        let own = first(12, 100);
        let base: Vec<bool> = (0..100).map(|question| question >= 97).collect();
        let (low, high) = matched_interval(&(own.clone(), base.clone()));
        assert!(close(low, 0.01333) && close(high, 0.16315), "{low} {high}");
        let one = compare(&[(own, base)]).unwrap();
        assert!(close(one.difference, 0.09));
        assert!(matches!(one.verdict, Verdict::Withheld(_)));
    }

    #[test]
    fn two_seeds_must_agree() {
        let better = (first(60, 100), first(40, 100));
        let worse = (first(40, 100), first(60, 100));
        let same = (first(50, 100), first(50, 100));
        let verdict = |a: &Pair, b: &Pair| compare(&[a.clone(), b.clone()]).unwrap().verdict;
        assert_eq!(verdict(&better, &better), Verdict::Better);
        assert_eq!(verdict(&worse, &worse), Verdict::Worse);
        assert_eq!(verdict(&better, &worse), Verdict::Unclear);
        assert_eq!(verdict(&better, &same), Verdict::Unclear);
        assert_eq!(verdict(&same, &same), Verdict::Unclear);
    }

    /// By hand: differences 0.2, 0.3 and 0.1 of seeds; of the questions 10 differ in all three, 10 in two
    /// and 10 in one, so their variance is 0.11673; t = 4.303.
    #[test]
    fn three_seeds_and_their_questions() {
        let base = first(40, 100);
        let seeds = [60, 70, 50].map(|right| (first(right, 100), base.clone()));
        let found = compare(&seeds).unwrap();
        assert!(close(found.difference, 0.2));
        let error = (0.01 / 3.0 + 0.11673 / 100.0_f64).sqrt();
        let (low, high) = found.interval.unwrap();
        assert!(close(low, 0.2 - 4.303 * error) && close(high, 0.2 + 4.303 * error));
        assert_eq!(found.verdict, Verdict::Unclear);
        // Seeds that agree leave the questions alone as a doubt.
        let seeds = [60, 60, 60].map(|right| (first(right, 100), base.clone()));
        assert_eq!(compare(&seeds).unwrap().verdict, Verdict::Better);
        let few = [2, 2, 2].map(|right| (first(right, 3), first(1, 3)));
        assert_eq!(compare(&few).unwrap().verdict, Verdict::Unclear);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(compare(&[]), None);
        assert_eq!(compare(&[(Vec::new(), Vec::new())]), None);
    }
}
