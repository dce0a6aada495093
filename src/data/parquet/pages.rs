//! Images out of a column of them, one at a time and in any order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parquet::basic::Encoding;
use parquet::column::page::{self, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::cache::PageCache;
use super::guarded;
use super::source::Source;
use crate::data::unpacked::Unpacked;

/// The column of a file that holds the images.
#[derive(Debug)]
pub(in crate::data) struct ImagePages {
    path: PathBuf,
    /// One for each row group.
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    column: ColumnChunkMetaData,
    /// Found by walking over the page headers when the first image is asked for: the index that a
    /// file may have counts rows, and images of a list are no rows.
    index: OnceLock<PageIndex>,
}

/// Where the pages of a row group's column lie.
#[derive(Debug, Default)]
struct PageIndex {
    dictionary: Option<u64>,
    pages: Vec<Placed>,
    /// Where the last page ends.
    end: u64,
    values: usize,
}

/// A page of a file.
#[derive(Debug, Default)]
struct Placed {
    /// Offset in the file.
    offset: u64,
    /// The place of the first value.
    first: usize,
    /// Whether it was read before.
    seen: AtomicBool,
    /// Where its values lie in the temporary file, as offset and length.
    unpacked: OnceLock<Vec<Option<(u64, usize)>>>,
}

/// The values of a page, absent ones among them. They share the page's memory.
#[derive(Debug)]
pub(super) struct Page {
    values: Vec<Option<ByteArray>>,
    dictionary: Option<page::Page>,
    /// What it holds in memory.
    pub bytes: usize,
}

/// A dictionary's number among the pages.
const DICTIONARY: usize = usize::MAX;

impl ImagePages {
    pub(super) fn new(path: &Path, columns: Vec<ColumnChunkMetaData>) -> Self {
        let chunks = columns.into_iter().map(|column| Chunk {
            column,
            index: OnceLock::new(),
        });
        Self {
            path: path.to_owned(),
            chunks: chunks.collect(),
        }
    }

    /// The bytes of the image at `place` among the values of row group `group`; `None` if there is
    /// nothing. `file` is the file's number, by which its pages are known in the cache.
    pub(in crate::data) fn image(
        &self,
        file: usize,
        group: usize,
        place: usize,
        cache: &PageCache,
        unpacked: &Unpacked,
    ) -> std::result::Result<Option<Vec<u8>>, String> {
        let chunk = &self.chunks[group];
        let open = || {
            Source::open(&self.path)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        let index = if let Some(index) = chunk.index.get() {
            index
        } else {
            let source = open()?;
            let found = guarded(|| PageIndex::walk(&source, &chunk.column))?;
            chunk.index.get_or_init(|| found)
        };
        let pages = &index.pages;
        let number = pages.partition_point(|page| page.first <= place);
        let Some(number) = number.checked_sub(1).filter(|_| place < index.values) else {
            return Err(format!("broken: its column holds {} values", index.values));
        };
        let placed = &pages[number];
        let place = place - placed.first;
        let too_few = "broken: a page holds fewer values than it says";
        if let Some(values) = placed.unpacked.get() {
            let Some((offset, len)) = *values.get(place).ok_or(too_few)? else {
                return Ok(None);
            };
            let bytes = unpacked.read(offset, len);
            return bytes.map(Some).map_err(|error| error.to_string());
        }
        let page = cache.get((file, group, number), || {
            let source = open()?;
            let page = guarded(|| {
                let dictionary = |offset| {
                    cache.get((file, group, DICTIONARY), || {
                        chunk.dictionary(&source, offset)
                    })
                };
                chunk.page(&source, index, number, dictionary)
            })?;
            let again = placed.seen.swap(true, Ordering::Relaxed);
            // Without room for it the page is read once more.
            if page.bytes >= cache.large
                && again
                && let Ok(values) = page.unpack(unpacked)
            {
                let _ = placed.unpacked.set(values);
            }
            Ok::<_, String>(page)
        })?;
        let value = page.values.get(place).ok_or(too_few)?;
        Ok(value.as_ref().map(|value| value.data().to_vec()))
    }
}

impl Page {
    /// Copies the values to the temporary file, those that a dictionary has once each time they are
    /// the same.
    fn unpack(&self, unpacked: &Unpacked) -> std::io::Result<Vec<Option<(u64, usize)>>> {
        let mut known = HashMap::new();
        let mut place = |value: &ByteArray| {
            let bytes = value.data();
            match known.entry((bytes.as_ptr(), bytes.len())) {
                Entry::Occupied(known) => Ok((*known.get(), bytes.len())),
                Entry::Vacant(new) => Ok((*new.insert(unpacked.push(bytes)?), bytes.len())),
            }
        };
        let values = self.values.iter();
        values
            .map(|value| value.as_ref().map(&mut place).transpose())
            .collect()
    }
}

impl PageIndex {
    fn walk(source: &Arc<Source>, column: &ColumnChunkMetaData) -> Result<Self> {
        let mut reader = SerializedPageReader::new(Arc::clone(source), column, 0, None)?;
        let mut index = Self::default();
        while let Some(found) = reader.peek_next_page()? {
            // The header was read just now, by a reader of its own.
            let offset = source.last_read();
            if found.is_dict {
                index.dictionary = Some(offset);
            } else {
                index.pages.push(Placed {
                    offset,
                    first: index.values,
                    ..Placed::default()
                });
                index.values += found.num_levels.unwrap_or(0);
            }
            reader.skip_next_page()?;
        }
        let (start, len) = column.byte_range();
        index.end = start + len;
        Ok(index)
    }
}

impl Chunk {
    /// The page that begins at `offset`, unpacked.
    fn read(&self, source: &Arc<Source>, offset: u64, end: u64) -> Result<page::Page> {
        let alone = self.column.clone().into_builder();
        let alone = alone
            .set_dictionary_page_offset(None)
            .set_data_page_offset(i64::try_from(offset)?)
            .set_total_compressed_size(i64::try_from(end.saturating_sub(offset))?)
            .build()?;
        let mut reader = SerializedPageReader::new(Arc::clone(source), &alone, 0, None)?;
        let page = reader.get_next_page()?;
        page.ok_or_else(|| ParquetError::General("a page is missing".to_owned()))
    }

    fn dictionary(&self, source: &Arc<Source>, offset: u64) -> Result<Page> {
        let (start, len) = self.column.byte_range();
        let page = self.read(source, offset, start + len)?;
        Ok(Page {
            bytes: page.buffer().len(),
            values: Vec::new(),
            dictionary: Some(page),
        })
    }

    fn page(
        &self,
        source: &Arc<Source>,
        index: &PageIndex,
        number: usize,
        dictionary: impl FnOnce(u64) -> Result<Arc<Page>>,
    ) -> Result<Page> {
        let next = index.pages.get(number + 1);
        let end = next.map_or(index.end, |next| next.offset);
        let page = self.read(source, index.pages[number].offset, end)?;
        let mut bytes = page.buffer().len();
        let mut pages = VecDeque::new();
        let by_number = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
        if by_number.contains(&page.encoding())
            && let Some(offset) = index.dictionary
        {
            // The values are parts of the dictionary, and keep it in memory.
            let dictionary = dictionary(offset)?;
            bytes += dictionary.bytes;
            pages.extend(dictionary.dictionary.clone());
        }
        pages.push_back(page);
        let descr = self.column.column_descr_ptr();
        let present = descr.max_def_level();
        let (mut levels, mut lists, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut reader = ColumnReaderImpl::<ByteArrayType>::new(descr, Box::new(Pages(pages)));
        reader.read_records(usize::MAX, Some(&mut levels), Some(&mut lists), &mut values)?;
        let values = if present == 0 {
            values.into_iter().map(Some).collect()
        } else {
            let mut values = values.into_iter();
            let value = |level| {
                if level == present {
                    values.next()
                } else {
                    None
                }
            };
            levels.into_iter().map(value).collect()
        };
        Ok(Page {
            values,
            dictionary: None,
            bytes,
        })
    }
}

/// Pages that are here already.
struct Pages(VecDeque<page::Page>);

impl Iterator for Pages {
    type Item = Result<page::Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop_front().map(Ok)
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<page::Page>> {
        Ok(self.0.pop_front())
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(self.0.front().map(|page| PageMetadata {
            num_rows: None,
            num_levels: Some(page.num_values() as usize),
            is_dict: page.is_dictionary_page(),
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.pop_front();
        Ok(())
    }
}
