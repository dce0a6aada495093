//! How a training run shows while it goes.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration};

use super::progress::Progress;
use crate::data::Skipped;
use crate::html::{bytes, short};
use crate::train::{Observer, Score, Smooth, StagePlan, StepMetrics, StepTiming};

/// A share of a step's time that is worth a word.
const WAITS: f64 = 0.1;

/// Shows a training run.
#[derive(Debug)]
pub(super) struct TrainProgress {
    stage: Option<Stage>,
    scoring: Option<Progress>,
    best: Option<f64>,
    /// Samples left out, over all stages.
    skipped: usize,
}

/// The stage that is trained.
#[derive(Debug)]
struct Stage {
    /// Absent while questions are answered in between.
    progress: Option<Progress>,
    /// Its name and number, as a line begins.
    title: String,
    steps: usize,
    loss: Smooth,
    tokens: Smooth,
    seconds: Smooth,
    waited: Smooth,
    begun: Instant,
}

impl TrainProgress {
    pub(super) fn new() -> Self {
        Self {
            stage: None,
            scoring: None,
            best: None,
            skipped: 0,
        }
    }

    /// Clears the bars away.
    pub(super) fn finish(&mut self) {
        let stage = self.stage.take().and_then(|stage| stage.progress);
        for progress in stage.into_iter().chain(self.scoring.take()) {
            progress.finish();
        }
    }

    /// Whether no score before was as high.
    fn is_best(&mut self, score: f64) -> bool {
        let best = self.best.is_none_or(|best| score > best);
        if best {
            self.best = Some(score);
        }
        best
    }
}

impl Stage {
    fn new(plan: &StagePlan) -> Self {
        let (number, stages) = plan.number;
        let title = if stages > 1 {
            format!("{} ({number}/{stages})", plan.name)
        } else {
            plan.name.clone()
        };
        // Over some ten steps: what a step takes now is what the next ones will.
        let recent = || Smooth::over(0);
        Self {
            progress: None,
            title,
            steps: plan.steps,
            loss: Smooth::over(plan.steps),
            tokens: recent(),
            seconds: recent(),
            waited: recent(),
            begun: Instant::now(),
        }
    }

    /// Takes a step; how it goes, in a line.
    fn step(&mut self, metrics: &StepMetrics, timing: &StepTiming) -> String {
        let smooth = self.loss.push(metrics.loss);
        let tokens = self.tokens.push(metrics.tokens as f64);
        let seconds = self.seconds.push(timing.seconds);
        let waited = self.waited.push(timing.wait_seconds);
        let mut said = format!(
            "loss {:.4} (smoothed {smooth:.4}), {} tokens/s",
            metrics.loss,
            short(tokens / seconds)
        );
        if let Some(resident) = timing.resident_bytes {
            said.push_str(&format!(", {}", bytes(resident)));
        }
        if waited > WAITS * seconds {
            let share = 100.0 * waited / seconds;
            said.push_str(&format!(", waiting for data {share:.0} %"));
        }
        let steps = self.steps.saturating_sub(metrics.step + 1);
        let left = Duration::try_from_secs_f64(seconds * steps as f64).unwrap_or(Duration::MAX);
        said.push_str(&format!(", {} left", HumanDuration(left)));
        said
    }
}

impl Observer for TrainProgress {
    fn stage(&mut self, plan: &StagePlan) {
        let (number, stages) = plan.number;
        let (trainable, all) = plan.trainable;
        anstream::eprintln!(
            "stage {number} of {stages}, {}: training {} ({} of {} parameters), {} samples, {} steps",
            plan.name,
            plan.learns.join(", "),
            HumanCount(trainable as u64),
            HumanCount(all as u64),
            HumanCount(plan.samples as u64),
            HumanCount(plan.steps as u64),
        );
        self.stage = Some(Stage::new(plan));
    }

    fn step(&mut self, metrics: &StepMetrics, timing: &StepTiming) {
        let Some(stage) = &mut self.stage else {
            return;
        };
        let said = stage.step(metrics, timing);
        let done = metrics.step + 1;
        let (title, steps) = (&stage.title, stage.steps);
        let progress = stage
            .progress
            .get_or_insert_with(|| Progress::timed(title, steps));
        progress.set(done, steps, &said);
        if done == steps {
            let took = HumanDuration(stage.begun.elapsed());
            let loss = stage.loss.last();
            self.finish();
            anstream::eprintln!("{} done in {took}, smoothed loss {loss:.4}", metrics.stage);
        }
    }

    fn skipped(&mut self, _skipped: &Skipped) {
        self.skipped += 1;
    }

    fn scoring(&mut self, _stage: &str, done: usize, total: usize) {
        if let Some(training) = self.stage.as_mut().and_then(|stage| stage.progress.take()) {
            training.finish();
        }
        let scoring = self
            .scoring
            .get_or_insert_with(|| Progress::new("scoring", total));
        scoring.set(done, total, "");
    }

    fn scored(&mut self, score: &Score) {
        if let Some(progress) = self.scoring.take() {
            progress.finish();
        }
        let best = self.is_best(score.score);
        let (stage, step) = (&score.stage, score.step);
        // A stage that is at its end is there no more.
        match &self.stage {
            None => anstream::eprintln!("score after {stage}: {}", describe(score)),
            Some(_) => anstream::eprintln!(
                "score at step {step} of {stage}: {}{}",
                describe(score),
                if best { ", the best so far" } else { "" }
            ),
        }
    }

    fn note(&mut self, text: &str) {
        anstream::eprintln!("note: {text}");
    }

    fn done(&mut self, run: &Path) {
        if self.skipped > 0 {
            anstream::eprintln!(
                "skipped: {} samples that cannot be learned from, listed in {}",
                HumanCount(self.skipped as u64),
                run.join("skipped.jsonl").display()
            );
        }
        let report = run.join("report.html");
        anstream::eprintln!("report: {}", report.display());
        anstream::eprintln!(
            "ask it: menagerie ask {} --image FILE \"question\"",
            run.display()
        );
    }
}

fn describe(score: &Score) -> String {
    let blind = score.blind.map_or(String::new(), |blind| {
        format!(", blind {:.1} %", 100.0 * blind)
    });
    let count = HumanCount(score.questions as u64);
    format!(
        "{:.1} % of {count} held-out questions{blind}",
        100.0 * score.score
    )
}
