//! A table a benchmark, for a terminal or a README.

use super::{Comparison, Section, shown};
use crate::report::Table;

/// The comparison as Markdown.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let sections: Vec<String> = comparison.sections.iter().map(section).collect();
    sections.join("\n")
}

fn section(section: &Section) -> String {
    let mut columns = vec![("figure".to_owned(), false)];
    let mut notes = String::new();
    for column in &section.columns {
        let remarks = column.remarks();
        let mark = if column.differs.is_empty() { "" } else { " *" };
        columns.push((format!("{}{mark}", column.name), true));
        if !remarks.is_empty() {
            notes.push_str(&format!(
                "- {}{mark}: {}\n",
                column.name,
                remarks.join("; ")
            ));
        }
    }
    let rows = section.figures.iter().map(|figure| {
        let values = section.values(figure).map(shown);
        std::iter::once(figure.clone()).chain(values).collect()
    });
    let table = Table {
        columns,
        rows: rows.collect(),
    };
    let space = if notes.is_empty() { "" } else { "\n" };
    format!(
        "## {}\n\n{}{space}{notes}",
        section.benchmark,
        table.markdown()
    )
}
