//! WebDataset shards: tar archives with `KEY.json` and `KEY.png`, or `KEY.0.png`, `KEY.1.png`, ….

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::elements::Element;
use super::error::{DataError, SampleError};
use super::json;
use super::record::{Found, Record};
use super::sample::ImageRef;
use super::unpacked::Unpacked;

/// The endings of image members.
const IMAGES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether an ending, in lower case, is that of an image member; those that are, if it is not.
#[cfg(feature = "instruct")]
pub(crate) fn is_shard_image(ending: &str) -> Result<(), &'static [&'static str]> {
    if IMAGES.contains(&ending) {
        Ok(())
    } else {
        Err(&IMAGES)
    }
}

#[derive(Default)]
struct Group {
    position: usize,
    json: Option<Vec<u8>>,
    images: BTreeMap<(usize, String), ImageRef>,
}

/// Where an archive's images will lie.
enum Images<'u> {
    /// They stay in the shard, whose number this is.
    InPlace { file: usize, length: u64 },
    /// They are copied.
    Unpacked(&'u Unpacked),
}

pub(super) fn is_shard(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Indexes a shard, in the order of the archive. Images of an uncompressed one stay where they are
/// and are passed over, those of a compressed one are unpacked into a temporary file.
pub(super) fn read_shard(
    path: &Path,
    file: usize,
    unpacked: &Unpacked,
) -> Result<impl Iterator<Item = (String, Found)>, DataError> {
    let compressed = !path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("tar"));
    let unreadable = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let broken = |error: io::Error| DataError::Shard {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let open = File::open(path).map_err(unreadable)?;
    let groups = if compressed {
        let reader = MultiGzDecoder::new(BufReader::new(open));
        let mut archive = tar::Archive::new(EndMark::new(reader));
        let entries = archive.entries().map_err(broken)?;
        let groups = index(path, entries, &Images::Unpacked(unpacked))?;
        archive.into_inner().finish().map_err(broken)?;
        groups
    } else {
        let length = open.metadata().map_err(unreadable)?.len();
        let mut archive = tar::Archive::new(EndMark::new(BufReader::new(open)));
        let entries = archive.entries_with_seek().map_err(broken)?;
        let groups = index(path, entries, &Images::InPlace { file, length })?;
        archive.into_inner().finish().map_err(broken)?;
        groups
    };
    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| group.position);
    Ok(groups.into_iter().map(|(key, group)| {
        let record = record(path, &key, group.json);
        let images = group.images.into_values().collect();
        (key, record.map(|record| (record, images)))
    }))
}

fn index<R: Read>(
    path: &Path,
    entries: tar::Entries<'_, R>,
    images: &Images<'_>,
) -> Result<BTreeMap<String, Group>, DataError> {
    let broken = |error: io::Error| DataError::Shard {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for entry in entries {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_string_lossy().into_owned();
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
        if is_image {
            let image = images.take(path, name.clone(), &mut entry)?;
            group.images.insert((number, name), image);
        } else {
            group.json = Some(read_whole(&mut entry).map_err(broken)?);
        }
    }
    Ok(groups)
}

impl Images<'_> {
    /// Where the image `entry` lies from now on.
    fn take(
        &self,
        path: &Path,
        name: String,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<ImageRef, DataError> {
        let broken = |error: io::Error| DataError::Shard {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        match self {
            Self::InPlace { file, length } => {
                let (offset, size) = (entry.raw_file_position(), entry.size());
                if size > length.saturating_sub(offset) {
                    return Err(broken(ends_inside()));
                }
                Ok(ImageRef::Member {
                    name,
                    file: *file,
                    offset,
                    len: usize::try_from(size).map_err(|error| broken(io::Error::other(error)))?,
                })
            }
            Self::Unpacked(unpacked) => {
                let bytes = read_whole(entry).map_err(broken)?;
                let offset = unpacked.push(&bytes).map_err(|source| DataError::Unpack {
                    path: path.to_owned(),
                    source,
                })?;
                let len = bytes.len();
                Ok(ImageRef::Unpacked { name, offset, len })
            }
        }
    }
}

fn record(path: &Path, key: &str, text: Option<Vec<u8>>) -> Result<Record, DataError> {
    let text = text.ok_or_else(|| DataError::Sample {
        path: path.to_owned(),
        id: key.to_owned(),
        source: Box::new(SampleError::NoJson(key.to_owned())),
    })?;
    let element = Element {
        line: 1,
        column: 1,
        text,
    };
    json::record(&path.join(format!("{key}.json")), &element)
}

/// All of a member: a shorter one is an error.
fn read_whole(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 == entry.size() {
        Ok(bytes)
    } else {
        Err(ends_inside())
    }
}

fn ends_inside() -> io::Error {
    io::Error::other("it ends inside a member")
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

/// Watches for the empty block that ends an archive: without it, one cut between two members would
/// pass for a whole one.
struct EndMark<R> {
    inner: R,
    zeros: usize,
}

impl<R: Read> EndMark<R> {
    const fn new(inner: R) -> Self {
        Self { inner, zeros: 0 }
    }

    /// Reads to the end of the file: what was compressed is checked there.
    fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        if self.zeros < 512 {
            return Err(io::Error::other("its end mark is missing"));
        }
        Ok(())
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

impl<R: Seek> Seek for EndMark<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.zeros = 0;
        self.inner.seek(to)
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
