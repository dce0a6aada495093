//! Byte-pair encoding over bytes: GPT-2 and its heirs.

use tokenizers::SplitDelimiterBehavior::Isolated;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use super::Ids;
use crate::tokens::vocabulary::VocabularyError;

/// How Qwen2 splits a text into words (its `tokenizer.json`): a digit is a word.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Llama 3 (its `tokenizer.json`): up to three digits are one.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The ways that are known, by their names in GGUF files.
const KNOWN: [&str; 4] = ["qwen2", "llama-bpe", "gpt-2", "default"];

pub(super) fn bpe(
    pre: &str,
    ids: Ids,
    merges: Vec<(String, String)>,
) -> Result<tokenizers::Tokenizer, VocabularyError> {
    if !KNOWN.contains(&pre) {
        return Err(VocabularyError::UnknownPre {
            pre: pre.to_owned(),
            known: KNOWN.to_vec(),
        });
    }
    for (number, (left, right)) in (1..).zip(&merges) {
        let whole = format!("{left}{right}");
        let parts = [left, right, &whole];
        if let Some(missing) = parts.into_iter().find(|part| !ids.contains_key(*part)) {
            return Err(VocabularyError::Merge {
                number,
                left: left.clone(),
                right: right.clone(),
                missing: missing.clone(),
            });
        }
    }
    let model = BPE::builder()
        .vocab_and_merges(ids.into_iter().collect::<Vocab>(), merges)
        // Llama 3 takes a word that is a token as it is.
        .ignore_merges(pre == "llama-bpe");
    let mut tokenizer = tokenizers::Tokenizer::new(model.build()?);
    let words = match pre {
        "qwen2" => Some(QWEN2),
        "llama-bpe" => Some(LLAMA_3),
        _ => None,
    };
    let bytes = ByteLevel::new(false, false, words.is_none());
    match words {
        Some(words) => {
            let words = SplitPattern::Regex(words.to_owned());
            let split = Split::new(words, Isolated, false)?;
            tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])))
        }
        None => tokenizer.with_pre_tokenizer(Some(bytes)),
    };
    if pre == "qwen2" {
        tokenizer.with_normalizer(Some(NFC))?;
    }
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

/// The name in GGUF files of the way in which a `tokenizer.json` splits words, if it has one.
pub(in crate::tokens) fn words_of(pre_tokenizer: &serde_json::Value) -> Option<&'static str> {
    if pre_tokenizer["type"] == "ByteLevel" {
        let is_usual = pre_tokenizer["use_regex"] != false;
        let adds_space = pre_tokenizer["add_prefix_space"] == true;
        return (is_usual && !adds_space).then_some("gpt-2");
    }
    let steps = pre_tokenizer["pretokenizers"].as_array()?;
    let words = steps.first()?.pointer("/pattern/Regex")?.as_str()?;
    [("qwen2", QWEN2), ("llama-bpe", LLAMA_3)]
        .into_iter()
        .find_map(|(name, known)| (known == words).then_some(name))
}
