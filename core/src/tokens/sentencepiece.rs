//! SentencePiece's `tokenizer.model`, a message `ModelProto` of its `sentencepiece_model.proto`.

use super::protobuf::{Fields, Wire};
use super::vocabulary::{Piece, PieceKind, Vocabulary, VocabularyKind};

impl Vocabulary {
    /// Reads a SentencePiece model: byte-pair encoding or unigram. Whether BOS goes in front of a
    /// text is no part of the file; here it does if the model has a BOS, as LLaMA's tokenizer does.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_sentencepiece(model: &[u8]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut trainer = Trainer::default();
        let mut normalizer = Normalizer::default();
        for field in Fields::new(model) {
            match field? {
                (1, Wire::Bytes(message)) => {
                    let piece = piece(message);
                    pieces.push(piece.map_err(|error| format!("token {}: {error}", pieces.len()))?);
                }
                (2, Wire::Bytes(message)) => trainer.read(message)?,
                (3, Wire::Bytes(message)) => normalizer.read(message)?,
                _ => {}
            }
        }
        if pieces.is_empty() {
            return Err("no token in it".to_owned());
        }
        let kind = match trainer.model_type {
            1 => VocabularyKind::SentencePieceUnigram,
            2 => VocabularyKind::SentencePieceBpe,
            other => {
                return Err(format!(
                    "its model type is {other}; 1 (unigram) and 2 (bpe) are read"
                ));
            }
        };
        if trainer.space_is_suffix {
            return Err("treat_whitespace_as_suffix is set, which is not read here".to_owned());
        }
        if !normalizer.escapes_spaces {
            return Err("escape_whitespaces is off, which is not read here".to_owned());
        }
        // A negative id is none; what is out of range is found when the tokenizer is built.
        let id = |id: i32| u32::try_from(id).ok();
        let bos = id(trainer.bos);
        Ok(Self {
            pieces,
            bos,
            eos: id(trainer.eos),
            unk: id(trainer.unk),
            pad: id(trainer.pad),
            add_bos: bos.is_some(),
            add_space_prefix: normalizer.adds_prefix,
            remove_extra_whitespaces: normalizer.removes_spaces,
            charsmap: normalizer.charsmap,
            ..Self::new(kind)
        })
    }
}

fn piece(message: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece::default();
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| "its text is no UTF-8")?;
                text.clone_into(&mut piece.text);
            }
            (2, Wire::Float(score)) => piece.score = score,
            (3, Wire::Number(kind)) => {
                let known = PieceKind::from_number(kind);
                piece.kind = known.ok_or_else(|| format!("its type is {kind}, of 1 to 6"))?;
            }
            _ => {}
        }
    }
    Ok(piece)
}

/// What matters of `TrainerSpec`, with its defaults.
struct Trainer {
    model_type: u64,
    space_is_suffix: bool,
    unk: i32,
    bos: i32,
    eos: i32,
    pad: i32,
}

impl Default for Trainer {
    fn default() -> Self {
        Self {
            model_type: 1,
            space_is_suffix: false,
            unk: 0,
            bos: 1,
            eos: 2,
            pad: -1,
        }
    }
}

impl Trainer {
    fn read(&mut self, message: &[u8]) -> Result<(), String> {
        for field in Fields::new(message) {
            match field? {
                (3, Wire::Number(kind)) => self.model_type = kind,
                (24, Wire::Number(flag)) => self.space_is_suffix = flag != 0,
                (40, Wire::Number(id)) => self.unk = int32(id),
                (41, Wire::Number(id)) => self.bos = int32(id),
                (42, Wire::Number(id)) => self.eos = int32(id),
                (43, Wire::Number(id)) => self.pad = int32(id),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An `int32` is written as the low half of its 64 bits.
#[allow(clippy::cast_possible_truncation)]
const fn int32(number: u64) -> i32 {
    number as i32
}

/// What matters of `NormalizerSpec`, with its defaults.
struct Normalizer {
    charsmap: Vec<u8>,
    adds_prefix: bool,
    removes_spaces: bool,
    escapes_spaces: bool,
}

impl Default for Normalizer {
    fn default() -> Self {
        Self {
            charsmap: Vec::new(),
            adds_prefix: true,
            removes_spaces: true,
            escapes_spaces: true,
        }
    }
}

impl Normalizer {
    fn read(&mut self, message: &[u8]) -> Result<(), String> {
        for field in Fields::new(message) {
            match field? {
                (2, Wire::Bytes(table)) => table.clone_into(&mut self.charsmap),
                (3, Wire::Number(flag)) => self.adds_prefix = flag != 0,
                (4, Wire::Number(flag)) => self.removes_spaces = flag != 0,
                (5, Wire::Number(flag)) => self.escapes_spaces = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }
}
