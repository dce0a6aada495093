//! What came of a sweep: its points, and those that differ in their seed alone as one setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use menagerie_core::recipe::Sweep;
use menagerie_core::{Recipe, RecipeError};
use serde::Serialize;

use super::error::SweepError;
use super::folder::SweepFolder;
use super::jobs::Job;
use super::statistics::{Compared, Pair, Spread, Verdict, compare};
use crate::eval::Answered;
use crate::runs::{self, RunState, RunSummary};
use crate::train::{Difference, History, Score, differences};

/// The axis that makes no setting of its own.
const SEED: &str = "seed";

/// How a point ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "reason")]
#[non_exhaustive]
pub enum Outcome {
    /// All stages are trained.
    Finished,
    /// It failed, for this reason.
    Failed(String),
    /// It has not come to its end.
    Unfinished,
}

/// What came of a point.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PointResult {
    /// Its name.
    pub name: String,
    /// The alternative of each axis of the sweep; none where the base is as it is.
    pub choices: Vec<Option<String>>,
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its run.
    pub run: PathBuf,
    /// The run in numbers, if it has begun.
    pub summary: Option<RunSummary>,
    /// The score at the end of the last stage that took one.
    pub score: Option<Score>,
    /// The loss over the steps of all stages, smoothed.
    #[serde(skip)]
    pub loss: Vec<f64>,
    #[serde(skip)]
    pub(super) answers: Option<Vec<Answered>>,
}

/// Points that differ in their seed alone.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name: the points' without their seeds.
    pub name: String,
    /// The numbers of its points.
    pub points: Vec<usize>,
    /// How its recipe differs from the base's.
    pub differences: Vec<Difference>,
    /// Scores of the finished runs, 0-1.
    pub score: Option<Spread>,
    /// The same with grey images.
    pub blind: Option<Spread>,
    /// The difference to the base; none of the base itself, or without scores.
    pub compared: Option<Compared>,
    /// Wall-clock seconds of the steps of a run, shared stages included.
    pub seconds: Option<Spread>,
    /// Samples that a run has seen.
    pub samples: Option<usize>,
    /// Tokens that a run has seen.
    pub tokens: Option<usize>,
    /// Numbers of the model, and those that are trained.
    pub parameters: Option<(usize, usize)>,
}

/// What came of a sweep.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Results {
    /// The sweep's name.
    pub name: String,
    /// Names of the axes.
    pub axes: Vec<String>,
    /// Every point.
    pub points: Vec<PointResult>,
    /// The points by settings, in the sweep's order.
    pub settings: Vec<Setting>,
    /// The number of the setting that the others are compared with.
    pub base: usize,
    /// Whether that is the base recipe itself; or else it is the first setting.
    pub base_is_recipe: bool,
    /// Wall-clock seconds of the steps of all runs, shared stages counted once.
    pub trained_seconds: f64,
    /// What they would have been without sharing.
    pub alone_seconds: f64,
}

impl Results {
    /// Reads what is there of the sweep in `folder`.
    ///
    /// # Errors
    /// A run that cannot be read.
    pub fn read(sweep: &Sweep, jobs: &[Job], folder: &SweepFolder) -> Result<Self, SweepError> {
        let of_points = jobs.iter().filter(|job| !job.is_shared);
        let points = sweep.points.iter().zip(of_points);
        let points = points
            .map(|(point, job)| {
                let failure = failure(folder, jobs, job);
                let (choices, seed) = (point.choices.clone(), point.recipe.seed);
                PointResult::read(folder.run(job), job, (choices, seed), failure)
            })
            .collect::<Result<Vec<_>, SweepError>>()?;
        let axes: Vec<String> = sweep.axes.iter().map(|axis| axis.name.clone()).collect();
        let grouped = grouped(&axes, &points);
        let tables = grouped
            .iter()
            .map(|members| comparable(&sweep.points[members[0]].recipe))
            .collect::<Result<Vec<_>, RecipeError>>()?;
        // A base may lack what every alternative states.
        let own = comparable(&sweep.base).ok();
        let found = tables.iter().position(|table| Some(table) == own.as_ref());
        let base = found.unwrap_or(0);
        let settings = grouped.iter().zip(&tables).map(|(members, table)| {
            let compared = (*members != grouped[base])
                .then(|| compare_settings(&points, members, &grouped[base]));
            let mut setting = Setting::of(&points, members);
            setting.name = name(sweep, &points[members[0]]);
            Setting {
                differences: differences(&tables[base], table),
                compared: compared.flatten(),
                ..setting
            }
        });
        let settings: Vec<Setting> = settings.collect();
        let (trained_seconds, alone_seconds) = seconds(jobs, folder, &points);
        Ok(Self {
            name: sweep.name.clone(),
            axes,
            settings,
            base,
            base_is_recipe: found.is_some(),
            trained_seconds,
            alone_seconds,
            points,
        })
    }

    /// Points that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&PointResult, &str)> {
        let points = self.points.iter();
        points.filter_map(|point| match &point.outcome {
            Outcome::Failed(reason) => Some((point, reason.as_str())),
            _ => None,
        })
    }

    /// How many points are finished.
    pub fn finished(&self) -> usize {
        let points = self.points.iter();
        points
            .filter(|point| point.outcome == Outcome::Finished)
            .count()
    }
}

/// Why a job failed, or the job that it goes on from.
fn failure(folder: &SweepFolder, jobs: &[Job], job: &Job) -> Option<String> {
    let own = folder.failure(job).map(str::to_owned);
    own.or_else(|| {
        let before = &jobs[job.after?];
        let reason = failure(folder, jobs, before)?;
        Some(format!(
            "its shared stages `{}` failed: {reason}",
            before.name
        ))
    })
}

impl PointResult {
    fn read(
        run: PathBuf,
        job: &Job,
        (choices, seed): (Vec<Option<String>>, u64),
        failure: Option<String>,
    ) -> Result<Self, SweepError> {
        let mut point = Self {
            name: job.name.clone(),
            choices,
            seed,
            outcome: failure.map_or(Outcome::Unfinished, Outcome::Failed),
            summary: None,
            score: None,
            loss: Vec::new(),
            answers: None,
            run,
        };
        if !point.run.is_dir() || !runs::is_run(&point.run) {
            return Ok(point);
        }
        let (summary, losses) = runs::with_losses(&point.run)?;
        point.loss = losses.into_iter().flat_map(|stage| stage.smooth).collect();
        if summary.state == RunState::Finished {
            point.outcome = Outcome::Finished;
            let history = History::read(&point.run)?;
            point.score = history.scores.last().cloned();
            if let Some(score) = &point.score {
                point.answers = history.answers(&point.run, score)?;
            }
        }
        point.summary = Some(summary);
        Ok(point)
    }

    fn is_finished(&self) -> bool {
        self.outcome == Outcome::Finished
    }
}

impl Setting {
    /// All that its own points say.
    fn of(points: &[PointResult], members: &[usize]) -> Self {
        let finished = members.iter().map(|&point| &points[point]);
        let finished: Vec<&PointResult> = finished.filter(|point| point.is_finished()).collect();
        let scores = finished.iter().filter_map(|point| point.score.as_ref());
        let shares: Vec<f64> = scores.clone().map(|score| score.score).collect();
        let blind: Vec<f64> = scores.filter_map(|score| score.blind).collect();
        let summaries: Vec<&RunSummary> = finished
            .iter()
            .filter_map(|point| point.summary.as_ref())
            .collect();
        let seconds: Vec<f64> = summaries.iter().map(|run| run.seconds).collect();
        let first = summaries.first();
        Self {
            name: String::new(),
            points: members.to_vec(),
            differences: Vec::new(),
            score: Spread::of(&shares),
            blind: Spread::of(&blind),
            compared: None,
            seconds: Spread::of(&seconds),
            samples: first.map(|run| run.stages.iter().map(|stage| stage.samples).sum()),
            tokens: first.map(|run| run.tokens),
            parameters: first.and_then(|run| Some((run.parameters?, run.trained_parameters?))),
        }
    }
}

/// What a setting is called: what it chooses, but for the seed.
fn name(sweep: &Sweep, point: &PointResult) -> String {
    let chosen = sweep.axes.iter().zip(&point.choices);
    let chosen = chosen.filter_map(|(axis, choice)| Some((axis, choice.as_ref()?)));
    let parts: Vec<String> = chosen
        .filter(|(axis, _)| axis.name != SEED)
        .map(|(axis, choice)| match &axis.short {
            Some(key) => format!("{key} {choice}"),
            None => choice.clone(),
        })
        .collect();
    if parts.is_empty() {
        "base".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Points by what they choose but for the seed, in their order.
fn grouped(axes: &[String], points: &[PointResult]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Vec<Option<&String>>, Vec<usize>)> = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let chosen = axes.iter().zip(&point.choices);
        let key: Vec<Option<&String>> = chosen
            .filter(|(axis, _)| *axis != SEED)
            .map(|(_, choice)| choice.as_ref())
            .collect();
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(number),
            None => groups.push((key, vec![number])),
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

/// A recipe, resolved, without what makes no setting.
fn comparable(recipe: &Recipe) -> Result<toml::Table, RecipeError> {
    let text = recipe.to_toml()?;
    let mut table: toml::Table = text.parse().expect("a resolved recipe is TOML");
    for key in ["name", "description", SEED] {
        table.remove(key);
    }
    Ok(table)
}

/// Runs of the same seed beside each other.
fn compare_settings(points: &[PointResult], own: &[usize], base: &[usize]) -> Option<Compared> {
    let by_seed: BTreeMap<u64, &PointResult> = base
        .iter()
        .map(|&point| (points[point].seed, &points[point]))
        .collect();
    let scored = |point: &PointResult| point.answers.as_ref().map(|answers| !answers.is_empty());
    let both = own.iter().filter_map(|&point| {
        let own = &points[point];
        let base = *by_seed.get(&own.seed)?;
        (scored(own)? && scored(base)?).then_some((own, base))
    });
    let both: Vec<(&PointResult, &PointResult)> = both.collect();
    let pairs: Option<Vec<Pair>> = both.iter().map(|(own, base)| pair(own, base)).collect();
    let same_everywhere = |pairs: &Vec<Pair>| {
        let lengths = pairs.iter().map(|(own, _)| own.len());
        lengths
            .clone()
            .all(|length| Some(length) == lengths.clone().next())
    };
    if let Some(pairs) = pairs.filter(same_everywhere) {
        return compare(&pairs);
    }
    let share = |point: &PointResult| point.score.as_ref().map_or(0.0, |score| score.score);
    let differences: Vec<f64> = both.iter().map(|(a, b)| share(a) - share(b)).collect();
    Some(Compared {
        difference: Spread::of(&differences)?.mean,
        interval: None,
        verdict: Verdict::Withheld("the questions are not the base's".to_owned()),
    })
}

/// Which questions both have right; `None` if they were not asked the same.
fn pair(own: &PointResult, base: &PointResult) -> Option<Pair> {
    fn key(answered: &Answered) -> [&str; 3] {
        [&answered.id, &answered.question, &answered.truth]
    }
    let (own, base) = (own.answers.as_ref()?, base.answers.as_ref()?);
    let same = own.len() == base.len() && own.iter().zip(base).all(|(a, b)| key(a) == key(b));
    let right = |answers: &[Answered]| answers.iter().map(|answered| answered.correct).collect();
    same.then(|| (right(own), right(base)))
}

/// Seconds of all steps, and what they would be if no stage were shared.
fn seconds(jobs: &[Job], folder: &SweepFolder, points: &[PointResult]) -> (f64, f64) {
    let of = |job: &Job| {
        let summary = RunSummary::read(&folder.run(job)).ok();
        summary.map_or(0.0, |summary| summary.seconds)
    };
    // A run that went on from another one counts its steps too.
    let taken = |job: &Job| job.after.map_or(0.0, |after| of(&jobs[after]));
    let spent = jobs.iter().map(|job| (of(job) - taken(job)).max(0.0)).sum();
    let alone = points.iter().filter_map(|point| point.summary.as_ref());
    (spent, alone.map(|run| run.seconds).sum())
}
