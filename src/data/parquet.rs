//! Parquet files with images inside, as Hugging Face's datasets are laid out.
//!
//! Texts are read when the file is opened, column by column. Of the images only the columns beside
//! them are read then (`path`, which says how many a row has); their bytes stay in the file, and a
//! page of them is read when one is asked for.

mod cache;
mod layout;
mod pages;
mod rows;
mod source;
mod turns;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;

use super::error::DataError;

pub(super) use cache::PageCache;
pub(super) use pages::ImagePages;
pub(super) use rows::read_parquet;

pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// What is wrong, with its place in the file.
fn broken(path: &Path, column: Option<&str>, row: Option<usize>, reason: &str) -> DataError {
    let place = match (column, row) {
        (Some(column), Some(row)) => format!("column `{column}`, row {row}: "),
        (Some(column), None) => format!("column `{column}`: "),
        (None, Some(row)) => format!("row {row}: "),
        (None, None) => String::new(),
    };
    DataError::Parquet {
        path: path.to_owned(),
        place,
        reason: reason.to_owned(),
    }
}

/// Does what reads a file that may be broken: the parquet crate has assertions that such a file can
/// fail.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("broken: {error}; make or download it again")),
        Err(_) => Err("broken; make or download it again".to_owned()),
    }
}
