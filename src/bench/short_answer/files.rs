//! The files that questions are read from.

use std::fmt;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Files, FilesError, Item, ItemImage, read_json_lines};
use menagerie_core::chat::IMAGE_MARK;
use serde::Deserialize;

use super::prompt::WORD_FOR_WORD;

/// An id is text or a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged, expecting = "an id must be text or a whole number")]
pub(in crate::bench) enum Id {
    Number(i64),
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}

/// The first file that there is of several names.
///
/// # Errors
/// There is none; the error has the first name.
pub(in crate::bench) fn find_any(files: &Files<'_>, names: &[&str]) -> Result<PathBuf, FilesError> {
    let (first, others) = names.split_first().expect("a name");
    files.find(first).or_else(|missing| {
        let found = others.iter().find_map(|name| files.find(name).ok());
        found.ok_or(missing)
    })
}

/// The first file that the user names, itself and not its folder, whose name is one of those meant.
pub(in crate::bench) fn named(
    files: &Files<'_>,
    is_meant: impl Fn(&str) -> bool,
) -> Option<PathBuf> {
    let mut paths = files.paths.iter().filter(|path| !path.is_dir());
    paths.find(|path| is_meant(file_name(path))).cloned()
}

/// A file's name; empty if it has none in Unicode.
pub(in crate::bench) fn file_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

/// The folder of the images: the one that the user names, or the first of the `usual` ones in a folder
/// of theirs, or the first of these beside the file of questions, where it may be missing.
pub(in crate::bench) fn image_folder(
    files: &Files<'_>,
    questions: &Path,
    usual: &[&str],
) -> PathBuf {
    if let Some(folder) = files.images {
        return folder.to_owned();
    }
    let beside = questions.parent().unwrap_or(Path::new(""));
    let folders = files.paths.iter().map(PathBuf::as_path).chain([beside]);
    let mut inside = folders.flat_map(|folder| usual.iter().map(|name| folder.join(name)));
    inside
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| beside.join(usual[0]))
}

/// A question about one image.
pub(in crate::bench) fn item(id: impl Into<String>, question: &str, image: PathBuf) -> Item {
    Item::new(id, format!("{IMAGE_MARK}\n{question}")).with_image(ItemImage::File(image))
}

/// A line of LLaVA's own files of questions: the text has the prompt in it.
#[derive(Debug, Deserialize)]
pub(in crate::bench) struct LlavaLine {
    pub question_id: Id,
    pub image: String,
    pub text: String,
    #[serde(default)]
    pub category: String,
}

impl LlavaLine {
    /// The lines of such a file, with their numbers.
    pub(in crate::bench) fn read(path: &Path) -> Result<Vec<(usize, Self)>, FilesError> {
        read_json_lines(path)
    }

    /// The question, asked word for word.
    pub(in crate::bench) fn item(&self, id: impl Into<String>, images: &Path) -> Item {
        item(id, &self.text, images.join(&self.image)).with_field(WORD_FOR_WORD, true)
    }
}
