//! What the report says in sentences.

use super::Report;
use crate::html::{counted, duration, percent};
use crate::sweep::results::{Outcome, Setting};
use crate::sweep::statistics::Verdict;

/// What was done, and what came of it.
pub(super) fn lead(report: &Report<'_>) -> Vec<String> {
    [Some(varied(report)), Some(done(report)), best(report)]
        .into_iter()
        .flatten()
        .collect()
}

fn varied(report: &Report<'_>) -> String {
    let axes = report.sweep.axes.iter().map(|axis| {
        let alternatives = axis.alternatives.join(", ");
        format!("{} ({alternatives})", axis.name)
    });
    let axes: Vec<String> = axes.collect();
    format!(
        "Varied over the recipe {}: {}. Everything else is the same in all runs.",
        report.sweep.base.name,
        axes.join("; ")
    )
}

fn done(report: &Report<'_>) -> String {
    let results = report.results;
    let (points, settings) = (results.points.len(), results.settings.len());
    let outcomes = |wanted: fn(&Outcome) -> bool| {
        let points = results.points.iter();
        points.filter(|point| wanted(&point.outcome)).count()
    };
    let failed = outcomes(|outcome| matches!(outcome, Outcome::Failed(_)));
    let open = outcomes(|outcome| *outcome == Outcome::Unfinished);
    let mut text = format!(
        "That makes {}, {} in all; {} finished",
        counted(settings, "setting"),
        counted(points, "run"),
        match results.finished() {
            0 => "none is".to_owned(),
            all if all == points => "all are".to_owned(),
            some => format!("{some} of them are"),
        }
    );
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    if open > 0 {
        text.push_str(&format!(", {open} not yet at their end"));
    }
    let saved = results.alone_seconds - results.trained_seconds;
    text.push_str(&format!(
        ". Training took {} of steps",
        duration(results.trained_seconds)
    ));
    if saved >= 1.0 {
        text.push_str(&format!(
            "; stages that several runs begin with were trained once, which saved {}",
            duration(saved)
        ));
    }
    text + "."
}

fn best(report: &Report<'_>) -> Option<String> {
    let results = report.results;
    let mean = |setting: &&Setting| setting.score.map_or(f64::MIN, |score| score.mean);
    let scored = || results.settings.iter().filter(|one| one.score.is_some());
    // One alone is compared with nothing.
    scored().nth(1)?;
    let best = scored().max_by(|a, b| mean(a).total_cmp(&mean(b)))?;
    let base = &results.settings[results.base];
    let score = percent(best.score?.mean);
    let name = base_name(report);
    if best.points == base.points {
        return Some(format!(
            "None scores higher than {name}, which has {score}."
        ));
    }
    let compared = match &best.compared {
        None => String::new(),
        Some(compared) => {
            let points = format!("{:+.1} points to {name}", 100.0 * compared.difference);
            match &compared.verdict {
                Verdict::Better => format!(", {points} (marked as better)"),
                Verdict::Withheld(why) => format!(", {points} (not marked: {why})"),
                Verdict::Unclear | Verdict::Worse => format!(", {points} (may be chance)"),
            }
        }
    };
    Some(format!(
        "The highest mean is {score}, of “{}”{compared}.",
        best.name
    ))
}

/// What the settings are compared with.
pub(super) fn base_name(report: &Report<'_>) -> String {
    let results = report.results;
    let name = &results.settings[results.base].name;
    if results.base_is_recipe {
        format!("the base (“{name}”)")
    } else {
        format!("“{name}”, the first setting, the base recipe being none of them")
    }
}

/// How the columns of the table of scores are read.
pub(super) fn how_to_read(report: &Report<'_>) -> Vec<String> {
    let count = report.results.settings.len().saturating_sub(1);
    let chance = if count > 1 {
        format!(
            " Each mark stands for itself: where there is no real difference, about one comparison in \
             twenty is marked all the same, and there are {count} here."
        )
    } else {
        String::new()
    };
    vec![
        "Score: the mean over seeds of the share of exact answers, ± its standard deviation between \
         seeds; n is the number of seeds. Blind: the same questions with every image replaced by grey."
            .to_owned(),
        format!(
            "Difference: in points of 100, to {}, over runs of the same seed and the same questions, with \
             its interval of 95 %.",
            base_name(report)
        ),
        format!(
            "▲ better and ▼ worse mark a difference that is more than chance between seeds and questions \
             gives; “may be chance” is no proof that there is none.{chance}"
        ),
        "Time: of a run's steps on the machine that ran them, shared stages included; runs beside each \
         other slow each other down. Trained: the numbers that some stage changes."
            .to_owned(),
    ]
}
