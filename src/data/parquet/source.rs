//! A file as the parquet crate reads it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// An open file. Unlike the crate's own reader of a [`File`], parts of it may be read at the same
/// time, and none is asked for that the file does not have.
#[derive(Debug)]
pub(super) struct Source {
    file: Arc<Mutex<File>>,
    len: u64,
    last: AtomicU64,
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self {
            len: file.metadata()?.len(),
            file: Arc::new(Mutex::new(file)),
            last: AtomicU64::new(0),
        })
    }

    /// Where the last reader began.
    pub(super) fn last_read(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Source {
    type T = BufReader<Part>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.last.store(start, Ordering::Relaxed);
        let part = Part {
            file: Arc::clone(&self.file),
            position: start,
        };
        // A page's header takes some ten bytes, and mostly nothing else is read from here.
        Ok(BufReader::with_capacity(1 << 10, part))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length as u64 > self.len.saturating_sub(start) {
            let message = format!("{length} bytes at {start} of a file of {}", self.len);
            return Err(ParquetError::EOF(message));
        }
        let mut bytes = vec![0; length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads on from a place of the file.
#[derive(Debug)]
pub(super) struct Part {
    file: Arc<Mutex<File>>,
    position: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}
