//! The same as a text with tables.

use super::{Report, tables, words};
use crate::report::{Table, cell};
use crate::sweep::statistics::METHOD;

pub(super) fn text(report: &Report<'_>) -> String {
    let sweep = report.sweep;
    let mut text = format!("# {}\n\n", sweep.name);
    if let Some(description) = &sweep.description {
        text.push_str(&format!("{}\n\n", cell(description)));
    }
    for sentence in words::lead(report) {
        text.push_str(&format!("{sentence}\n\n"));
    }
    let mut section = |title: &str, found: Option<&Table>| {
        if let Some(found) = found {
            text.push_str(&format!("## {title}\n\n{}\n", found.markdown()));
        }
    };
    section("Scores", Some(&tables::scores(report)));
    section(
        "Each alternative on average",
        tables::alternatives(report).as_ref(),
    );
    section(
        "How each setting differs from the base",
        Some(&tables::differences(report)),
    );
    section("What failed", tables::failed(report).as_ref());
    section("Runs", Some(&tables::runs(report)));
    text.push_str("## How to read it\n\n");
    for note in words::how_to_read(report) {
        text.push_str(&format!("{note}\n\n"));
    }
    text.push_str(&format!("{METHOD}\n"));
    text
}
