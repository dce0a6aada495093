//! A vocabulary as a tokenizer of the `tokenizers` library.

use std::collections::HashMap;

use tokenizers::AddedToken;

use super::vocabulary::{PieceKind, Vocabulary, VocabularyError, VocabularyKind};
use super::{Specials, Tokenizer};

mod byte_level;
mod charsmap;
mod sentencepiece;

pub(super) use byte_level::words_of;

/// Tokens of a vocabulary that are read: four times as many as the largest in use has.
const TOKEN_LIMIT: usize = 1 << 20;

impl Tokenizer {
    /// A tokenizer of a vocabulary's parts, which may come from a SentencePiece model, a GGUF file or
    /// `vocab.json` and `merges.txt`.
    ///
    /// Control tokens are special: left out of decoded text, and recognised in text as user-defined
    /// tokens are.
    ///
    /// # Errors
    /// A vocabulary that contradicts itself or that is taken apart in a way not known here.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Self, VocabularyError> {
        let ids = ids(&vocabulary)?;
        for (role, id) in [
            ("bos", vocabulary.bos),
            ("eos", vocabulary.eos),
            ("unk", vocabulary.unk),
            ("pad", vocabulary.pad),
        ] {
            if let Some(id) = id.filter(|&id| vocabulary.text(id).is_none()) {
                let tokens = vocabulary.pieces.len();
                return Err(VocabularyError::NoSuchId { role, id, tokens });
            }
        }
        let mut inner = match &vocabulary.kind {
            VocabularyKind::SentencePieceBpe => sentencepiece::bpe(&vocabulary, ids)?,
            VocabularyKind::SentencePieceUnigram => sentencepiece::unigram(&vocabulary)?,
            VocabularyKind::ByteLevelBpe { pre } => byte_level::bpe(pre, ids, vocabulary.merges)?,
        };
        let added = vocabulary.pieces.into_iter().filter_map(|piece| {
            let special = match piece.kind {
                PieceKind::Control | PieceKind::Unknown => true,
                PieceKind::UserDefined => false,
                PieceKind::Normal | PieceKind::Unused | PieceKind::Byte => return None,
            };
            Some(AddedToken::from(piece.text, special).normalized(false))
        });
        inner.add_tokens(added.collect::<Vec<_>>())?;
        let specials = Specials {
            bos: vocabulary.bos,
            eos: vocabulary.eos,
            pad: vocabulary.pad,
            adds_bos: vocabulary.add_bos,
        };
        Ok(Self::new(inner, specials))
    }
}

type Ids = HashMap<String, u32>;

/// The id of each token, all of which are different.
fn ids(vocabulary: &Vocabulary) -> Result<Ids, VocabularyError> {
    let pieces = &vocabulary.pieces;
    if pieces.is_empty() || pieces.len() > TOKEN_LIMIT {
        let (found, limit) = (pieces.len(), TOKEN_LIMIT);
        return Err(VocabularyError::Size { found, limit });
    }
    let mut ids = Ids::with_capacity(pieces.len());
    for (number, piece) in (0..).zip(pieces) {
        let id = number as usize;
        if piece.text.is_empty() {
            return Err(VocabularyError::EmptyPiece { id });
        }
        if let Some(first) = ids.insert(piece.text.clone(), number) {
            return Err(VocabularyError::Duplicate {
                text: piece.text.clone(),
                first: first as usize,
                second: id,
            });
        }
    }
    Ok(ids)
}
