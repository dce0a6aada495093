//! The tokenizer in a GGUF file's metadata.

use std::collections::BTreeMap;

use super::load::TokenizerError;
use super::{Piece, PieceKind, Tokenizer, Vocabulary, VocabularyKind};
use crate::chat::{JinjaError, Template};
use crate::weights::WeightError;
use crate::weights::gguf::Gguf;

/// What the metadata of a tokenizer begins with.
const PREFIX: &str = "tokenizer.ggml.";

impl Tokenizer {
    /// The tokenizer that a GGUF file brings in its metadata.
    ///
    /// # Errors
    /// It brings none, or one of a kind that is not read.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let broken = |reason: String| TokenizerError::Parse {
            path: gguf.path().to_owned(),
            reason,
        };
        let vocabulary = vocabulary(gguf).map_err(|error| broken(error.to_string()))?;
        let vocabulary = vocabulary.map_err(broken)?;
        Self::from_vocabulary(vocabulary).map_err(|source| TokenizerError::Vocabulary {
            path: gguf.path().to_owned(),
            source,
        })
    }
}

impl Template {
    /// The Jinja template that a GGUF file brings in its metadata, if it does.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn from_gguf(gguf: &Gguf) -> Result<Option<Self>, JinjaError> {
        let text = |key: &str| gguf.get::<&str>(key).ok().flatten();
        let Some(source) = text("tokenizer.chat_template") else {
            return Ok(None);
        };
        let tokens = gguf
            .get::<&[String]>("tokenizer.ggml.tokens")
            .ok()
            .flatten();
        let mut names = BTreeMap::new();
        for (name, key) in [
            ("bos_token", "bos"),
            ("eos_token", "eos"),
            ("pad_token", "padding"),
        ] {
            let id = gguf
                .get::<usize>(&format!("{PREFIX}{key}_token_id"))
                .ok()
                .flatten();
            if let Some(token) = id.and_then(|id| tokens?.get(id)) {
                names.insert(name.to_owned(), token.clone());
            }
        }
        Self::jinja(source, names).map(Some)
    }
}

/// The vocabulary; the inner error is about what it says, the outer about how it is written.
fn vocabulary(gguf: &Gguf) -> Result<Result<Vocabulary, String>, WeightError> {
    let key = |name: &str| format!("{PREFIX}{name}");
    let kind = match gguf.require::<&str>(&key("model"))? {
        "llama" => VocabularyKind::SentencePieceBpe,
        "gpt2" => VocabularyKind::ByteLevelBpe {
            pre: gguf
                .get::<&str>(&key("pre"))?
                .unwrap_or("default")
                .to_owned(),
        },
        other => {
            let problem = format!("`{PREFIX}model` is `{other}`; `llama` and `gpt2` are read");
            return Ok(Err(problem));
        }
    };
    let tokens = gguf.require::<&[String]>(&key("tokens"))?;
    let scores = gguf.get::<&[f64]>(&key("scores"))?.unwrap_or_default();
    let kinds = gguf.get::<&[i64]>(&key("token_type"))?.unwrap_or_default();
    for (name, len) in [("scores", scores.len()), ("token_type", kinds.len())] {
        if len != 0 && len != tokens.len() {
            let count = tokens.len();
            return Ok(Err(format!(
                "`{PREFIX}{name}` has {len} entries for {count} tokens"
            )));
        }
    }
    let mut vocabulary = Vocabulary::new(kind);
    for (id, text) in tokens.iter().enumerate() {
        let number = kinds.get(id).copied().unwrap_or(1);
        let kind = u64::try_from(number).ok().and_then(PieceKind::from_number);
        let Some(kind) = kind else {
            return Ok(Err(format!("token {id} is of the unknown kind {number}")));
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "scores are f32 in the file"
        )]
        let score = scores.get(id).copied().unwrap_or_default() as f32;
        vocabulary.pieces.push(Piece {
            text: text.clone(),
            score,
            kind,
        });
    }
    for (number, merge) in (1..).zip(gguf.get::<&[String]>(&key("merges"))?.unwrap_or_default()) {
        // A part may begin with a space's own sign, but never with a space.
        let Some((left, right)) = merge.split_once(' ') else {
            return Ok(Err(format!(
                "merge {number}, `{merge}`, is not of two parts"
            )));
        };
        vocabulary.merges.push((left.to_owned(), right.to_owned()));
    }
    let id = |name: &str| -> Result<Option<u32>, WeightError> {
        let id = gguf.get::<usize>(&key(name))?;
        Ok(id.and_then(|id| u32::try_from(id).ok()))
    };
    vocabulary.bos = id("bos_token_id")?;
    vocabulary.eos = id("eos_token_id")?;
    vocabulary.unk = id("unknown_token_id")?;
    vocabulary.pad = id("padding_token_id")?;
    let is_sentencepiece = vocabulary.kind == VocabularyKind::SentencePieceBpe;
    // llama.cpp puts BOS before a SentencePiece text where the file says nothing.
    vocabulary.add_bos = gguf
        .get::<bool>(&key("add_bos_token"))?
        .unwrap_or(is_sentencepiece);
    vocabulary.add_space_prefix = gguf.get::<bool>(&key("add_space_prefix"))?.unwrap_or(true);
    Ok(Ok(vocabulary))
}
