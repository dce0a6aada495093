//! Tables of a report, and the forms that they are written in.

use crate::html::{escape, head};

/// What stands for nothing.
pub(crate) const NONE: &str = "–";

/// A table, as text in cells.
pub(crate) struct Table {
    /// Names, and whether the cells are numbers.
    pub columns: Vec<(String, bool)>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, bool)], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter();
        Self {
            columns: columns
                .map(|(name, is_number)| ((*name).to_owned(), *is_number))
                .collect(),
            rows,
        }
    }

    /// `change` sees each cell's row, column and text, which is HTML already.
    pub(crate) fn html(&self, change: impl Fn(usize, usize, String) -> String) -> String {
        let class = |is_number: bool| if is_number { "number" } else { "" };
        let columns = self.columns.iter();
        let columns: Vec<(String, &str)> = columns
            .map(|(name, is_number)| (escape(name), class(*is_number)))
            .collect();
        let columns: Vec<(&str, &str)> = columns
            .iter()
            .map(|(name, class)| (name.as_str(), *class))
            .collect();
        let rows = self.rows.iter().enumerate().map(|(row, cells)| {
            let cells = cells.iter().enumerate().map(|(column, text)| {
                let text = change(row, column, escape(text));
                format!("<td class=\"{}\">{text}</td>", columns[column].1)
            });
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        });
        format!(
            "<div class=\"wide\"><table>{}\n<tbody>{}</tbody></table></div>\n",
            head(&columns),
            rows.collect::<String>()
        )
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let names = self.columns.iter().map(|(name, _)| cell(name));
        let rule = self.columns.iter().map(|(_, is_number)| {
            let side = if *is_number { "---:" } else { "---" };
            side.to_owned()
        });
        let rows = self.rows.iter();
        let rows = rows.map(|row| line(row.iter().map(|text| cell(text)).collect()));
        line(names.collect()) + &line(rule.collect()) + &rows.collect::<String>()
    }
}

/// Markdown that stays in its cell.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A line of CSV (RFC 4180).
pub(crate) fn csv_line(cells: &[String]) -> String {
    let quoted = |text: &String| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.clone()
        }
    };
    let cells: Vec<String> = cells.iter().map(quoted).collect();
    cells.join(",") + "\r\n"
}
