//! The files that are reviewed, a sample at a time, and how far one is with them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use menagerie_core::chat::Turn;
use serde::de::DeserializeOwned;

use super::error::ReviewError;
use super::example::{Example, Kind};
use crate::data::DataError;
use crate::data::json::{Element, elements, parse, record};
use crate::instruct::Manifest;

/// Told now and then how many bytes are read, of how many; `false` stops.
pub type Watch<'w> = dyn FnMut(u64, u64) -> bool + 'w;

/// Bytes after which it is told again.
const STEP: u64 = 1 << 20;

/// How far the reading of several files is.
pub(super) struct Reading<'w> {
    done: u64,
    told: u64,
    total: u64,
    watch: &'w mut Watch<'w>,
}

/// A run's manifest; `None` if it is not there.
pub(super) fn manifest(path: &Path) -> Result<Option<Manifest>, ReviewError> {
    let read_error = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(read_error(source).into()),
    };
    let whole = Element {
        line: 1,
        column: 1,
        text: bytes,
    };
    Ok(Some(parse(path, &whole)?))
}

impl<'w> Reading<'w> {
    pub(super) fn of(paths: &[&Path], watch: &'w mut Watch<'w>) -> Self {
        let sizes = paths.iter().filter_map(|path| fs::metadata(path).ok());
        Self {
            done: 0,
            told: 0,
            total: sizes.map(|file| file.len()).sum(),
            watch,
        }
    }

    fn passed(&mut self, bytes: usize) -> Result<(), ReviewError> {
        // A file may grow while it is read.
        self.done = (self.done + bytes as u64).min(self.total);
        if self.done - self.told < STEP && self.done < self.total {
            return Ok(());
        }
        self.told = self.done;
        if (self.watch)(self.done, self.total) {
            Ok(())
        } else {
            Err(ReviewError::Interrupted)
        }
    }

    /// Takes the lines of a file of a run; none if it is not there.
    pub(super) fn lines<T: DeserializeOwned>(
        &mut self,
        path: &Path,
        mut take: impl FnMut(T),
    ) -> Result<(), ReviewError> {
        if !path.exists() {
            return Ok(());
        }
        for element in elements(path)? {
            let element = element?;
            take(parse(path, &element)?);
            self.passed(element.text.len())?;
        }
        Ok(())
    }

    /// Takes the samples of a file in LLaVA's format.
    pub(super) fn samples(
        &mut self,
        path: &Path,
        mut take: impl FnMut(Example),
    ) -> Result<(), ReviewError> {
        for (place, element) in elements(path)?.enumerate() {
            let element = element?;
            let record = record(path, &element)?;
            let said = record.turns;
            let said = said.or_else(|| Some(vec![Turn::assistant(record.caption?)]));
            let Some(turns) = said else {
                return Err(ReviewError::Data(DataError::Json {
                    path: path.to_owned(),
                    line: element.line,
                    column: element.column,
                    reason: "the sample has neither `conversations` nor a `caption`".to_owned(),
                }));
            };
            take(Example {
                id: record.id.unwrap_or_else(|| place.to_string()),
                kind: Kind::Untyped,
                images: record.images,
                context: None,
                turns,
                flags: Vec::new(),
            });
            self.passed(element.text.len())?;
        }
        Ok(())
    }
}
