//! One run, in a line and on a page of text.

use super::spark::{range, spark};
use super::table::{Side, Table};
use crate::date::date;
use crate::html::{bytes, duration, percent, short};
use crate::runs::{RunState, RunSummary, StageLosses};
use crate::train::StageTotals;

/// Characters of a curve.
const WIDTH: usize = 48;
/// What stands for nothing.
const NONE: &str = "–";

/// The columns of the table of runs.
pub(super) const COLUMNS: [(&str, Side); 9] = [
    ("run", Side::Left),
    ("recipe", Side::Left),
    ("state", Side::Left),
    ("started, UTC", Side::Left),
    ("steps", Side::Right),
    ("loss", Side::Right),
    ("best score", Side::Right),
    ("trained", Side::Right),
    ("on disk", Side::Right),
];

/// A row of the table of runs.
pub(super) fn row(run: &RunSummary) -> [String; 9] {
    [
        run.path.display().to_string(),
        run.name.clone(),
        state(&run.state),
        run.started.map_or(NONE.to_owned(), date),
        steps(run),
        loss(run.loss),
        run.best
            .as_ref()
            .map_or(NONE.to_owned(), |best| percent(best.score)),
        duration(run.seconds),
        bytes(run.bytes),
    ]
}

pub(super) fn state(state: &RunState) -> String {
    match state {
        RunState::Finished => "finished".to_owned(),
        RunState::Running { stage, step } => format!("at {stage} {step}"),
        RunState::Stopped { stage, step } => format!("stopped at {stage} {step}"),
        RunState::New => "no step yet".to_owned(),
    }
}

fn steps(run: &RunSummary) -> String {
    match run.planned_steps {
        Some(planned) => format!("{}/{planned}", run.steps),
        None => run.steps.to_string(),
    }
}

pub(super) fn loss(loss: Option<f64>) -> String {
    loss.map_or(NONE.to_owned(), |loss| format!("{loss:.4}"))
}

/// All of a run that fits a terminal.
pub(super) fn text(run: &RunSummary, losses: &[StageLosses]) -> String {
    let mut text = format!(
        "{}: {}, {}\n",
        run.path.display(),
        run.name,
        state(&run.state)
    );
    let started = run
        .started
        .map(|started| format!("started {} UTC", date(started)));
    let version = run
        .menagerie
        .as_ref()
        .map(|version| format!("menagerie {version}"));
    let threads = run.threads.map(|threads| format!("{threads} threads"));
    let facts = [
        started,
        version,
        run.device.clone(),
        threads,
        Some(format!("{} on disk", bytes(run.bytes))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    text.push_str(&format!("{}\n\n", facts.join(", ")));
    text.push_str(&stages(&run.stages));
    for stage in losses {
        let curve = spark(&stage.smooth, WIDTH, range(&stage.smooth));
        if !curve.is_empty() {
            text.push_str(&format!("\nloss in {}\n{curve}\n", stage.stage));
        }
    }
    if !run.scores.is_empty() {
        text.push_str(&format!("\n{}", scores(run)));
    }
    text
}

fn stages(totals: &[StageTotals]) -> String {
    let mut table = Table::new(&[
        ("stage", Side::Left),
        ("steps", Side::Right),
        ("samples", Side::Right),
        ("tokens", Side::Right),
        ("loss", Side::Right),
        ("trained", Side::Right),
        ("tokens/s", Side::Right),
        ("waiting", Side::Right),
        ("most memory", Side::Right),
    ]);
    for stage in totals {
        table.row([
            stage.stage.clone(),
            format!("{}/{}", stage.steps, stage.planned_steps),
            stage.samples.to_string(),
            short(stage.tokens as f64),
            loss(stage.loss),
            duration(stage.seconds),
            short(stage.tokens_per_second()),
            percent(stage.wait_share()),
            stage.peak_bytes.map_or(NONE.to_owned(), bytes),
        ]);
    }
    table.text()
}

fn scores(run: &RunSummary) -> String {
    let mut table = Table::new(&[
        ("score at", Side::Left),
        ("step", Side::Right),
        ("score", Side::Right),
        ("blind", Side::Right),
        ("questions", Side::Right),
        ("", Side::Left),
    ]);
    for score in &run.scores {
        let best = run.best.as_ref() == Some(score);
        table.row([
            score.stage.clone(),
            score.step.to_string(),
            percent(score.score),
            score.blind.map_or(NONE.to_owned(), percent),
            score.questions.to_string(),
            if best { "best" } else { "" }.to_owned(),
        ]);
    }
    table.text()
}
