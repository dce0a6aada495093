//! A line a figure of a run, with exact numbers (RFC 4180).

use super::{Comparison, Section};
use crate::report::csv_line;

/// The comparison as CSV.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let head = [
        "benchmark",
        "run",
        "model",
        "figure",
        "value",
        "unit",
        "low",
        "high",
        "count",
        "blind",
        "comparable",
        "remarks",
    ];
    let head = csv_line(&head.map(str::to_owned));
    head + &comparison.sections.iter().map(section).collect::<String>()
}

fn section(section: &Section) -> String {
    let lines = section.columns.iter().flat_map(|column| {
        let score = &column.score;
        score.figures.iter().map(move |figure| {
            let end = |place: usize| figure.interval.map(|ends| ends[place].to_string());
            let mut blind = score.blind.iter().flat_map(|blind| &blind.figures);
            let blind = blind.find(|blind| blind.name == figure.name);
            let unit = serde_json::to_value(figure.unit).expect("a unit has a name");
            csv_line(&[
                section.benchmark.clone(),
                column.path.display().to_string(),
                column.name.clone(),
                figure.name.clone(),
                figure.value.to_string(),
                unit.as_str().unwrap_or_default().to_owned(),
                end(0).unwrap_or_default(),
                end(1).unwrap_or_default(),
                figure.count.to_string(),
                blind.map_or_else(String::new, |blind| blind.value.to_string()),
                column.differs.is_empty().to_string(),
                column.remarks().join("; "),
            ])
        })
    });
    lines.collect()
}
