//! The file of an image's features.
//!
//! ```text
//! 8 bytes   MNGRSQ01
//! 4 × u32   squares, tokens of a square, features of a token, bytes of a number
//! u64       a sum of all numbers' bytes
//! the rest  the numbers, `[square, token, feature]`
//! ```
//!
//! All of it little-endian.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use menagerie_core::weights::PARTIAL;

use crate::hash::fingerprint;

const MAGIC: &[u8; 8] = b"MNGRSQ01";
const HEAD: usize = 8 + 4 * 4 + 8;

/// How many numbers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub squares: usize,
    pub tokens: usize,
    pub features: usize,
    /// Bytes of one.
    pub size: usize,
}

impl Shape {
    /// The same of so many squares.
    pub(super) fn of(self, squares: usize) -> Self {
        Self { squares, ..self }
    }

    pub(super) fn bytes(self) -> usize {
        self.squares * self.tokens * self.features * self.size
    }
}

/// What stands before the numbers.
pub(super) fn head(shape: Shape, numbers: &[u8]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    for side in [shape.squares, shape.tokens, shape.features, shape.size] {
        let side = u32::try_from(side).unwrap_or(u32::MAX);
        head.extend(side.to_le_bytes());
    }
    head.extend(fingerprint(numbers).to_le_bytes());
    head
}

/// The numbers of a file of this shape; `None` if it is not there, of another shape or damaged.
pub(super) fn read(path: &Path, shape: Shape) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut found = [0; HEAD];
    file.read_exact(&mut found).ok()?;
    // One byte more shows a file that is too long.
    let mut numbers = Vec::with_capacity(shape.bytes() + 1);
    let limit = shape.bytes() as u64 + 1;
    file.take(limit).read_to_end(&mut numbers).ok()?;
    let is_whole = numbers.len() == shape.bytes() && head(shape, &numbers) == found;
    is_whole.then_some(numbers)
}

/// Writes a file that appears whole or not at all; it is made in `folder`, on the same disk. What lay
/// there before is replaced.
///
/// It is not synced: after a power cut it may be damaged, which [`read`] sees.
pub(super) fn write_whole(folder: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut made = tempfile::Builder::new()
        .prefix(PARTIAL)
        .make_in(folder, |path| File::create_new(path))?;
    for part in parts {
        made.write_all(part)?;
    }
    made.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_not_whole_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("image");
        let shape = Shape {
            squares: 2,
            tokens: 3,
            features: 5,
            size: 4,
        };
        let numbers: Vec<u8> = (0..120).collect();
        assert_eq!(read(&path, shape), None);
        let head = head(shape, &numbers);
        write_whole(folder.path(), &path, &[&head, &numbers]).expect("written");
        assert_eq!(read(&path, shape).as_ref(), Some(&numbers));
        assert_eq!(read(&path, shape.of(1)), None);
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);

        let whole = fs::read(&path).expect("read");
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            fs::write(&path, &damaged).expect("written");
            assert_eq!(read(&path, shape), None, "byte {place}");
            fs::write(&path, &whole[..place]).expect("written");
            assert_eq!(read(&path, shape), None, "{place} bytes");
        }
        fs::write(&path, [&whole[..], &[0]].concat()).expect("written");
        assert_eq!(read(&path, shape), None);
        write_whole(folder.path(), &path, &[&head, &numbers]).expect("written");
        assert_eq!(read(&path, shape), Some(numbers));
    }
}
