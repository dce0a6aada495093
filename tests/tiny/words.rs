//! A tokenizer for the fixtures of 96 tokens.

use serde_json::json;

/// A tokenizer of the fixtures' 96 tokens, words that mean nothing: `<unk>`, `<s>`, `</s>`, `w3` …
pub fn tokenizer() -> String {
    let special = ["<unk>", "<s>", "</s>"];
    let words = (3..96).map(|id| format!("w{id}"));
    let all = special.iter().map(ToString::to_string).chain(words);
    let vocab: serde_json::Map<_, _> = all.zip((0..).map(|id: u32| json!(id))).collect();
    let added = special.iter().enumerate().map(|(id, content)| {
        json!({
            "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true,
        })
    });
    json!({
        "version": "1.0",
        "added_tokens": added.collect::<Vec<_>>(),
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "<unk>" },
    })
    .to_string()
}
