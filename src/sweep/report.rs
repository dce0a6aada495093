//! The report of a sweep, for somebody who did not run it: `report.html`, `report.md`, `report.csv`.

mod csv;
mod figures;
mod html;
mod markdown;
mod tables;
mod words;

use menagerie_core::recipe::Sweep;

use super::error::SweepError;
use super::folder::{self, SweepFolder};
use super::results::Results;

/// Writes the report of what is there of a sweep into its folder.
///
/// # Errors
/// It cannot be written.
pub fn write(sweep: &Sweep, results: &Results, folder: &SweepFolder) -> Result<(), SweepError> {
    let report = Report {
        sweep,
        results,
        folder,
    };
    let files = [
        ("report.html", html::page(&report)),
        ("report.md", markdown::text(&report)),
        ("report.csv", csv::text(&report)),
    ];
    for (name, text) in files {
        folder::write(&folder.path().join(name), text.as_bytes())?;
    }
    Ok(())
}

/// What is reported.
struct Report<'r> {
    sweep: &'r Sweep,
    results: &'r Results,
    folder: &'r SweepFolder,
}
