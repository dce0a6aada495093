//! WebDataset shards: tar archives with `KEY.json` and `KEY.png`, or `KEY.0.png`, `KEY.1.png`, ….

use menagerie_core::hex::hex;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::error::{DataError, SampleError};
use super::json::{Record, read_record};
use super::sample::ImageRef;

/// The endings of image members.
const IMAGES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"];

/// What was found in one pass over a shard.
pub(super) struct Shard {
    /// By key, in the order of the archive.
    pub samples: Vec<(String, Record, Vec<ImageRef>)>,
    pub sha256: String,
    pub bytes: u64,
}

#[derive(Default)]
struct Group {
    position: usize,
    json: Option<Vec<u8>>,
    images: BTreeMap<(usize, String), ImageRef>,
}

/// Indexes a shard. Images of an uncompressed one stay where they are, those of a compressed one
/// are held as they are encoded.
pub(super) fn read_shard(path: &Path, file: usize) -> Result<Shard, DataError> {
    let compressed = !path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("tar"));
    let open = File::open(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    let broken = |error: io::Error| DataError::Shard {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut hashed = Hashed::new(open);
    let groups = if compressed {
        let mut unpacked = MultiGzDecoder::new(BufReader::new(&mut hashed));
        index(&mut unpacked, file, true)
    } else {
        index(&mut BufReader::new(&mut hashed), file, false)
    };
    let groups = groups.map_err(broken)?;
    io::copy(&mut hashed, &mut io::sink()).map_err(broken)?;

    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| group.position);
    let samples = groups.into_iter().map(|(key, group)| {
        let json = group.json.ok_or_else(|| DataError::Sample {
            path: path.to_owned(),
            id: key.clone(),
            source: Box::new(SampleError::NoJson(key.clone())),
        })?;
        let record = read_record(&path.join(format!("{key}.json")), &json)?;
        Ok((key, record, group.images.into_values().collect()))
    });
    Ok(Shard {
        samples: samples.collect::<Result<_, DataError>>()?,
        sha256: hex(&hashed.hash.finalize()),
        bytes: hashed.bytes,
    })
}

fn index(
    reader: &mut impl Read,
    file: usize,
    compressed: bool,
) -> io::Result<BTreeMap<String, Group>> {
    let mut reader = EndMark::new(reader);
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut archive = tar::Archive::new(&mut reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let Some((key, number, ending)) = split(&name) else {
            continue;
        };
        let is_image = IMAGES.contains(&ending.as_str());
        if !entry.header().entry_type().is_file() || !(is_image || ending == "json") {
            continue;
        }
        let position = groups.len();
        let group = groups.entry(key.to_owned()).or_insert_with(|| Group {
            position,
            ..Group::default()
        });
        let image = if !is_image {
            group.json = Some(read_whole(&mut entry)?);
            continue;
        } else if compressed {
            let bytes = read_whole(&mut entry)?.into();
            let name = name.clone();
            ImageRef::Bytes { name, bytes }
        } else {
            ImageRef::Member {
                name: name.clone(),
                file,
                offset: entry.raw_file_position(),
                len: usize::try_from(entry.size()).map_err(io::Error::other)?,
            }
        };
        group.images.insert((number, name), image);
    }
    io::copy(&mut reader, &mut io::sink())?;
    if !reader.ended() {
        return Err(io::Error::other("its end mark is missing"));
    }
    Ok(groups)
}

/// All of a member: a shorter one is an error.
fn read_whole(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 == entry.size() {
        Ok(bytes)
    } else {
        Err(io::Error::other("it ends inside a member"))
    }
}

/// `path/KEY.NUMBER.ENDING` -> key with its path, number (0 without one) and ending in lower case.
/// As in WebDataset a key ends at its name's first point. Hidden files have none.
fn split(name: &str) -> Option<(&str, usize, String)> {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let point = base + name[base..].find('.').filter(|&point| point > 0)?;
    let rest = &name[point + 1..];
    let (number, ending) = match rest.split_once('.') {
        Some((number, ending)) => (number.parse().ok()?, ending),
        None => (0, rest),
    };
    Some((&name[..point], number, ending.to_ascii_lowercase()))
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Watches for the empty block that ends an archive: without it, one cut between two members would
/// pass for a whole one.
struct EndMark<R> {
    inner: R,
    zeros: usize,
}

impl<R> EndMark<R> {
    const fn new(inner: R) -> Self {
        Self { inner, zeros: 0 }
    }

    const fn ended(&self) -> bool {
        self.zeros >= 512
    }
}

impl<R: Read> Read for EndMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let zeros = buffer[..read].iter().rev().take_while(|&&b| b == 0).count();
        self.zeros = if zeros == read {
            self.zeros + read
        } else {
            zeros
        };
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_its_names_first_point() {
        assert_eq!(split("a/b.c/7.JPG"), Some(("a/b.c/7", 0, "jpg".to_owned())));
        assert_eq!(split("7.12.png"), Some(("7", 12, "png".to_owned())));
        assert_eq!(split("7.seg.png"), None);
        assert_eq!(split("a/.hidden"), None);
        assert_eq!(split("README"), None);
    }
}
