//! What `bench run` and `bench score` have in common.

use std::path::{Path, PathBuf};

use menagerie_core::recipe::{DataSource, Turns};
use menagerie_core::toml::Table;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::bench::{BenchFolder, Exam};
use crate::cli::error::CliError;
use crate::eval::EvalOptions;

/// What is asked, and where it is kept.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// The benchmark's own files or the folder that has them; for a benchmark without any LLaVA JSON
    /// or JSON lines, tar shards, Parquet files, or a folder of these two, each question of a
    /// conversation asked on its own.
    #[arg(value_name = "DATA", required = true)]
    data: Vec<PathBuf>,
    /// The folder that image names are relative to.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Set an option of the benchmark, for example 'split = "minitest"'. Repeatable.
    #[arg(long = "set", value_name = "OPTION = VALUE", value_parser = option)]
    sets: Vec<(String, Value)>,
    /// Ask so many questions, from the first, and no more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// The folder of answers, reviews and score; if it is there, the run in it goes on. Default:
    /// bench/NAME-MODEL.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Keep nothing.
    #[arg(long, conflicts_with = "out")]
    pub(super) no_out: bool,
    /// Print what score.json holds, a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Where a run is kept.
pub(super) struct Place {
    pub folder: BenchFolder,
    /// Removed with all that is in it, if nothing is to be kept.
    temporary: Option<TempDir>,
}

impl Place {
    /// Whether it outlives the command.
    pub(super) fn stays(&self) -> bool {
        self.temporary.is_none()
    }
}

impl Options {
    /// Reads the questions.
    pub(super) fn exam(&self, benchmark: &str, asking: EvalOptions) -> Result<Exam, CliError> {
        let mut options = asking;
        benchmark.clone_into(&mut options.benchmark);
        options.options = self.sets.iter().cloned().collect::<Map<_, _>>();
        options.limit = self.limit.map(|limit| limit as usize);
        let source = DataSource {
            paths: self.data.clone(),
            images: self.images.clone(),
            turns: Turns::Separate,
            ..DataSource::default()
        };
        Ok(Exam::open(options, &source)?)
    }

    /// Opens the folder, by default that of what `named` is.
    pub(super) fn place(&self, benchmark: &str, named: &Path) -> Result<Place, CliError> {
        if self.no_out {
            let temporary = tempfile::tempdir().map_err(|source| CliError::Write {
                path: std::env::temp_dir(),
                source,
            })?;
            return Ok(Place {
                folder: BenchFolder::open(temporary.path())?,
                temporary: Some(temporary),
            });
        }
        let default = || Path::new("bench").join(format!("{benchmark}-{}", name(named)));
        let path = self.out.clone().unwrap_or_else(default);
        Ok(Place {
            folder: BenchFolder::open(&path)?,
            temporary: None,
        })
    }
}

/// The name of a model or file; of a checkpoint, its run's before it.
fn name(path: &Path) -> String {
    let last = |path: &Path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.filter(|name| !name.is_empty())
    };
    let absolute = path.canonicalize();
    let mut path = absolute.as_deref().unwrap_or(path);
    if path.ends_with("model.toml") {
        path = path.parent().unwrap_or(path);
    }
    let own = last(path).unwrap_or_else(|| "model".to_owned());
    let above = path.parent().filter(|above| above.ends_with("checkpoints"));
    match above.and_then(Path::parent).and_then(last) {
        Some(run) => format!("{run}-{own}"),
        None => own,
    }
}

/// `KEY = VALUE`; a value that is no TOML is a text.
fn option(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or("it is `option = value`")?;
    let table: Option<Table> = format!("value = {value}").parse().ok();
    let parsed = table.and_then(|mut table| serde_json::to_value(table.remove("value")?).ok());
    let parsed = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    Ok((key.to_owned(), parsed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_toml_or_a_text() {
        let value = |text: &str| option(text).expect("an option");
        assert_eq!(
            value("split = \"random\""),
            ("split".to_owned(), json!("random"))
        );
        assert_eq!(value("split=random"), ("split".to_owned(), json!("random")));
        assert_eq!(value("rule = a=b.json").1, json!("a=b.json"));
        assert_eq!(value("circular = true").1, json!(true));
        assert_eq!(value("draws = 3").1, json!(3));
        assert_eq!(value("year = \"2017\"").1, json!("2017"));
        assert_eq!(value("splits = [\"a\", \"b\"]").1, json!(["a", "b"]));
        assert!(option("split").is_err() && option("= 3").is_err());
    }
}
