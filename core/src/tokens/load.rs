//! Reading a tokenizer's files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use thiserror::Error;

use super::Tokenizer;

/// A tokenizer that cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The folder has none.
    #[error("no tokenizer.json in {}{hint}", .folder.display())]
    Missing {
        /// The folder searched.
        folder: PathBuf,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A special token that is not in the vocabulary.
    #[error("{}: `{key}` is `{token}`, which is no token of tokenizer.json", .path.display())]
    UnknownToken {
        /// The file that names it.
        path: PathBuf,
        /// Its key there.
        key: &'static str,
        /// The token.
        token: String,
    },
}

const SENTENCEPIECE_HINT: &str = "; it has a tokenizer.model only, which is not read here: take \
    tokenizer.json from the model's Hugging Face port, or convert it with transformers' \
    LlamaTokenizerFast";

impl Tokenizer {
    /// Reads a `tokenizer.json`, or the one in a folder.
    ///
    /// BOS, EOS and padding are those that `tokenizer_config.json` or `special_tokens_map.json`
    /// beside it name; without them BOS is what the post-processor puts in front, else `<s>`, EOS
    /// is `</s>` and padding is `<pad>`, as far as the vocabulary has them. Whether BOS goes in
    /// front follows `add_bos_token`, else the post-processor. Truncation and padding that the file
    /// asks for are not done.
    ///
    /// # Errors
    /// A file that is missing or broken, or that names a token which does not exist.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let (folder, file) = if path.is_dir() {
            (path, path.join("tokenizer.json"))
        } else {
            (path.parent().unwrap_or(Path::new("")), path.to_owned())
        };
        if path.is_dir() && !file.is_file() {
            let sentencepiece = folder.join("tokenizer.model").is_file();
            return Err(TokenizerError::Missing {
                folder: folder.to_owned(),
                hint: if sentencepiece {
                    SENTENCEPIECE_HINT
                } else {
                    ""
                },
            });
        }
        let mut tokenizer =
            Self::from_json(&read(&file)?).map_err(|reason| TokenizerError::Parse {
                path: file,
                reason: format!("not a tokenizer file of the `tokenizers` library: {reason}"),
            })?;
        // The later file wins, as in transformers.
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = folder.join(name);
            if path.is_file() {
                tokenizer.configure(&path)?;
            }
        }
        Ok(tokenizer)
    }

    /// The files that [`Tokenizer::load`] reads at `path`, those that are there.
    #[must_use]
    pub fn files(path: &Path) -> Vec<PathBuf> {
        let folder = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(Path::new(""))
        };
        let main = if path.is_dir() {
            path.join("tokenizer.json")
        } else {
            path.to_owned()
        };
        let beside =
            ["special_tokens_map.json", "tokenizer_config.json"].map(|name| folder.join(name));
        std::iter::once(main)
            .chain(beside)
            .filter(|file| file.is_file())
            .collect()
    }

    /// A tokenizer out of the bytes of a `tokenizer.json`, special tokens by convention.
    ///
    /// # Errors
    /// The reason why the `tokenizers` library does not take it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| error.to_string())?;
        let added = inner.get_added_tokens_decoder();
        let special = added
            .iter()
            .filter(|(_, token)| token.special)
            .map(|(&id, _)| id);
        let special: HashSet<u32> = special.collect();
        let front = inner.encode("", true).map_err(|error| error.to_string())?;
        let front = front.get_ids().first().copied();
        let eos = inner.token_to_id("</s>");
        let bos = front
            .filter(|&id| Some(id) != eos)
            .or_else(|| inner.token_to_id("<s>"));
        Ok(Self {
            special: Arc::new(special),
            bos,
            eos,
            pad: inner.token_to_id("<pad>"),
            adds_bos: front.is_some() && front == bos,
            literal: OnceLock::new(),
            image_wrap: None,
            inner: Arc::new(inner),
        })
    }

    fn configure(&mut self, path: &Path) -> Result<(), TokenizerError> {
        let config: Value =
            serde_json::from_slice(&read(path)?).map_err(|error| TokenizerError::Parse {
                path: path.to_owned(),
                reason: format!("not JSON: {error}"),
            })?;
        let named = |key| self.named(&config, key, path);
        let [bos, eos, pad] = [
            named("bos_token")?,
            named("eos_token")?,
            named("pad_token")?,
        ];
        self.bos = bos.or(self.bos);
        self.eos = eos.or(self.eos);
        self.pad = pad.or(self.pad);
        if let Some(adds_bos) = config.get("add_bos_token").and_then(Value::as_bool) {
            self.adds_bos = adds_bos;
        }
        Ok(())
    }

    /// The token at `key`, written as a string or as an object with `content`.
    fn named(
        &self,
        config: &Value,
        key: &'static str,
        path: &Path,
    ) -> Result<Option<u32>, TokenizerError> {
        let Some(value) = config.get(key) else {
            return Ok(None);
        };
        let Some(token) = value.as_str().or_else(|| value["content"].as_str()) else {
            return Ok(None);
        };
        match self.id(token) {
            Some(id) => Ok(Some(id)),
            None => Err(TokenizerError::UnknownToken {
                path: path.to_owned(),
                key,
                token: token.to_owned(),
            }),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    std::fs::read(path).map_err(|source| TokenizerError::Read {
        path: path.to_owned(),
        source,
    })
}
