//! Tables with tabs between their fields, quoted as pandas reads and writes them.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use menagerie_core::benchmark::FilesError;

/// Texts that pandas takes for a missing value.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// A table with a row of names.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    names: Vec<String>,
    rows: Vec<Row>,
}

/// A row's fields, and the line where it begins.
#[derive(Debug)]
struct Row {
    line: usize,
    fields: Vec<String>,
}

impl Table {
    /// # Errors
    /// No line with names, a row with more or fewer fields than names, or a quote that nothing ends.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, FilesError> {
        let mut rows = rows(path, text)?.into_iter();
        let names = rows.next().ok_or_else(|| {
            FilesError::content(path, 1, "the table is empty; its first line has names")
        })?;
        let rows: Vec<Row> = rows.collect();
        let odd = rows
            .iter()
            .find(|row| row.fields.len() != names.fields.len());
        if let Some(row) = odd {
            let (has, names) = (row.fields.len(), names.fields.len());
            let reason = format!("a row of {has} fields under {names} names");
            return Err(FilesError::content(path, row.line, reason));
        }
        Ok(Self {
            path: path.to_owned(),
            names: names.fields,
            rows,
        })
    }

    /// Its rows, from the first.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|row| Record { table: self, row })
    }

    /// The names that are a capital letter: the options.
    pub(super) fn letters(&self) -> Vec<char> {
        let one = |name: &String| {
            let mut chars = name.chars();
            let first = chars.next().filter(char::is_ascii_uppercase);
            first.filter(|_| chars.next().is_none())
        };
        self.names.iter().filter_map(one).collect()
    }
}

/// A row with its names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'t> {
    table: &'t Table,
    row: &'t Row,
}

impl<'t> Record<'t> {
    /// A field that is there and has a value.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        let place = self.table.names.iter().position(|other| other == name)?;
        let field = self.row.fields[place].as_str();
        (!MISSING.contains(&field)).then_some(field)
    }

    /// A field that must have a value.
    pub(super) fn need(&self, name: &str) -> Result<&'t str, FilesError> {
        self.get(name).ok_or_else(|| {
            let names = self.table.names.join(", ");
            self.error(format!("there is no `{name}`; the table has {names}"))
        })
    }

    /// Something wrong with this row.
    pub(super) fn error(&self, reason: impl Into<String>) -> FilesError {
        FilesError::content(&self.table.path, self.row.line, reason)
    }
}

fn rows(path: &Path, text: &str) -> Result<Vec<Row>, FilesError> {
    let mut chars = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .chars()
        .peekable();
    let mut line = 1;
    let mut rows = Vec::new();
    while chars.peek().is_some() {
        let first = line;
        let mut fields = Vec::new();
        loop {
            let (field, last) = field(&mut chars, &mut line).ok_or_else(|| {
                FilesError::content(path, first, "a quote begins in this row and none ends it")
            })?;
            fields.push(field);
            if last {
                break;
            }
        }
        line += 1;
        let is_empty = fields.iter().all(String::is_empty);
        if fields.len() > 1 || !is_empty {
            rows.push(Row {
                line: first,
                fields,
            });
        }
    }
    Ok(rows)
}

/// The next field, and whether its row ends with it. A field is quoted if it begins with a quote; two
/// quotes in it are one. `None` if the text ends within quotes.
fn field(chars: &mut Peekable<Chars<'_>>, line: &mut usize) -> Option<(String, bool)> {
    let mut field = String::new();
    if chars.next_if_eq(&'"').is_some() {
        loop {
            match chars.next()? {
                '"' if chars.next_if_eq(&'"').is_none() => break,
                other => {
                    *line += usize::from(other == '\n');
                    field.push(other);
                }
            }
        }
    }
    loop {
        match chars.next() {
            Some('\t') => return Some((field, false)),
            None | Some('\n') => return Some((field, true)),
            Some('\r') if matches!(chars.peek(), None | Some('\n')) => {}
            Some(other) => field.push(other),
        }
    }
}
