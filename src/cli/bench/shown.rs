//! How a run shows while it goes, and what it comes to.

use crate::bench::table::number;
use crate::bench::{Score, Watch};
use crate::cli::error::CliError;
use crate::cli::output::{print, print_json};
use crate::cli::progress::Progress;
use crate::cli::runs::{Side, Table};
use crate::report::NONE;

use super::options::Place;

/// A bar for the answers, then one for the reviews.
#[derive(Default)]
pub(super) struct Shown(Option<(&'static str, Progress)>);

impl Watch for Shown {
    fn progress(&mut self, what: &'static str, done: usize, total: usize) {
        if self.0.as_ref().is_none_or(|(current, _)| *current != what) {
            self.finish();
        }
        let (_, progress) = self
            .0
            .get_or_insert_with(|| (what, Progress::new(what, total)));
        progress.set(done, total, "");
    }
}

impl Shown {
    pub(super) fn finish(&mut self) {
        if let Some((_, progress)) = self.0.take() {
            progress.finish();
        }
    }
}

/// Prints the figures, or all of the score as JSON.
pub(super) fn tell(score: &Score, place: &Place, as_json: bool) -> Result<(), CliError> {
    if let Some(fit) = &score.fit
        && fit.unknown > 0
    {
        let ids = fit.unknown_ids.join(", ");
        anstream::eprintln!(
            "note: {} answers are to no question that is asked, and were left out: {ids}",
            fit.unknown
        );
    }
    for (fault, count) in &score.faults {
        let all = score.answers;
        anstream::eprintln!("note: {count} of {all} answers could not be marked: {fault}");
    }
    if place.stays() {
        let file = place.folder.path().join("score.json");
        anstream::eprintln!("score: {}", file.display());
    }
    if as_json {
        return print_json(score);
    }
    print(&figures(score))
}

fn figures(score: &Score) -> String {
    let mut columns = vec![("figure", Side::Left), ("value", Side::Right)];
    let intervals = score.figures.iter().any(|figure| figure.interval.is_some());
    if intervals {
        columns.push(("95 %", Side::Right));
    }
    if score.blind.is_some() {
        columns.push(("blind", Side::Right));
    }
    columns.push(("answers", Side::Right));
    let mut table = Table::new(&columns);
    for figure in &score.figures {
        let said = |value| number(value, figure.unit);
        // A figure of no answers says nothing.
        let there = figure.count > 0;
        let or_none = |text: Option<String>| text.filter(|_| there).unwrap_or(NONE.to_owned());
        let mut row = vec![figure.name.clone(), or_none(Some(said(figure.value)))];
        if intervals {
            let interval = figure.interval;
            row.push(or_none(
                interval.map(|[low, high]| format!("{low:.1} to {high:.1}")),
            ));
        }
        if let Some(blind) = &score.blind {
            let mut figures = blind.figures.iter();
            let blind = figures.find(|blind| blind.name == figure.name);
            row.push(or_none(blind.map(|blind| said(blind.value))));
        }
        row.push(figure.count.to_string());
        table.row(row);
    }
    table.text()
}
