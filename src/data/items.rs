//! Questions that a benchmark reads by itself, as a data set.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use menagerie_core::benchmark::{Item, ItemImage};
use menagerie_core::chat::{Role, Turn, check_order};

use super::dataset::{DataFile, Dataset};
use super::error::{DataError, SampleError};
use super::sample::{Conversation, ImageRef};

impl Dataset {
    /// The questions that a benchmark read from `files`, each a sample whose last turn is the truth.
    /// Images that lie within other files go to a temporary one.
    ///
    /// # Errors
    /// A file that cannot be read; no question; or one whose id another has, whose turns do not
    /// alternate or end with the human, or with more or fewer `<image>`s than images.
    pub fn of_items(files: &[PathBuf], items: Vec<Item>) -> Result<Self, DataError> {
        let mut dataset = Self {
            files: files
                .iter()
                .map(|path| hashed(path))
                .collect::<Result<_, _>>()?,
            folders: vec![Some(PathBuf::new()); files.len()],
            pages: files.iter().map(|_| None).collect(),
            ..Self::default()
        };
        let path = files.first().cloned().unwrap_or_default();
        if items.is_empty() {
            return Err(DataError::Empty { path });
        }
        let mut ids = HashSet::new();
        let mut kept = HashMap::new();
        for item in items {
            let wrong = check(&item, &mut ids).err();
            if let Some(source) = wrong {
                return Err(DataError::Sample {
                    path,
                    id: item.id,
                    source: Box::new(source),
                });
            }
            let images = item.images.iter();
            let images = images
                .map(|image| dataset.keep(image, &mut kept))
                .collect::<std::io::Result<_>>()
                .map_err(|source| DataError::Unpack {
                    path: path.clone(),
                    source,
                })?;
            let mut turns = item.turns;
            turns.push(Turn::assistant(item.truth));
            dataset.samples.push(Conversation {
                id: item.id,
                turns,
                images,
                file: 0,
                fields: Some(Box::new(item.fields)),
            });
        }
        dataset.sets.push(0..dataset.samples.len());
        Ok(dataset)
    }

    /// Where an image lies; bytes that several questions share are kept once.
    fn keep(&self, image: &ItemImage, kept: &mut Kept) -> std::io::Result<ImageRef> {
        match image {
            ItemImage::Bytes { name, bytes } => {
                if let Some((_, image)) = kept.get(&bytes.as_ptr()) {
                    return Ok(image.clone());
                }
                let image = ImageRef::Unpacked {
                    name: name.clone(),
                    offset: self.unpacked.push(bytes)?,
                    len: bytes.len(),
                };
                kept.insert(bytes.as_ptr(), (Arc::clone(bytes), image.clone()));
                Ok(image)
            }
            ItemImage::File(path) => Ok(ImageRef::File {
                name: path.to_string_lossy().into_owned(),
                file: 0,
            }),
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Bytes by where they lie; they are held, so that no others come to lie there.
type Kept = HashMap<*const u8, (Arc<[u8]>, ImageRef)>;

fn hashed(path: &Path) -> Result<DataFile, DataError> {
    // A folder stands for what a benchmark lists by itself.
    DataFile::of(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })
}

fn check(item: &Item, ids: &mut HashSet<String>) -> Result<(), SampleError> {
    if !ids.insert(item.id.clone()) {
        return Err(SampleError::RepeatedId);
    }
    check_order(&item.turns)?;
    if item
        .turns
        .last()
        .is_none_or(|turn| turn.role != Role::Human)
    {
        return Err(SampleError::NoQuestion);
    }
    let markers = item.turns.iter().map(Turn::images).sum();
    let images = item.images.len();
    if markers != images {
        return Err(SampleError::ImageCount { markers, images });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("questions.txt");
        std::fs::write(&file, "abc").expect("written");
        (folder, file)
    }

    #[test]
    fn items_are_questions_with_their_images_and_fields() {
        let (folder, file) = folder();
        let picture = folder.path().join("a.png");
        std::fs::write(&picture, "a file").expect("written");
        let bytes: Arc<[u8]> = Arc::from(&b"bytes"[..]);
        let within = ItemImage::Bytes {
            name: "row 1".to_owned(),
            bytes,
        };
        let items = vec![
            Item::new("one", "<image>\nwhich?")
                .with_image(ItemImage::File(picture))
                .with_truth("red")
                .with_field("split", "random"),
            Item::new("two", "<image>what?").with_image(within.clone()),
            Item::new("three", "<image>and <image>?")
                .with_image(within.clone())
                .with_image(within),
        ];
        let data = Dataset::of_items(std::slice::from_ref(&file), items).expect("data");
        let question = data.sample(0).question();
        assert_eq!((question.id, question.truth), ("one", "red"));
        assert_eq!(
            (question.text().as_str(), question.word("split")),
            ("which?", "random")
        );
        assert_eq!(data.sample(1).question().truth, "");
        assert_eq!(data.images(0).expect("read"), [b"a file"]);
        assert_eq!(data.images(2).expect("read"), [b"bytes", b"bytes"]);
        assert_eq!(
            data.sample(1).images[0],
            data.sample(2).images[1],
            "kept once"
        );
        data.check_images().expect("they are there");
        let [known] = data.files() else {
            panic!("one file")
        };
        assert_eq!((known.path.clone(), known.bytes), (file, 3));
        assert!(known.sha256.starts_with("ba7816bf"), "SHA-256 of `abc`");
    }

    #[test]
    fn an_item_that_is_no_question_is_named() {
        let (_folder, file) = folder();
        let wrong = |items: Vec<Item>| {
            let error = Dataset::of_items(std::slice::from_ref(&file), items).unwrap_err();
            crate::data::error::chain(&error)
        };
        assert!(wrong(Vec::new()).ends_with("holds no sample"));
        let said = wrong(vec![Item::new("a", "which?"), Item::new("a", "what?")]);
        assert!(
            said.contains("sample `a`: another question has this id"),
            "{said}"
        );
        let said = wrong(vec![Item::new("a", "<image>which?")]);
        assert!(
            said.contains("its text has 1 `<image>`, but it has 0 images"),
            "{said}"
        );
        let mut answered = Item::new("a", "which?");
        answered.turns.push(Turn::assistant("red"));
        let said = wrong(vec![answered]);
        assert!(said.contains("its last turn is no question"), "{said}");
    }
}
