//! A vocabulary as its parts, from whichever file they come.

use thiserror::Error;

/// How a text is taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VocabularyKind {
    /// SentencePiece with byte-pair encoding: LLaMA, Vicuna. Merges follow from the scores. In a
    /// GGUF file, `tokenizer.ggml.model` = `llama`.
    SentencePieceBpe,
    /// SentencePiece with a unigram model.
    SentencePieceUnigram,
    /// Byte-pair encoding over bytes: GPT-2, Qwen2, Llama 3. In a GGUF file, `tokenizer.ggml.model`
    /// = `gpt2`.
    ByteLevelBpe {
        /// How a text is split into words before: `qwen2`, `llama-bpe`, or GPT-2's as `gpt-2` or
        /// `default`. In a GGUF file, `tokenizer.ggml.pre`.
        pre: String,
    },
}

/// What a token of a vocabulary is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PieceKind {
    /// A piece of text.
    #[default]
    Normal,
    /// Stands for what the vocabulary cannot write.
    Unknown,
    /// A special token, such as `</s>`.
    Control,
    /// A text that is always one token.
    UserDefined,
    /// Not in use.
    Unused,
    /// A byte, spelt `<0x0A>`.
    Byte,
}

impl PieceKind {
    /// The kind of this number, in a SentencePiece model as well as in a GGUF file's
    /// `tokenizer.ggml.token_type`.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }

    /// The number that [`PieceKind::from_number`] takes.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Normal => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::UserDefined => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// A token of a vocabulary. Its place in the list is its id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// How it is spelt in the vocabulary: a space is `▁` in SentencePiece and `Ġ` over bytes.
    pub text: String,
    /// SentencePiece: the higher, the earlier its parts are merged. No matter to byte-level BPE.
    pub score: f32,
    /// What it is.
    pub kind: PieceKind,
}

/// All that a tokenizer is made of: [`Tokenizer::from_vocabulary`](super::Tokenizer::from_vocabulary).
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // independent flags, as the files have them
pub struct Vocabulary {
    /// How a text is taken apart.
    pub kind: VocabularyKind,
    /// The tokens by id.
    pub pieces: Vec<Piece>,
    /// Byte-level BPE: pairs of pieces in the order in which they are merged. SentencePiece has none.
    pub merges: Vec<(String, String)>,
    /// The id that begins a text.
    pub bos: Option<u32>,
    /// The id that ends an answer.
    pub eos: Option<u32>,
    /// The id of what the vocabulary cannot write. Default: the first [`PieceKind::Unknown`].
    pub unk: Option<u32>,
    /// The id that fills rows.
    pub pad: Option<u32>,
    /// Whether BOS goes in front of a text. Default: false.
    pub add_bos: bool,
    /// SentencePiece: a space goes in front of a text. Default: true.
    pub add_space_prefix: bool,
    /// SentencePiece: that space also goes in front of what follows a special token, as in all of
    /// LLaMA's first tokenizers (`legacy` in transformers). Default: true.
    pub legacy: bool,
    /// SentencePiece: spaces at the ends and all but one between words are dropped. Default: false.
    pub remove_extra_whitespaces: bool,
    /// SentencePiece: its compiled table of characters that are rewritten. Default: empty, none is.
    pub charsmap: Vec<u8>,
}

impl Vocabulary {
    /// One without tokens, all else at its default.
    #[must_use]
    pub const fn new(kind: VocabularyKind) -> Self {
        Self {
            kind,
            pieces: Vec::new(),
            merges: Vec::new(),
            bos: None,
            eos: None,
            unk: None,
            pad: None,
            add_bos: false,
            add_space_prefix: true,
            legacy: true,
            remove_extra_whitespaces: false,
            charsmap: Vec::new(),
        }
    }

    /// The text of an id, if there is such an id.
    #[must_use]
    pub fn text(&self, id: u32) -> Option<&str> {
        let piece = self.pieces.get(usize::try_from(id).ok()?)?;
        Some(&piece.text)
    }
}

/// A vocabulary that makes no tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// More tokens than ids.
    #[error("the vocabulary has {found} tokens; at most {limit} are read")]
    Size {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A token with no text.
    #[error("token {id} has no text")]
    EmptyPiece {
        /// Its id.
        id: usize,
    },
    /// A token too long to be a piece of text.
    #[error("token {id} is {bytes} bytes long; at most {limit} are read")]
    LongPiece {
        /// Its id.
        id: usize,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Two tokens of one text.
    #[error("`{text}` is both token {first} and token {second}")]
    Duplicate {
        /// The text.
        text: String,
        /// The first id.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A score that is no number.
    #[error("the score of token {id}, `{text}`, is no finite number")]
    Score {
        /// Its id.
        id: usize,
        /// Its text.
        text: String,
    },
    /// A special token's id that is not there.
    #[error("`{role}` is token {id}, and there are {tokens}")]
    NoSuchId {
        /// Which special token.
        role: &'static str,
        /// The id stated.
        id: u32,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A merge of what is not there.
    #[error("merge {number} is of `{left}` and `{right}`, and `{missing}` is no token")]
    Merge {
        /// Which, from 1.
        number: usize,
        /// The first part.
        left: String,
        /// The second.
        right: String,
        /// What the vocabulary lacks.
        missing: String,
    },
    /// A way of splitting words that is not known here.
    #[error(
        "words are split as in `{pre}`, which is not known here; known are {}. Take tokenizer.json from the model's Hugging Face repository instead", .known.join(", ")
    )]
    UnknownPre {
        /// What is asked for.
        pre: String,
        /// What is known.
        known: Vec<&'static str>,
    },
    /// The table of rewritten characters is broken.
    #[error("the table of rewritten characters (precompiled_charsmap) is broken: {0}")]
    Charsmap(&'static str),
    /// The `tokenizers` library does not take it.
    #[error("the `tokenizers` library does not take the vocabulary: {0}")]
    Backend(String),
}

impl From<tokenizers::Error> for VocabularyError {
    fn from(error: tokenizers::Error) -> Self {
        Self::Backend(error.to_string())
    }
}
