//! A sample as text and references to its images.

use menagerie_core::benchmark::Question;
use menagerie_core::chat::{Role, Turn};
use menagerie_core::serde_json::{Map, Value};

/// A sample: what is said, and where its images lie.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conversation {
    /// The sample's id; a single question of a longer sample ends in `#0`, `#1`, ….
    pub id: String,
    /// Alternating, human first, the assistant last.
    pub turns: Vec<Turn>,
    /// The images, in the order of the `<image>`s of the turns.
    pub images: Vec<ImageRef>,
    /// Which of [`Dataset::files`](super::Dataset::files) it is from.
    pub file: usize,
    /// What else a benchmark read of a question of its own; `None` of every other sample.
    pub fields: Option<Box<Map<String, Value>>>,
}

impl Conversation {
    /// The sample as a question: its last answer is the truth, and all before it is asked.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        let (turns, truth) = match self.turns.split_last() {
            Some((last, asked)) if last.role == Role::Assistant => (asked, last.text.as_str()),
            _ => (self.turns.as_slice(), ""),
        };
        let question = Question::new(&self.id, turns, truth);
        match &self.fields {
            Some(fields) => question.with_fields(fields),
            None => question,
        }
    }
}

/// Where an image lies. None is held in memory: it is read when it is asked for, with
/// [`Dataset::image`](super::Dataset::image).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageRef {
    /// A file of the image folder.
    File {
        /// The name in the data.
        name: String,
        /// Which of [`Dataset::files`](super::Dataset::files) names it.
        file: usize,
    },
    /// A member of an uncompressed shard.
    Member {
        /// The member's name.
        name: String,
        /// Which of [`Dataset::files`](super::Dataset::files) holds it.
        file: usize,
        /// Where its bytes begin.
        offset: u64,
        /// Number of bytes.
        len: usize,
    },
    /// A member of a compressed shard, which was unpacked into a temporary file.
    Unpacked {
        /// The member's name.
        name: String,
        /// Where its bytes begin in the temporary file.
        offset: u64,
        /// Number of bytes.
        len: usize,
    },
    /// A value of a Parquet file's image column.
    Cell {
        /// The path that the file states for it, or `row N`.
        name: String,
        /// Whether the name is a path: the image is that file where the column has no bytes.
        is_path: bool,
        /// Which of [`Dataset::files`](super::Dataset::files) holds it.
        file: usize,
        /// The row group.
        group: usize,
        /// Its place among the values of the row group's column, absent ones counted.
        place: usize,
    },
}

impl ImageRef {
    /// What to call it in a message.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. }
            | Self::Member { name, .. }
            | Self::Unpacked { name, .. }
            | Self::Cell { name, .. } => name,
        }
    }
}
