//! How a run shows: a bar on a terminal, plain lines elsewhere. All of it on stderr.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::data::Skipped;
use crate::train::{Observer, Score, StagePlan, StepMetrics};

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Share of the last smoothed loss that a step keeps.
const KEEP: f64 = 0.95;

/// A bar with a message, or lines now and then.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    count: fn(usize) -> String,
    begun: Instant,
    last_line: Option<Instant>,
}

impl Progress {
    pub(super) fn new(what: &str, total: usize) -> Self {
        let template = "{prefix:>10} {bar:24} {pos}/{len} {msg} · {eta} left";
        Self::shown(what, total, template, |count| count.to_string())
    }

    /// Counts bytes.
    pub(super) fn bytes(what: &str, total: usize) -> Self {
        let template = "{prefix} {bar:16} {bytes}/{total_bytes} {msg}· {eta} left";
        let count = |count| HumanBytes(count as u64).to_string();
        Self::shown(what, total, template, count)
    }

    fn shown(what: &str, total: usize, template: &str, count: fn(usize) -> String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template);
            let bar = ProgressBar::new(total as u64);
            bar.set_style(style.expect("the template is well formed"));
            bar.set_prefix(what.to_owned());
            bar
        });
        Self {
            bar,
            what: what.to_owned(),
            count,
            begun: Instant::now(),
            last_line: None,
        }
    }

    /// `done` of `total`, with a few words on how it goes.
    pub(super) fn set(&mut self, done: usize, total: usize, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(message.to_owned());
            return;
        }
        let due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due || done == total {
            self.last_line = Some(Instant::now());
            let left = self
                .begun
                .elapsed()
                .div_f64(done.max(1) as f64)
                .mul_f64((total - done) as f64);
            let space = if message.is_empty() { "" } else { " " };
            anstream::eprintln!(
                "{} {}/{}{space}{message}, {} left",
                self.what,
                (self.count)(done),
                (self.count)(total),
                HumanDuration(left)
            );
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows a training run.
#[derive(Debug)]
pub(super) struct TrainProgress {
    current: Option<Progress>,
    steps: usize,
    loss: Option<f64>,
    rate: Option<f64>,
    stage_begun: Instant,
    scoring: bool,
    /// Samples left out, over all stages.
    skipped: usize,
}

impl TrainProgress {
    pub(super) fn new() -> Self {
        Self {
            current: None,
            steps: 0,
            loss: None,
            rate: None,
            stage_begun: Instant::now(),
            scoring: false,
            skipped: 0,
        }
    }

    /// Clears the bar away.
    pub(super) fn finish(&mut self) {
        if let Some(progress) = self.current.take() {
            progress.finish();
        }
    }
}

fn smooth(state: &mut Option<f64>, value: f64) -> f64 {
    let next = state.map_or(value, |last| KEEP * last + (1.0 - KEEP) * value);
    *state = Some(next);
    next
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
        self.steps = plan.steps;
        self.loss = None;
        self.rate = None;
        self.stage_begun = Instant::now();
        self.current = Some(Progress::new(&plan.name, plan.steps));
    }

    fn step(&mut self, metrics: &StepMetrics) {
        let loss = smooth(&mut self.loss, metrics.loss);
        let rate = smooth(&mut self.rate, metrics.samples_per_second);
        let done = metrics.step + 1;
        if let Some(progress) = &mut self.current {
            progress.set(
                done,
                self.steps,
                &format!("loss {loss:.4}, {rate:.0} samples/s"),
            );
        }
        if done == self.steps {
            self.finish();
            let took = HumanDuration(self.stage_begun.elapsed());
            anstream::eprintln!("{} done in {took}, loss {loss:.4}", metrics.stage);
        }
    }

    fn skipped(&mut self, _skipped: &Skipped) {
        self.skipped += 1;
    }

    fn scoring(&mut self, _stage: &str, done: usize, total: usize) {
        if !self.scoring {
            self.scoring = true;
            self.current = Some(Progress::new("scoring", total));
        }
        if let Some(progress) = &mut self.current {
            progress.set(done, total, "");
        }
    }

    fn scored(&mut self, score: &Score) {
        self.finish();
        self.scoring = false;
        anstream::eprintln!("score after {}: {}", score.stage, describe(score));
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
