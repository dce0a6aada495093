//! Models side by side: a section a benchmark, a column a model.

mod csv;
mod html;
mod markdown;

use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Figure, Unit};

use super::error::BenchError;
use super::score::Score;
use crate::report::NONE;

pub use csv::text as csv;
pub use html::page as html;
pub use markdown::text as markdown;

/// Scores to be compared, by benchmark in the order of the runs.
#[derive(Debug)]
pub struct Comparison {
    sections: Vec<Section>,
}

/// The runs of one benchmark.
#[derive(Debug)]
struct Section {
    benchmark: String,
    columns: Vec<Column>,
    /// The names of all their figures, in the order of the first that has them.
    figures: Vec<String>,
}

/// One run.
#[derive(Debug)]
struct Column {
    path: PathBuf,
    /// What its model is called here, unlike all others of the section.
    name: String,
    score: Score,
    /// Why it is not comparable with the first of the section.
    differs: Vec<String>,
    /// What else a reader must know of it.
    notes: Vec<String>,
}

impl Comparison {
    /// Reads the scores of runs: their folders, or `score.json`s.
    ///
    /// # Errors
    /// One has no score.
    pub fn read(runs: &[PathBuf]) -> Result<Self, BenchError> {
        let mut sections: Vec<Section> = Vec::new();
        for path in runs {
            let score = Score::read(path)?;
            let benchmark = &score.about.benchmark.name;
            let known = sections.iter_mut().find(|one| one.benchmark == *benchmark);
            if let Some(section) = known {
                section.add(path, score);
                continue;
            }
            let mut section = Section {
                benchmark: benchmark.clone(),
                columns: Vec::new(),
                figures: Vec::new(),
            };
            section.add(path, score);
            sections.push(section);
        }
        for section in &mut sections {
            section.tell_apart();
        }
        Ok(Self { sections })
    }
}

impl Section {
    fn add(&mut self, path: &Path, score: Score) {
        for figure in &score.figures {
            if !self.figures.contains(&figure.name) {
                self.figures.push(figure.name.clone());
            }
        }
        let differs = self.columns.first().map_or_else(Vec::new, |first| {
            score.about.incomparable(&first.score.about)
        });
        self.columns.push(Column {
            path: path.to_owned(),
            name: name(&score, path),
            notes: notes(&score),
            differs,
            score,
        });
    }

    /// Gives runs of one name that of their folder too.
    fn tell_apart(&mut self) {
        let names: Vec<String> = self.columns.iter().map(|one| one.name.clone()).collect();
        for column in &mut self.columns {
            if names.iter().filter(|name| **name == column.name).count() > 1 {
                column.name = format!("{} ({})", column.name, column.path.display());
            }
        }
    }

    /// The value of a figure of each run.
    fn values<'s>(&'s self, figure: &'s str) -> impl Iterator<Item = Option<&'s Figure>> {
        self.columns.iter().map(move |column| column.figure(figure))
    }
}

impl Column {
    /// A figure of no answers says nothing.
    fn figure(&self, name: &str) -> Option<&Figure> {
        let mut figures = self.score.figures.iter();
        figures.find(|figure| figure.name == name && figure.count > 0)
    }

    /// All that a reader must know of it.
    fn remarks(&self) -> Vec<String> {
        let differs = (!self.differs.is_empty()).then(|| {
            let differs = self.differs.join("; ");
            format!("not comparable with the first: {differs}")
        });
        differs.into_iter().chain(self.notes.clone()).collect()
    }
}

/// What a run's model is called.
fn name(score: &Score, path: &Path) -> String {
    let predictions = score.about.predictions.as_ref().map(|file| &file.path);
    let model = score.about.model.as_ref().map(|model| &model.path);
    let named = model.or(predictions).map_or(path, PathBuf::as_path);
    let last = named
        .file_stem()
        .filter(|_| model.is_none())
        .or(named.file_name());
    last.unwrap_or(named.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn notes(score: &Score) -> Vec<String> {
    let mut notes = Vec::new();
    if score.about.predictions.is_some() {
        notes.push("answers from a file".to_owned());
    }
    if let Some(fit) = score.fit.as_ref().filter(|fit| fit.missing > 0) {
        let all = score.about.questions.count;
        notes.push(format!("{} of {all} questions have no answer", fit.missing));
    }
    if let Some(limit) = score.about.questions.limit {
        notes.push(format!("only the first {limit} questions"));
    }
    if let (Some(asked), Some(judged)) = (&score.about.judge, &score.judged) {
        let others = judged.models.iter().filter(|model| **model != asked.model);
        let others: Vec<&str> = others.map(String::as_str).collect();
        if !others.is_empty() {
            let asked = &asked.model;
            notes.push(format!(
                "the judge `{asked}` calls itself {}",
                others.join(", ")
            ));
        }
    }
    let missing = score
        .judged
        .as_ref()
        .map_or(0, |judged| judged.missing.values().sum());
    if missing > 0 {
        notes.push(format!("{missing} reviews are missing"));
    }
    let faults = score.faults.iter();
    let faults: Vec<String> = faults
        .map(|(fault, count)| format!("{fault} {count}"))
        .collect();
    if !faults.is_empty() {
        notes.push(format!(
            "answers that could not be marked: {}",
            faults.join(", ")
        ));
    }
    notes
}

/// A value in its unit.
fn shown(figure: Option<&Figure>) -> String {
    let Some(figure) = figure else {
        return NONE.to_owned();
    };
    let value = number(figure.value, figure.unit);
    match figure.interval {
        Some([low, high]) => format!("{value} [{low:.1}, {high:.1}]"),
        None => value,
    }
}

/// A value in its unit, alone.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{value:.1} %"),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests;
