//! Tar shards with samples and their images, as our own reader and WebDataset's take them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use menagerie_core::weights::PARTIAL;

use super::error::InstructError;
use super::sample::Sample;
use crate::data::is_shard_image;

/// A shard that has so many bytes gets no further sample: 1 GiB.
pub(super) const BYTES: u64 = 1 << 30;

/// Makes the folder of shards `000000.tar`, `000001.tar`, … whole or not at all; one that is there is
/// replaced.
pub(super) fn write(
    folder: &Path,
    images: &Path,
    samples: impl Iterator<Item = Sample>,
    bytes: u64,
) -> Result<(), InstructError> {
    let failed = |source| InstructError::write(folder, source);
    let parent = folder.parent().unwrap_or(folder);
    let around = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(parent);
    let around = around.map_err(failed)?;
    let made = around.path().join("shards");
    fs::create_dir(&made).map_err(failed)?;
    let mut shard: Option<Shard> = None;
    let mut shards = 0;
    for (number, sample) in samples.enumerate() {
        if let Some(full) = shard.take_if(|shard| shard.bytes >= bytes) {
            full.finish().map_err(failed)?;
        }
        let current = match &mut shard {
            Some(shard) => shard,
            none => {
                let path = made.join(format!("{shards:06}.tar"));
                shards += 1;
                none.insert(Shard::create(&path).map_err(failed)?)
            }
        };
        current.push(number, &sample, images, folder)?;
    }
    if let Some(last) = shard {
        last.finish().map_err(failed)?;
    }
    if folder.exists() {
        // Out of the way first: a folder that holds something is not replaced by a rename.
        fs::rename(folder, around.path().join("before")).map_err(failed)?;
    }
    fs::rename(&made, folder).map_err(failed)
}

struct Shard {
    tar: tar::Builder<BufWriter<File>>,
    bytes: u64,
}

impl Shard {
    fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        Ok(Self {
            tar: tar::Builder::new(file),
            bytes: 0,
        })
    }

    /// Adds `NUMBER.json` and `NUMBER.jpg`: a sample's id may have characters that a key has not.
    fn push(
        &mut self,
        number: usize,
        sample: &Sample,
        images: &Path,
        folder: &Path,
    ) -> Result<(), InstructError> {
        let failed = |source| InstructError::write(folder, source);
        let ending = Path::new(&sample.image).extension();
        let ending = ending.unwrap_or_default().to_string_lossy().to_lowercase();
        if let Err(allowed) = is_shard_image(&ending) {
            return Err(InstructError::ImageKind {
                id: sample.id.clone(),
                image: sample.image.clone(),
                allowed: allowed.iter().map(|one| (*one).to_owned()).collect(),
            });
        }
        let json = serde_json::to_vec(&sample.written()).expect("plain data serialises");
        let name = format!("{number:09}");
        self.member(&format!("{name}.json"), &json)
            .map_err(failed)?;
        let path = images.join(&sample.image);
        let image = fs::read(&path).map_err(|source| InstructError::read(&path, source))?;
        self.member(&format!("{name}.{ending}"), &image)
            .map_err(failed)
    }

    fn member(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.bytes += 512 + bytes.len() as u64;
        self.tar.append_data(&mut header, name, bytes)
    }

    fn finish(self) -> io::Result<()> {
        let mut file = self.tar.into_inner()?;
        file.flush()?;
        file.get_ref().sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Pair;
    use super::super::response::ResponseType;
    use super::super::sample::turns;
    use super::*;

    fn sample(id: &str, image: &str) -> Sample {
        let pair = Pair {
            question: "What is it?".to_owned(),
            answer: "A dog.".to_owned(),
        };
        Sample {
            id: id.to_owned(),
            image: image.to_owned(),
            context: "1".to_owned(),
            kind: ResponseType::Reasoning,
            conversations: turns(&[pair]),
            flags: Vec::new(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn full_shards_are_followed_by_more_and_old_ones_are_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.b.JPG"), "an image").expect("written");
        let shards = folder.path().join("shards");
        let write = |count: usize, bytes| {
            let samples = (0..count).map(|n| sample(&format!("id/{n}.x"), "a.b.JPG"));
            super::write(&shards, folder.path(), samples, bytes).expect("written");
        };
        write(3, 1);
        assert_eq!(names(&shards), ["000000.tar", "000001.tar", "000002.tar"]);
        write(3, 1 << 20);
        assert_eq!(names(&shards), ["000000.tar"]);
        let file = File::open(shards.join("000000.tar")).expect("the shard");
        let mut archive = tar::Archive::new(file);
        let members = archive.entries().expect("an archive").map(|entry| {
            let entry = entry.expect("a member");
            entry.path().expect("a name").display().to_string()
        });
        let members: Vec<String> = members.collect();
        assert_eq!(members[..2], ["000000000.json", "000000000.jpg"]);
        assert_eq!(members.len(), 6);
        assert_eq!(names(folder.path()), ["a.b.JPG", "shards"]);

        let wrong = std::iter::once(sample("1", "a.heic"));
        let error = super::write(&shards, folder.path(), wrong, 1).expect_err("no such kind");
        assert!(error.to_string().contains("`a.heic`"), "{error}");
        assert_eq!(names(&shards), ["000000.tar"]);
    }
}
