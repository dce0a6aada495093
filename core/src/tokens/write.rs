//! A tokenizer's files, for other tools.

use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

use super::{Specials, Tokenizer};

impl Tokenizer {
    /// The same tokenizer with these special tokens, which are added where it lacks them.
    ///
    /// # Errors
    /// What the `tokenizers` library says.
    pub fn with_special_tokens(&self, tokens: &[&str]) -> Result<Self, String> {
        let mut inner = tokenizers::Tokenizer::clone(&self.inner);
        let missing = tokens.iter().filter(|token| self.id(token).is_none());
        let missing = missing.map(|token| AddedToken::from(*token, true));
        inner
            .add_special_tokens(missing.collect::<Vec<_>>())
            .map_err(|error| error.to_string())?;
        let pad = self.specials.pad.or_else(|| inner.token_to_id("<pad>"));
        let specials = Specials {
            pad,
            ..self.specials
        };
        Ok(Self::new(inner, specials))
    }

    /// The text of a `tokenizer.json`.
    ///
    /// # Errors
    /// What the `tokenizers` library says.
    pub fn to_json(&self) -> Result<String, String> {
        self.inner
            .to_string(true)
            .map_err(|error| error.to_string())
    }

    /// The `tokenizer_config.json` that goes with [`Tokenizer::to_json`]. The class takes the file
    /// as it is; others of transformers rebuild parts of it.
    #[must_use]
    pub fn to_config(&self) -> Value {
        let mut config = Map::new();
        config.insert(
            "tokenizer_class".to_owned(),
            json!("PreTrainedTokenizerFast"),
        );
        let named = [
            ("bos_token", self.specials.bos),
            ("eos_token", self.specials.eos),
            ("pad_token", self.specials.pad),
            ("unk_token", self.id("<unk>")),
        ];
        for (key, id) in named {
            if let Some(token) = id.and_then(|id| self.token(id)) {
                config.insert(key.to_owned(), token.into());
            }
        }
        config.insert("add_bos_token".to_owned(), self.specials.adds_bos.into());
        config.insert("clean_up_tokenization_spaces".to_owned(), false.into());
        config.insert(
            "model_input_names".to_owned(),
            json!(["input_ids", "attention_mask"]),
        );
        config.into()
    }
}
