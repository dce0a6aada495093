//! Two runs beside each other.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::RunsError;
use super::answers::Changes;
use super::losses::StageLosses;
use super::manifest::{ManifestFile, RunManifest};
use super::recipe::read;
use super::summary::{Run, RunSummary};
use crate::train::{Difference, Score, TrainError, differences};

/// Places at which the losses of a stage are compared.
const PLACES: usize = 5;

/// How two runs differ.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The first run.
    pub a: RunSummary,
    /// The second.
    pub b: RunSummary,
    /// The keys on which their recipes do not agree; `None` if a recipe cannot be read.
    pub recipe: Option<Vec<Difference>>,
    /// Files of data and of initial weights whose bytes differ, or that one run alone has.
    pub files: Vec<FileDifference>,
    /// Smoothed losses of both, at the same steps of the same stages.
    pub losses: Vec<LossPair>,
    /// Scores of both.
    pub scores: Vec<ScorePair>,
    #[serde(skip)]
    pub(super) runs: [Run; 2],
}

/// A file that both runs were made of, or one alone, with the bytes of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileDifference {
    /// What it is: `data`, or the component whose weights it holds.
    pub what: String,
    /// Its path.
    pub path: String,
    /// SHA-256 in the first run; `None` if it has no such file.
    pub a: Option<String>,
    /// SHA-256 in the second.
    pub b: Option<String>,
}

/// The smoothed losses of both runs after the same step of the same stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LossPair {
    /// The stage.
    pub stage: String,
    /// Steps of it that are done; `None` for the last step of each, where they differ.
    pub step: Option<usize>,
    /// The first run's.
    pub a: f64,
    /// The second's.
    pub b: f64,
}

/// Scores of both runs after the same step of the same stage, or of one of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScorePair {
    /// The stage.
    pub stage: String,
    /// Steps of it that are done; `None` for the end of the stage, where its lengths differ.
    pub step: Option<usize>,
    /// The first run's.
    pub a: Option<Score>,
    /// The second's.
    pub b: Option<Score>,
    /// Whether it is the end of the stage.
    pub is_end: bool,
    /// What became of each question, if the answers of both are there.
    pub answers: Option<Changes>,
}

impl Comparison {
    /// Reads both run folders.
    ///
    /// # Errors
    /// One of them is no run, or a file in it cannot be read.
    pub fn read(a: &Path, b: &Path) -> Result<Self, RunsError> {
        let runs = [Run::read(a)?, Run::read(b)?];
        let [one, two] = &runs;
        let (smooth_a, smooth_b) = together(one, two);
        let recipe = read(a).zip(read(b)).map(|(a, b)| differences(&a, &b));
        Ok(Self {
            recipe,
            files: files(one.manifest.as_ref(), two.manifest.as_ref()),
            losses: losses(&smooth_a, &smooth_b),
            scores: scores(one, two)?,
            a: one.summary.clone(),
            b: two.summary.clone(),
            runs,
        })
    }
}

impl Comparison {
    /// The smoothed loss of every stage of both, over the same window, or their curves would lag
    /// differently.
    pub fn stage_losses(&self) -> (Vec<StageLosses>, Vec<StageLosses>) {
        let [a, b] = &self.runs;
        together(a, b)
    }
}

fn together(a: &Run, b: &Run) -> (Vec<StageLosses>, Vec<StageLosses>) {
    let steps = |run: &Run, stage: &str| {
        let mut stages = run.timeline.stages();
        stages
            .find(|(name, ..)| *name == stage)
            .map_or(0, |(.., steps)| steps)
    };
    let window = |stage: &str| steps(a, stage).max(steps(b, stage));
    (StageLosses::of(a, window), StageLosses::of(b, window))
}

impl ScorePair {
    /// When the scores were taken, in words.
    pub(crate) fn place(&self) -> String {
        match self.step {
            Some(step) if !self.is_end => format!("{}, step {step}", self.stage),
            _ => format!("after {}", self.stage),
        }
    }
}

/// Files that are not the same in both: bytes that both have count as the same under any path.
fn files(a: Option<&RunManifest>, b: Option<&RunManifest>) -> Vec<FileDifference> {
    let (a, b) = (named(a), named(b));
    let mut found: BTreeMap<(&str, &str), [Option<&str>; 2]> = BTreeMap::new();
    for (side, own, other) in [(0, &a, &b), (1, &b, &a)] {
        for (what, file) in own {
            let same =
                |(its, theirs): &(&str, &ManifestFile)| its == what && theirs.sha256 == file.sha256;
            if !other.iter().any(same) {
                found.entry((what, &file.path)).or_default()[side] = Some(&file.sha256);
            }
        }
    }
    let found = found.into_iter();
    found
        .map(|((what, path), hashes)| {
            let [a, b] = hashes.map(|hash| hash.map(str::to_owned));
            FileDifference {
                what: what.to_owned(),
                path: path.to_owned(),
                a,
                b,
            }
        })
        .collect()
}

fn named(manifest: Option<&RunManifest>) -> Vec<(&str, &ManifestFile)> {
    let Some(manifest) = manifest else {
        return Vec::new();
    };
    let data = manifest.data.iter().map(|file| ("data", file));
    let weights = manifest.initial_weights.iter().flat_map(|weights| {
        let files = weights.files.iter();
        files.map(|file| (weights.component.as_str(), file))
    });
    data.chain(weights).collect()
}

/// Losses at a few places of what both have done of a stage, and at the last step of each.
fn losses(a: &[StageLosses], b: &[StageLosses]) -> Vec<LossPair> {
    let mut pairs = Vec::new();
    for a in a {
        let Some(b) = b.iter().find(|b| b.stage == a.stage) else {
            continue;
        };
        let stage = &a.stage;
        let mut add = |step, a, b| {
            let stage = stage.clone();
            pairs.push(LossPair { stage, step, a, b });
        };
        let (a, b) = (&a.smooth, &b.smooth);
        let common = a.len().min(b.len());
        let mut steps: Vec<usize> = (1..=PLACES).map(|place| common * place / PLACES).collect();
        steps.dedup();
        for step in steps.into_iter().filter(|step| *step > 0) {
            add(Some(step), a[step - 1], b[step - 1]);
        }
        if let (Some(end_a), Some(end_b), true) = (a.last(), b.last(), a.len() != b.len()) {
            add(None, *end_a, *end_b);
        }
    }
    pairs
}

/// Scores with the same stage and step; those at a stage's end belong together in any case.
fn scores(a: &Run, b: &Run) -> Result<Vec<ScorePair>, TrainError> {
    let mut pairs = Vec::new();
    let mut taken = vec![false; b.history.scores.len()];
    for score in &a.history.scores {
        let found = b.history.scores.iter().position(|other| {
            let ends = a.timeline.is_end(&score.stage, score.step)
                && b.timeline.is_end(&other.stage, other.step);
            other.stage == score.stage && (other.step == score.step || ends)
        });
        let other = found.map(|place| {
            taken[place] = true;
            &b.history.scores[place]
        });
        pairs.push(pair(a, b, Some(score), other)?);
    }
    for (other, taken) in b.history.scores.iter().zip(taken) {
        if !taken {
            pairs.push(pair(a, b, None, Some(other))?);
        }
    }
    // Those that the second run alone has stand where they were taken.
    let place = |pair: &ScorePair| {
        let score = pair.a.as_ref().or(pair.b.as_ref())?;
        let timeline = if pair.a.is_some() {
            &a.timeline
        } else {
            &b.timeline
        };
        timeline.at(&score.stage, score.step)
    };
    pairs.sort_by_key(place);
    Ok(pairs)
}

fn pair(
    a: &Run,
    b: &Run,
    one: Option<&Score>,
    two: Option<&Score>,
) -> Result<ScorePair, TrainError> {
    let answers = match (one, two) {
        (Some(one), Some(two)) => {
            let ours = a.history.answers(&a.summary.path, one)?;
            let theirs = b.history.answers(&b.summary.path, two)?;
            ours.zip(theirs)
                .and_then(|(ours, theirs)| Changes::between(&ours, &theirs))
        }
        _ => None,
    };
    let either = one.or(two);
    let same = one.zip(two).is_none_or(|(one, two)| one.step == two.step);
    let is_end = |run: &Run, score: Option<&Score>| {
        score.is_some_and(|score| run.timeline.is_end(&score.stage, score.step))
    };
    Ok(ScorePair {
        is_end: is_end(a, one) || is_end(b, two),
        stage: either.map(|score| score.stage.clone()).unwrap_or_default(),
        step: either.filter(|_| same).map(|score| score.step),
        a: one.cloned(),
        b: two.cloned(),
        answers,
    })
}
