//! A tokenizer as a GGUF file's metadata.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Tokenizer;
use super::build::words_of;
use super::vocabulary::PieceKind;
use crate::weights::gguf::Value;

impl Tokenizer {
    /// The metadata `tokenizer.ggml.…`, with as many tokens as the embedding table has `rows`; nothing for a
    /// tokenizer that is neither SentencePiece's byte-pair encoding nor one over bytes whose way of
    /// splitting words has a name in GGUF.
    pub(crate) fn to_gguf(&self, rows: usize) -> Option<BTreeMap<String, Value>> {
        let json: Json = serde_json::from_str(&self.to_json().ok()?).ok()?;
        let model = json.get("model").filter(|model| model["type"] == "BPE")?;
        let merges = model["merges"].as_array()?.iter().map(merge);
        let merges: Vec<(&str, &str)> = merges.collect::<Option<_>>()?;
        let mut metadata = BTreeMap::new();
        let mut set = |key: &str, value: Value| {
            metadata.insert(format!("tokenizer.ggml.{key}"), value);
        };
        let is_sentencepiece = model["byte_fallback"] == true;
        let pieces = self.pieces(rows, is_sentencepiece);
        if is_sentencepiece {
            set("model", text("llama"));
            set("scores", scores(&pieces, &merges));
            let prefix = json.to_string().contains("\"Prepend\"");
            set("add_space_prefix", Value::Bool(prefix));
        } else {
            set("model", text("gpt2"));
            set("pre", text(words_of(&json["pre_tokenizer"])?));
            let joined = merges.iter().map(|(left, right)| format!("{left} {right}"));
            set("merges", Value::Texts(joined.collect()));
        }
        let kinds = pieces.iter().map(|(_, kind)| kind.number());
        set("token_type", Value::Integers(kinds.collect()));
        let texts = pieces.into_iter().map(|(text, _)| text);
        set("tokens", Value::Texts(texts.collect()));
        for (key, id) in [
            ("bos_token_id", self.specials.bos),
            ("eos_token_id", self.specials.eos),
            ("padding_token_id", self.specials.pad),
            ("unknown_token_id", self.id("<unk>")),
        ] {
            if let Some(id) = id {
                set(key, Value::Integer(id.into()));
            }
        }
        set("add_bos_token", Value::Bool(self.specials.adds_bos));
        Some(metadata)
    }

    /// The text of every row of an embedding table and what it is. Rows that no token has are named as llama.cpp's
    /// converter names them.
    fn pieces(&self, rows: usize, is_sentencepiece: bool) -> Vec<(String, PieceKind)> {
        let added = self.inner.get_added_tokens_decoder();
        let ids = 0..u32::try_from(rows).unwrap_or(u32::MAX);
        let piece = |id: u32| {
            let Some(text) = self.token(id) else {
                return (format!("[PAD{id}]"), PieceKind::Unused);
            };
            let kind = match added.get(&id) {
                _ if text == "<unk>" => PieceKind::Unknown,
                Some(token) if token.special => PieceKind::Control,
                Some(_) => PieceKind::UserDefined,
                None if is_sentencepiece && is_byte(&text) => PieceKind::Byte,
                None => PieceKind::Normal,
            };
            (text, kind)
        };
        ids.map(piece).collect()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A merge as `a b` or as a pair.
fn merge(merge: &Json) -> Option<(&str, &str)> {
    match merge {
        Json::String(both) => both.split_once(' '),
        Json::Array(both) => match both.as_slice() {
            [Json::String(left), Json::String(right)] => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}

/// SentencePiece merges the pair whose whole scores best: the earlier a piece is made, the higher.
#[expect(clippy::cast_precision_loss, reason = "no vocabulary is that large")]
fn scores(pieces: &[(String, PieceKind)], merges: &[(&str, &str)]) -> Value {
    let mut ranks: BTreeMap<String, usize> = BTreeMap::new();
    for (rank, (left, right)) in merges.iter().enumerate() {
        ranks.entry(format!("{left}{right}")).or_insert(rank);
    }
    let score = |(text, _): &(String, PieceKind)| {
        let rank = ranks.get(text).copied().unwrap_or(merges.len());
        -(rank as f64)
    };
    Value::Floats(pieces.iter().map(score).collect())
}

/// Whether a piece stands for a byte: `<0x0A>`.
fn is_byte(text: &str) -> bool {
    let digits = text
        .strip_prefix("<0x")
        .and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}
