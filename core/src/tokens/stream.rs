//! Text out of ids that come one by one.

use super::{EncodeError, Tokenizer};

/// What a decoder writes for bytes that are no character (yet).
const REPLACEMENT: char = '\u{FFFD}';

/// Turns ids into text as they come, whole characters only.
///
/// All parts joined, with [`finish`](Self::finish), are what [`Tokenizer::decode`] makes of all
/// ids. (A token's text depends on those before it: SentencePiece drops the space of the first word
/// only, and a character may be spread over several byte tokens.) The one exception is a model that
/// writes bytes that are no UTF-8 right after a character written in bytes: the character is out by
/// then, where decoding all at once would spoil it too.
#[derive(Debug)]
pub struct StreamDecoder<'t> {
    tokenizer: &'t Tokenizer,
    /// The ids whose text is out but which the next depend on, and those whose text is not.
    ids: Vec<u32>,
    /// How many of `ids` are out.
    written: usize,
}

impl<'t> StreamDecoder<'t> {
    /// A decoder at the beginning of a text.
    #[must_use]
    pub const fn new(tokenizer: &'t Tokenizer) -> Self {
        Self {
            tokenizer,
            ids: Vec::new(),
            written: 0,
        }
    }

    /// Takes the next id. Gives the text that is certain by now: often the token's own, sometimes
    /// none. A special token has no text.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn push(&mut self, id: u32) -> Result<String, EncodeError> {
        if self.tokenizer.is_special(id) {
            return Ok(String::new());
        }
        self.ids.push(id);
        let text = self.pending()?;
        if text.is_empty() || text.ends_with(REPLACEMENT) {
            return Ok(String::new());
        }
        self.ids.drain(..self.written);
        self.written = self.ids.len();
        Ok(text)
    }

    /// The rest, at the end of the text: an unfinished character becomes U+FFFD.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn finish(&self) -> Result<String, EncodeError> {
        self.pending()
    }

    fn pending(&self) -> Result<String, EncodeError> {
        let before = self.tokenizer.decode(&self.ids[..self.written])?;
        let all = self.tokenizer.decode(&self.ids)?;
        match all.strip_prefix(&before) {
            Some(text) => Ok(text.to_owned()),
            None => self.tokenizer.decode(&self.ids[self.written..]),
        }
    }
}
