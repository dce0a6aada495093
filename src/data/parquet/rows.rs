//! The rows of a file, as samples.

use std::path::Path;
use std::sync::Arc;

use menagerie_core::chat::Turn;
use menagerie_core::recipe::DataText;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::statistics::Statistics;
use parquet::record::Field;
use parquet::record::reader::{ReaderIter, TreeBuilder};

use super::layout::{Column, ImageColumn, Layout};
use super::pages::ImagePages;
use super::source::Source;
use super::turns::{text, turns};
use super::{broken, guarded};
use crate::data::error::{DataError, SampleError};
use crate::data::record::{Record, Take};
use crate::data::sample::ImageRef;

/// Rows that are read at a time.
const ROWS: usize = 256;
/// The same where a row holds an image.
const ROWS_WITH_IMAGES: usize = 8;

/// Hands the samples of a file to `take`, each with the row's number as its key. What is wrong with
/// one row goes there too; an error of `take` ends the reading.
pub(in crate::data) fn read_parquet(
    path: &Path,
    file: usize,
    text: DataText,
    take: &mut Take<'_>,
) -> Result<Option<ImagePages>, DataError> {
    let source = Source::open(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    let reader = guarded(|| SerializedFileReader::new(source));
    let reader = reader.map_err(|reason| broken(path, None, None, &reason))?;
    let metadata = reader.metadata();
    let layout = Layout::of(metadata.file_metadata().schema_descr(), text);
    let layout =
        layout.map_err(|unfit| broken(path, unfit.column.as_deref(), None, &unfit.reason))?;
    let mut rows = Rows {
        path,
        file,
        learned: text,
        layout: &layout,
        row: 0,
    };
    for group in 0..reader.num_row_groups() {
        rows.group(&reader, group, take)?;
    }
    let bytes = layout.image.as_ref().and_then(|image| image.bytes);
    Ok(bytes.map(|leaf| {
        let groups = metadata.row_groups().iter();
        let columns = groups.map(|group| group.column(leaf).clone());
        ImagePages::new(path, columns.collect())
    }))
}

/// A walk over a file's rows.
struct Rows<'f> {
    path: &'f Path,
    file: usize,
    learned: DataText,
    layout: &'f Layout,
    /// The next row of the file, from 0.
    row: usize,
}

/// A column of a row group, row by row.
struct Values<'f> {
    column: &'f Column,
    rows: ReaderIter,
}

impl Rows<'_> {
    fn group(
        &mut self,
        reader: &SerializedFileReader<Source>,
        group: usize,
        take: &mut Take<'_>,
    ) -> Result<(), DataError> {
        let layout = self.layout;
        let open = |column, rows| self.values(reader, group, column, rows);
        let mut said = open(&layout.text, ROWS)?;
        let id = layout.id.as_ref();
        let mut id = id.map(|column| open(column, ROWS)).transpose()?;
        let image = layout.image.as_ref();
        let images = image.map(|image| open(&image.beside, rows_at_once(image)));
        let mut images = images.transpose()?;
        let names_alone = image.is_some_and(|image| names_alone(reader.metadata(), group, image));
        let mut place = 0;
        while let Some(said) = said.next(self)? {
            let next = |values: &mut Option<Values<'_>>| match values {
                None => Ok(Field::Null),
                Some(values) => values.next(self).map(|value| value.unwrap_or(Field::Null)),
            };
            let id = next(&mut id)?;
            let images = next(&mut images)?;
            let cells = Cells {
                file: self.file,
                group,
                row: self.row,
                names_alone,
            };
            let images = cells.of(&images, &mut place);
            let key = id_text(&id).unwrap_or_else(|| self.row.to_string());
            let record = self.record(&key, &said, images.len());
            take(key, record.map(|record| (record, images)))?;
            self.row += 1;
        }
        Ok(())
    }

    fn values<'f>(
        &self,
        reader: &SerializedFileReader<Source>,
        group: usize,
        column: &'f Column,
        rows: usize,
    ) -> Result<Values<'f>, DataError> {
        let open = || {
            let group = reader.get_row_group(group)?;
            let builder = TreeBuilder::new().with_batch_size(rows);
            builder.as_iter(Arc::clone(&column.schema), &*group)
        };
        let rows = guarded(open)
            .map_err(|reason| broken(self.path, Some(&column.name), Some(self.row), &reason))?;
        Ok(Values { column, rows })
    }

    fn record(&self, key: &str, said: &Field, images: usize) -> Result<Record, DataError> {
        let record = |turns: Option<Vec<Turn>>, caption| Record {
            id: None,
            images: Vec::new(),
            turns,
            caption,
        };
        match self.learned {
            DataText::Caption => Ok(record(None, text(said).map(str::to_owned))),
            DataText::Conversations => turns(said, images)
                .map(|turns| record(turns, None))
                .map_err(|reason| DataError::Sample {
                    path: self.path.to_owned(),
                    id: key.to_owned(),
                    source: Box::new(SampleError::Cell {
                        column: self.layout.text.name.clone(),
                        row: self.row,
                        reason,
                    }),
                }),
        }
    }
}

impl Values<'_> {
    fn next(&mut self, rows: &Rows<'_>) -> Result<Option<Field>, DataError> {
        let row = guarded(|| self.rows.next().transpose());
        let row = row.map_err(|reason| {
            broken(rows.path, Some(&self.column.name), Some(rows.row), &reason)
        })?;
        let value = row.map(|row| row.into_columns().pop());
        Ok(value.map(|column| column.map_or(Field::Null, |(_, value)| value)))
    }
}

/// How many rows to read at a time of what stands beside the images, which may be the images.
fn rows_at_once(image: &ImageColumn) -> usize {
    let leaves = image.beside.schema.columns();
    match leaves {
        [only] if only.name() == "path" || image.bytes.is_none() => ROWS,
        _ => ROWS_WITH_IMAGES,
    }
}

/// Whether a row group's column of bytes is known to be empty, so that every image is a file.
fn names_alone(metadata: &ParquetMetaData, group: usize, image: &ImageColumn) -> bool {
    let Some(leaf) = image.bytes else { return true };
    let column = metadata.row_group(group).column(leaf);
    let nulls = column.statistics().and_then(Statistics::null_count_opt);
    nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(column.num_values()))
}

fn id_text(id: &Field) -> Option<String> {
    match id {
        Field::Null => None,
        Field::Str(_) | Field::Bytes(_) => text(id).map(str::to_owned),
        number => Some(number.to_string()),
    }
}

/// What a row's images are found by.
struct Cells {
    file: usize,
    group: usize,
    row: usize,
    names_alone: bool,
}

impl Cells {
    /// The images of a row, whose values begin at `place`, which moves on past them.
    fn of(&self, value: &Field, place: &mut usize) -> Vec<ImageRef> {
        let one = std::slice::from_ref(value);
        let values = match value {
            Field::ListInternal(list) => list.elements(),
            _ => one,
        };
        let several = values.len() > 1;
        let images = values.iter().enumerate().filter_map(|(number, value)| {
            let unnamed = if several {
                format!("row {}, image {number}", self.row)
            } else {
                format!("row {}", self.row)
            };
            self.image(value, *place + number, unnamed)
        });
        let images = images.collect();
        // An empty list has a place too.
        *place += values.len().max(1);
        images
    }

    fn image(&self, value: &Field, place: usize, unnamed: String) -> Option<ImageRef> {
        let name = match value {
            Field::Null => return None,
            Field::Group(row) => match row.get_column_iter().next() {
                Some((column, path)) if column == "path" => text(path).map(str::to_owned),
                _ => None,
            },
            Field::Str(name) => Some(name.clone()),
            _ => None,
        };
        Some(match name {
            Some(name) if self.names_alone => ImageRef::File {
                name,
                file: self.file,
            },
            name => ImageRef::Cell {
                is_path: name.is_some(),
                name: name.unwrap_or(unnamed),
                file: self.file,
                group: self.group,
                place,
            },
        })
    }
}
