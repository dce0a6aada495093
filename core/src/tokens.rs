//! Text to token ids, image places and labels, and ids back to text.
//!
//! A rendered conversation is split at its images and each piece is tokenised by itself, as the
//! original LLaVA does; where the vocabulary has a token for images, it is tokenised whole, as
//! Hugging Face does. An image is one [`IMAGE_TOKEN`] until the model puts its features there.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use crate::chat::{IMAGE_MARK, RenderError, Rendered, Role, Template, Turn};

mod build;
mod config;
mod copies;
mod gguf;
mod load;
mod position;
mod protobuf;
mod sample;
mod sentencepiece;
mod stream;
mod vocabulary;
mod write;
mod write_gguf;

pub use load::TokenizerError;
pub use position::ImagePosition;
pub use sample::Sample;
pub use stream::StreamDecoder;
pub use vocabulary::{Piece, PieceKind, Vocabulary, VocabularyError, VocabularyKind};

/// Stands for an image among the ids, where its features go.
pub const IMAGE_TOKEN: i64 = -200;

/// The label of a token that is not supervised.
pub const IGNORE: i64 = -100;

/// A tokenizer with the special tokens that a language model needs. A clone shares its vocabulary.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    /// The same, but text that spells a special token stays text. Made when first needed.
    literal: OnceLock<Arc<tokenizers::Tokenizer>>,
    special: Arc<HashSet<u32>>,
    specials: Specials,
    /// What stands before and after every image.
    image_wrap: Option<Arc<[String; 2]>>,
}

/// The special tokens that have a part of their own.
#[derive(Debug, Clone, Copy, Default)]
struct Specials {
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
    adds_bos: bool,
}

/// A conversation that cannot be tokenised.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The template cannot write the turns.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Nothing to learn from.
    #[error(
        "no token is supervised: no turn by the assistant has text; answer it or leave the sample out"
    )]
    Unsupervised,
    /// Nothing to learn from is left.
    #[error(
        "no supervised token is left of {length} tokens cut to max_tokens = {max_tokens}; raise max_tokens, or shorten the sample or leave it out"
    )]
    CutAway {
        /// The limit.
        max_tokens: usize,
        /// Tokens before the cut, images at their full length.
        length: usize,
    },
    /// Template and tokenizer do not belong together.
    #[error(
        "the chat template `{template}` writes `{control}`, which is no token of this tokenizer; choose the template that the language model was trained with"
    )]
    MissingControl {
        /// The template's name.
        template: &'static str,
        /// What the tokenizer lacks.
        control: &'static str,
    },
    /// A turn spells a special token and a Jinja template rewrites turns.
    #[error(
        "turn {number} spells the special token `{token}`, and the model's own chat template rewrites what is said, so that the two cannot be told apart; take a built-in template (`chat = \"…\"`)"
    )]
    Spelt {
        /// Which turn, from 1.
        number: usize,
        /// The token.
        token: String,
    },
    /// The tokens that are to stand around images are not there.
    #[error(
        "`{token}` is to stand beside every image, and is no token of this tokenizer; the checkpoint states `mm_use_im_start_end`, so its own tokenizer should have it"
    )]
    MissingWrap {
        /// What the tokenizer lacks.
        token: String,
    },
    /// The tokenizer does not know its own image token in a text.
    #[error(
        "{found} of {images} images are left once the text is tokenised: the tokenizer has a token `{IMAGE_MARK}` and does not find it in texts; see to `normalized`, `lstrip` and `rstrip` of that token in tokenizer.json"
    )]
    LostImages {
        /// Images of the conversation.
        images: usize,
        /// Those that became tokens.
        found: usize,
    },
    /// The tokenizer itself failed.
    #[error("the tokenizer failed: {0}")]
    Backend(String),
}

impl From<tokenizers::Error> for EncodeError {
    fn from(error: tokenizers::Error) -> Self {
        Self::Backend(error.to_string())
    }
}

/// A token and the bytes of the rendered text that it stands for.
struct Placed {
    id: i64,
    bytes: Range<usize>,
}

impl Tokenizer {
    /// The id that begins a text, if there is one.
    #[must_use]
    pub const fn bos(&self) -> Option<u32> {
        self.specials.bos
    }

    /// The id that ends an answer, if there is one.
    #[must_use]
    pub const fn eos(&self) -> Option<u32> {
        self.specials.eos
    }

    /// The id that fills rows, if there is one.
    #[must_use]
    pub const fn pad(&self) -> Option<u32> {
        self.specials.pad
    }

    /// Number of tokens, added ones included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token, spelt exactly.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The spelling of an id in the vocabulary, if there is such an id.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Whether an id is a special token, which [`decode`](Self::decode) leaves out.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// The same tokenizer with the tokens `wrap` before and after every image of a conversation, as
    /// the original LLaVA does where its config says `mm_use_im_start_end`: `["<im_start>",
    /// "<im_end>"]`.
    ///
    /// # Errors
    /// One of them is no token.
    pub fn with_image_wrap(mut self, wrap: [&str; 2]) -> Result<Self, EncodeError> {
        if let Some(token) = wrap.into_iter().find(|token| self.id(token).is_none()) {
            let token = token.to_owned();
            return Err(EncodeError::MissingWrap { token });
        }
        self.image_wrap = Some(Arc::new(wrap.map(str::to_owned)));
        Ok(self)
    }

    /// A text's ids, without BOS. Special tokens that the text spells are recognised.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        Ok(self.inner.encode(text, false)?.get_ids().to_vec())
    }

    /// The text of ids, special tokens left out.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn decode(&self, ids: &[u32]) -> Result<String, EncodeError> {
        Ok(self.inner.decode(ids, true)?)
    }

    /// A conversation to learn from.
    ///
    /// # Errors
    /// Turns that do not alternate, a template of another tokenizer, or no supervised token.
    pub fn encode(&self, template: &Template, turns: &[Turn]) -> Result<Sample, EncodeError> {
        let rendered = self.prepared(template.render(turns)?, turns)?;
        let tokens = self.place(template, &rendered)?;
        let labels = tokens.iter().map(|token| {
            if token.id != IMAGE_TOKEN && is_supervised(&token.bytes, &rendered.supervised) {
                token.id
            } else {
                IGNORE
            }
        });
        let sample = Sample {
            labels: labels.collect(),
            input_ids: tokens.iter().map(|token| token.id).collect(),
        };
        if sample.supervised() == 0 || turns_have_no_answer(turns) {
            return Err(EncodeError::Unsupervised);
        }
        Ok(sample)
    }

    /// A conversation to be continued: the ids of a prompt, [`IMAGE_TOKEN`] at each image.
    ///
    /// # Errors
    /// Turns that do not alternate, or a template of another tokenizer.
    pub fn encode_prompt(
        &self,
        template: &Template,
        turns: &[Turn],
    ) -> Result<Vec<i64>, EncodeError> {
        let rendered = self.prepared(template.render_prompt(turns)?, turns)?;
        let tokens = self.place(template, &rendered)?;
        Ok(tokens.iter().map(|token| token.id).collect())
    }

    /// The tokens that end an answer: EOS, and the one that the template writes after an answer, if
    /// it is a special token.
    #[must_use]
    pub fn end_tokens(&self, template: &Template) -> Vec<i64> {
        let written = self.encode_text(template.end().trim_start());
        let first = written.ok().and_then(|ids| ids.first().copied());
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        let mut ends: Vec<i64> = first
            .filter(|id| added.contains_key(id))
            .into_iter()
            .chain(self.eos())
            .map(i64::from)
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// A rendering with its images wrapped, if that is asked for.
    fn prepared(&self, rendered: Rendered, turns: &[Turn]) -> Result<Rendered, EncodeError> {
        if rendered.typed.is_none() {
            for (number, turn) in (1..).zip(turns) {
                let ids = self.encode_text(&turn.text)?;
                let image = self.id(IMAGE_MARK);
                let mut special = ids.iter().filter(|&&id| self.is_special(id));
                if let Some(&id) = special.find(|&&id| Some(id) != image) {
                    let token = self.token(id).unwrap_or_default();
                    return Err(EncodeError::Spelt { number, token });
                }
            }
        }
        Ok(match self.image_wrap.as_deref() {
            Some([before, after]) => rendered.wrap_images(before, after),
            None => rendered,
        })
    }

    fn place(&self, template: &Template, rendered: &Rendered) -> Result<Vec<Placed>, EncodeError> {
        let controls = template.controls().iter();
        let mut missing = controls.filter(|control| self.id(control).is_none());
        if let Some(&control) = missing.find(|&&control| rendered.text.contains(control)) {
            let template = template.name();
            return Err(EncodeError::MissingControl { template, control });
        }
        let mut tokens = Vec::new();
        if let Some(image) = self.image_id() {
            self.place_piece(rendered, 0..rendered.text.len(), &mut tokens)?;
            for token in &mut tokens {
                if token.id == image && rendered.is_image(&token.bytes) {
                    token.id = IMAGE_TOKEN;
                }
            }
            let found = tokens
                .iter()
                .filter(|token| token.id == IMAGE_TOKEN)
                .count();
            let images = rendered.images.len();
            if found != images {
                return Err(EncodeError::LostImages { images, found });
            }
        } else {
            let mut start = 0;
            for image in &rendered.images {
                self.place_piece(rendered, start..image.start, &mut tokens)?;
                tokens.push(Placed {
                    id: IMAGE_TOKEN,
                    bytes: image.clone(),
                });
                start = image.end;
            }
            self.place_piece(rendered, start..rendered.text.len(), &mut tokens)?;
        }
        // A model's own template may write BOS itself.
        let bos = self
            .specials
            .bos
            .filter(|_| self.specials.adds_bos)
            .map(i64::from);
        if let Some(id) = bos.filter(|&bos| tokens.first().is_none_or(|token| token.id != bos)) {
            tokens.insert(0, Placed { id, bytes: 0..0 });
        }
        Ok(tokens)
    }

    /// The id of the image mark, where it is a special token, as in Hugging Face's ports: a text is
    /// tokenised there with its images in place, which matters for the space before a word.
    fn image_id(&self) -> Option<i64> {
        let id = self.id(IMAGE_MARK).filter(|&id| self.is_special(id))?;
        Some(id.into())
    }

    /// Tokenises a part of the text.
    fn place_piece(
        &self,
        rendered: &Rendered,
        piece: Range<usize>,
        tokens: &mut Vec<Placed>,
    ) -> Result<(), EncodeError> {
        let first = tokens.len();
        place_text(&self.inner, &rendered.text, piece.clone(), tokens)?;
        let special = |token: &&Placed| u32::try_from(token.id).is_ok_and(|id| self.is_special(id));
        let special = tokens[first..].iter().filter(special);
        let Some(typed) = &rendered.typed else {
            return Ok(());
        };
        let (said, own): (Vec<_>, Vec<_>) =
            special.map(|token| token.bytes.clone()).partition(|bytes| {
                let is_image = rendered.is_image(bytes);
                !is_image && typed.iter().any(|typed| overlap(typed, bytes))
            });
        // A turn that spells `</s>` must not end the conversation: only then is the piece taken
        // apart at the template's own control tokens, and the rest read literally.
        if !said.is_empty() {
            tokens.truncate(first);
            self.place_literally(&rendered.text, piece, &own, tokens)?;
        }
        Ok(())
    }

    fn place_literally(
        &self,
        text: &str,
        piece: Range<usize>,
        controls: &[Range<usize>],
        tokens: &mut Vec<Placed>,
    ) -> Result<(), EncodeError> {
        let literal = self.literal.get_or_init(|| {
            let mut literal = tokenizers::Tokenizer::clone(&self.inner);
            literal.set_encode_special_tokens(true);
            Arc::new(literal)
        });
        let mut start = piece.start;
        for control in controls {
            place_text(literal, text, start..control.start, tokens)?;
            place_text(&self.inner, text, control.clone(), tokens)?;
            start = control.end;
        }
        place_text(literal, text, start..piece.end, tokens)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("bos", &self.bos())
            .field("eos", &self.eos())
            .field("pad", &self.pad())
            .finish_non_exhaustive()
    }
}

fn turns_have_no_answer(turns: &[Turn]) -> bool {
    turns
        .iter()
        .filter(|turn| turn.role == Role::Assistant)
        .all(|turn| turn.text.trim().is_empty())
}

/// Appends the tokens of a part of `text`. What the tokenizer leaves out of a token's place, such
/// as a space before a word, counts to the token after it.
fn place_text(
    tokenizer: &tokenizers::Tokenizer,
    text: &str,
    part: Range<usize>,
    tokens: &mut Vec<Placed>,
) -> Result<(), EncodeError> {
    if part.is_empty() {
        return Ok(());
    }
    let encoding = tokenizer.encode(&text[part.clone()], false)?;
    let mut reached = part.start;
    for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
        let bytes = reached.min(part.start + start)..part.start + end;
        reached = reached.max(bytes.end);
        tokens.push(Placed {
            id: id.into(),
            bytes,
        });
    }
    Ok(())
}

/// Whether a token lies in a span, at least in part. A token without bytes, such as the space that
/// SentencePiece puts before a text, belongs to the byte that follows.
fn is_supervised(token: &Range<usize>, spans: &[Range<usize>]) -> bool {
    spans.iter().any(|span| {
        if token.is_empty() {
            span.contains(&token.start)
        } else {
            overlap(token, span)
        }
    })
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests;
