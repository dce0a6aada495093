//! A sample as any file has it, before it is checked.

use menagerie_core::chat::{IMAGE_MARK, Role, Turn};
use menagerie_core::recipe::{DataText, Turns};

use super::error::{DataError, SampleError};
use super::sample::{Conversation, ImageRef};

/// A sample as any file has it.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub id: Option<String>,
    /// Names of image files; empty where the images lie in the data file itself.
    pub images: Vec<String>,
    pub turns: Option<Vec<Turn>>,
    pub caption: Option<String>,
}

/// A sample with its images, or what is wrong with it alone.
pub(super) type Found = Result<(Record, Vec<ImageRef>), DataError>;

/// Takes the samples of a file in their order, each with a key in place of an id that it does not
/// state. An error ends the reading.
pub(super) type Take<'t> = dyn FnMut(String, Found) -> Result<(), DataError> + 't;

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
            record.turns.ok_or(SampleError::NoText { key })?
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
    // There may be many of them: what they do not need is given back.
    said.shrink_to_fit();
    let whole = Conversation {
        id: id.to_owned(),
        turns: said,
        images,
        file,
        fields: None,
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
            fields: None,
        });
    }
    rounds
}
