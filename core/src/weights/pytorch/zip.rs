//! The directory of a zip archive as `torch.save` writes it: records that are stored and not
//! compressed, so that a tensor's bytes lie in the file as they are.
//!
//! Format: PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
//! 4.3.14 to 4.3.16 (its end, and zip64).

use std::collections::HashMap;
use std::io::{Read, Seek};

use crate::weights::cursor::Cursor;
use crate::weights::input::{Input, Problem};

/// The longest directory, in bytes; a record takes about a hundred.
const MAX_DIRECTORY: u64 = 64 << 20;

/// Bytes of the end record without its comment, and of the longest comment.
const END: u64 = 22;
const MAX_COMMENT: u64 = 65_535;

/// An archive's records by name.
#[derive(Debug)]
pub(super) struct Archive {
    records: HashMap<String, Record>,
    /// Offset of the directory, before which all records lie.
    directory: u64,
}

#[derive(Debug)]
struct Record {
    /// Offset of its local header.
    header: u64,
    /// Bytes.
    len: u64,
    stored: bool,
}

/// Where a record's bytes lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Archive {
    pub(super) fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<Self, Problem> {
        let (directory, len) = find_directory(input)?;
        if len > MAX_DIRECTORY {
            return Err(format!(
                "its zip directory has {len} bytes; at most {MAX_DIRECTORY} are read"
            )
            .into());
        }
        let bytes = input.bytes(directory, usize::try_from(len).unwrap_or(usize::MAX))?;
        let mut cursor = Cursor::new(&bytes);
        let mut records = HashMap::new();
        while cursor.position() < bytes.len() {
            let (name, record) =
                central_record(&mut cursor).ok_or("its zip directory is damaged")?;
            if records.contains_key(&name) {
                return Err(format!("its zip directory has `{name}` twice").into());
            }
            records.insert(name, record);
        }
        Ok(Self { records, directory })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// Where the bytes of the record `name` lie; None if there is no such record.
    pub(super) fn find<R: Read + Seek>(
        &self,
        input: &mut Input<R>,
        name: &str,
    ) -> Result<Option<Span>, Problem> {
        let Some(record) = self.records.get(name) else {
            return Ok(None);
        };
        if !record.stored {
            return Err(format!(
                "its record `{name}` is compressed or encrypted, which torch.save never does"
            )
            .into());
        }
        let header = input.bytes(record.header, 30)?;
        let mut cursor = Cursor::new(&header);
        let lengths = (cursor.take(4) == Some(b"PK\x03\x04"))
            .then(|| cursor.take(22).and(cursor.u16()).zip(cursor.u16()))
            .flatten();
        let (name_len, extra_len) = lengths.ok_or_else(|| {
            format!("its record `{name}` does not begin where the directory says")
        })?;
        let start = record.header + 30 + u64::from(name_len) + u64::from(extra_len);
        if start
            .checked_add(record.len)
            .is_none_or(|end| end > self.directory)
        {
            return Err(format!("its record `{name}` reaches into the zip directory").into());
        }
        Ok(Some(Span {
            start,
            len: record.len,
        }))
    }
}

/// Offset and length of the central directory.
fn find_directory<R: Read + Seek>(input: &mut Input<R>) -> Result<(u64, u64), Problem> {
    let file_len = input.len();
    let tail_len = file_len.min(END + MAX_COMMENT);
    let tail_start = file_len - tail_len;
    let tail = input.bytes(tail_start, usize::try_from(tail_len).unwrap_or(0))?;
    // What follows the last of its fields is a comment, which ends with the file.
    let mut ends = (0..tail.len()).rev().filter_map(|at| {
        let mut cursor = Cursor::new(&tail[at..]);
        (cursor.take(4)? == b"PK\x05\x06").then_some(())?;
        cursor.take(8)?;
        let (len, offset) = (cursor.u32()?, cursor.u32()?);
        let comment = cursor.u16()?;
        (at + cursor.position() + usize::from(comment) == tail.len()).then_some((at, len, offset))
    });
    let (end, len, offset) = ends
        .next()
        .ok_or("it has no end of a zip archive: it is truncated")?;
    let end = tail_start + end as u64;
    let (offset, len, end) = if offset == u32::MAX || len == u32::MAX {
        zip64_directory(input, end)?
    } else {
        (offset.into(), len.into(), end)
    };
    if offset.checked_add(len).is_none_or(|stop| stop > end) {
        return Err(format!(
            "its zip directory is to lie at byte {offset} with {len} bytes, past its own end at {end}"
        )
        .into());
    }
    Ok((offset, len))
}

/// Offset and length of the directory and of what must follow it, as zip64's end record says.
fn zip64_directory<R: Read + Seek>(
    input: &mut Input<R>,
    end: u64,
) -> Result<(u64, u64, u64), Problem> {
    let damaged = "the end of its zip64 archive is damaged";
    let locator = input.bytes(end.checked_sub(20).ok_or(damaged)?, 20)?;
    let mut cursor = Cursor::new(&locator);
    let at = (cursor.take(4) == Some(b"PK\x06\x07"))
        .then(|| cursor.take(4).and(cursor.u64()))
        .flatten()
        .ok_or(damaged)?;
    let record = input.bytes(at, 56)?;
    let mut cursor = Cursor::new(&record);
    let (len, offset) = (cursor.take(4) == Some(b"PK\x06\x06"))
        .then(|| cursor.take(36).and(cursor.u64()).zip(cursor.u64()))
        .flatten()
        .ok_or(damaged)?;
    Ok((offset, len, at))
}

/// A line of the central directory; None if it is damaged.
fn central_record(cursor: &mut Cursor<'_>) -> Option<(String, Record)> {
    if cursor.take(4)? != b"PK\x01\x02" {
        return None;
    }
    cursor.take(4)?;
    let flags = cursor.u16()?;
    let method = cursor.u16()?;
    cursor.take(8)?;
    let packed = cursor.u32()?;
    let len = cursor.u32()?;
    let name_len = cursor.u16()?;
    let extra_len = cursor.u16()?;
    let comment_len = cursor.u16()?;
    cursor.take(8)?;
    let header = cursor.u32()?;
    let name = str::from_utf8(cursor.take(name_len.into())?).ok()?;
    let extra = cursor.take(extra_len.into())?;
    cursor.take(comment_len.into())?;

    // What does not fit 32 bits follows in the zip64 field, in this order.
    let mut wide = zip64_field(extra).map(Cursor::new);
    let mut widen = |narrow: u32| match &mut wide {
        Some(field) if narrow == u32::MAX => field.u64(),
        _ => Some(narrow.into()),
    };
    let (len, packed, header) = (widen(len)?, widen(packed)?, widen(header)?);
    let record = Record {
        header,
        len,
        // Bit 0 of the flags: encrypted.
        stored: method == 0 && flags & 1 == 0 && packed == len,
    };
    Some((name.to_owned(), record))
}

/// The content of the extra field numbered 1.
fn zip64_field(extra: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(extra);
    loop {
        let number = cursor.u16()?;
        let len = cursor.u16()?;
        let content = cursor.take(len.into())?;
        if number == 1 {
            return Some(content);
        }
    }
}
