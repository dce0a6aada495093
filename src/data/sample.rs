//! A sample as text and references to its images.

use std::path::PathBuf;
use std::sync::Arc;

use menagerie_core::chat::{IMAGE_MARK, Role, Turn};
use menagerie_core::recipe::{DataText, Turns};

use super::error::SampleError;
use super::json::Record;

/// A sample: what is said, and where its images lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The sample's id; a single question of a longer sample ends in `#0`, `#1`, ….
    pub id: String,
    /// Alternating, human first, the assistant last.
    pub turns: Vec<Turn>,
    /// The images, in the order of the `<image>`s of the turns.
    pub images: Vec<ImageRef>,
    /// Which of [`Dataset::files`](super::Dataset::files) it is from.
    pub file: usize,
}

/// Where an image lies.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageRef {
    /// A file named by JSON; without an image folder only its name is known.
    File {
        /// The name in the data.
        name: String,
        /// The file.
        path: Option<PathBuf>,
    },
    /// A member of an uncompressed shard, read when it is asked for.
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
    /// A member of a compressed shard, held as it is encoded.
    Bytes {
        /// The member's name.
        name: String,
        /// The image file's bytes.
        bytes: Arc<[u8]>,
    },
}

impl ImageRef {
    /// What to call it in a message.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Member { name, .. } | Self::Bytes { name, .. } => name,
        }
    }
}

/// Makes samples of a record: one, or one for each question.
///
/// As in the original, an answer that nobody asked for at the beginning is left out; so is a
/// question without an answer at the end.
pub(super) fn conversations(
    id: &str,
    record: Record,
    images: Vec<ImageRef>,
    file: usize,
    text: DataText,
    turns: Turns,
) -> Result<Vec<Conversation>, SampleError> {
    let mut said: Vec<Turn> = match text {
        DataText::Conversations => {
            let key = "conversations";
            let said = record.conversations.ok_or(SampleError::NoText { key })?;
            said.into_iter().map(Turn::from).collect()
        }
        DataText::Caption => {
            let key = "caption";
            let caption = record.caption.ok_or(SampleError::NoText { key })?;
            let question = IMAGE_MARK.repeat(images.len());
            vec![Turn::human(question), Turn::assistant(caption)]
        }
    };
    if said
        .first()
        .is_some_and(|turn| turn.role == Role::Assistant)
    {
        said.remove(0);
    }
    if said.last().is_some_and(|turn| turn.role == Role::Human) {
        said.pop();
    }
    let answered = |turn: &Turn| turn.role == Role::Assistant && !turn.text.trim().is_empty();
    if !said.iter().any(answered) {
        return Err(SampleError::NoAnswer);
    }
    menagerie_core::chat::check_order(&said)?;
    let markers = said.iter().map(Turn::images).sum();
    if markers != images.len() {
        let images = images.len();
        return Err(SampleError::ImageCount { markers, images });
    }
    let whole = Conversation {
        id: id.to_owned(),
        turns: said,
        images,
        file,
    };
    Ok(match turns {
        Turns::Together => vec![whole],
        Turns::Separate => separate(&whole),
    })
}

/// Each question with its answer and the images seen so far, those of earlier turns in front.
fn separate(whole: &Conversation) -> Vec<Conversation> {
    let mut seen = 0;
    let mut rounds = Vec::new();
    for (number, round) in whole.turns.chunks_exact(2).enumerate() {
        let mut turns = round.to_vec();
        let earlier = format!("{IMAGE_MARK}\n").repeat(seen);
        turns[0].text.insert_str(0, &earlier);
        seen += round.iter().map(Turn::images).sum::<usize>();
        if round[1].text.trim().is_empty() {
            continue;
        }
        rounds.push(Conversation {
            id: format!("{}#{number}", whole.id),
            turns,
            images: whole.images[..seen].to_vec(),
            file: whole.file,
        });
    }
    rounds
}
