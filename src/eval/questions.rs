//! A benchmark's questions, from its own files or those that training reads.

use std::sync::Arc;

use menagerie_core::benchmark::{AnyBenchmark, Files, Seen};
use menagerie_core::plugin::{BenchmarkPlugin, benchmark};
use menagerie_core::recipe::{DataSource, EvalTable};
use menagerie_core::serde_json::{Map, Value};

use super::error::EvalError;
use super::options::EvalOptions;
use crate::data::Dataset;

/// The benchmark of that name with those options.
///
/// # Errors
/// There is none, or it does not take the options.
pub(crate) fn find(
    name: &str,
    options: &Map<String, Value>,
) -> Result<(&'static BenchmarkPlugin, Arc<dyn AnyBenchmark>), EvalError> {
    let plugin = benchmark(name)?;
    Ok((plugin, plugin.build(options.clone())?.into()))
}

/// The questions that `benchmark` reads from `source`, or those of the forms that training reads
/// if it has no files of its own.
///
/// # Errors
/// Files that cannot be read, or that hold something else.
pub fn open(benchmark: &dyn AnyBenchmark, source: &DataSource) -> Result<Dataset, EvalError> {
    match own(benchmark, source)? {
        Some(questions) => Ok(questions),
        None => Ok(Dataset::open(source)?),
    }
}

/// The questions of a recipe's `[eval]`.
///
/// # Errors
/// As [`open`], or there is no such benchmark.
pub fn open_table(table: &EvalTable) -> Result<Dataset, EvalError> {
    let options = EvalOptions::from(table);
    let (_, benchmark) = find(&options.benchmark, &options.options)?;
    open(benchmark.as_ref(), &table.data.source())
}

/// As [`open_table`]; `None` if the benchmark has no files of its own.
///
/// # Errors
/// As [`open_table`].
pub fn open_own(table: &EvalTable) -> Result<Option<Dataset>, EvalError> {
    let options = EvalOptions::from(table);
    let (_, benchmark) = find(&options.benchmark, &options.options)?;
    own(benchmark.as_ref(), &table.data.source())
}

fn own(benchmark: &dyn AnyBenchmark, source: &DataSource) -> Result<Option<Dataset>, EvalError> {
    let seen = Seen::default();
    let files = Files::new(&source.paths, source.images.as_deref()).watched(&seen);
    let Some(items) = benchmark.read(&files) else {
        return Ok(None);
    };
    let items = items?;
    let named = source.paths.iter().filter(|path| path.is_file());
    named.for_each(|file| files.note(file));
    let mut files = seen.into_files();
    if files.is_empty() {
        files.extend(source.paths.first().cloned());
    }
    Ok(Some(Dataset::of_items(&files, items)?))
}
