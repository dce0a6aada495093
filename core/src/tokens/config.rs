//! The configurations beside a vocabulary.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::AddedToken;

use super::load::{TokenizerError, read};

/// A JSON file.
pub(super) struct Config {
    pub path: PathBuf,
    json: Value,
}

impl Config {
    fn read(path: PathBuf) -> Result<Option<Self>, TokenizerError> {
        if !path.is_file() {
            return Ok(None);
        }
        match serde_json::from_slice(&read(&path)?) {
            Ok(json) => Ok(Some(Self { path, json })),
            Err(error) => Err(TokenizerError::Parse {
                path,
                reason: format!("not JSON: {error}"),
            }),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.json.get(key)?.as_bool()
    }

    /// The token at `key`, written as a text or as an object with `content`.
    pub(super) fn token(&self, key: &str) -> Option<&str> {
        text_of(self.json.get(key)?)
    }

    /// The special tokens that it names.
    fn special_tokens(&self) -> impl Iterator<Item = &str> {
        let keys = self.json.as_object().into_iter().flatten();
        let tokens = keys.filter(|(key, _)| key.ends_with("_token"));
        let more = self.json.get("additional_special_tokens");
        let more = more.and_then(Value::as_array).into_iter().flatten();
        tokens
            .map(|(_, value)| value)
            .chain(more)
            .filter_map(text_of)
    }
}

fn text_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// All of a folder.
pub(super) struct Configs {
    folder: PathBuf,
    /// `special_tokens_map.json` and `tokenizer_config.json`: the later wins, as in transformers.
    named: Vec<Config>,
    added: Option<Config>,
}

/// Tokens by their ids, each with the file that adds it.
type Added = BTreeMap<u32, (PathBuf, AddedToken)>;

impl Configs {
    pub(super) const NAMES: [&str; 3] = [
        "special_tokens_map.json",
        "tokenizer_config.json",
        "added_tokens.json",
    ];

    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let [map, config, added] = Self::NAMES.map(|name| Config::read(folder.join(name)));
        Ok(Self {
            folder: folder.to_owned(),
            named: map?.into_iter().chain(config?).collect(),
            added: added?,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Config> {
        self.named.iter()
    }

    pub(super) fn tokenizer_class(&self) -> Option<&str> {
        let mut classes = self.named.iter().rev();
        classes.find_map(|config| config.json.get("tokenizer_class")?.as_str())
    }

    /// The tokens that `added_tokens.json` (`{"<im_start>": 32001}`) and `added_tokens_decoder` in
    /// `tokenizer_config.json` (`{"32001": {"content": "<im_start>", …}}`) add.
    pub(super) fn added_tokens(&self) -> Result<Added, TokenizerError> {
        let mut added = Added::new();
        let special: HashSet<&str> = self.named.iter().flat_map(Config::special_tokens).collect();
        if let Some(file) = &self.added {
            for (token, id) in file.json.as_object().into_iter().flatten() {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                let Some(id) = id else {
                    let reason = format!("the id of `{token}` is no number of 32 bits");
                    return Err(broken(&file.path, reason));
                };
                let is_special = special.contains(token.as_str());
                let token = AddedToken::from(token.as_str(), is_special).normalized(false);
                insert(&mut added, &file.path, id, token)?;
            }
        }
        for file in &self.named {
            let tokens = file.json.get("added_tokens_decoder");
            for (id, token) in tokens.and_then(Value::as_object).into_iter().flatten() {
                let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str()) else {
                    let reason = format!("`added_tokens_decoder` has no token at `{id}`");
                    return Err(broken(&file.path, reason));
                };
                let flag = |key: &str| token[key].as_bool().unwrap_or(false);
                let token = AddedToken::from(content, flag("special"))
                    .normalized(flag("normalized"))
                    .single_word(flag("single_word"))
                    .lstrip(flag("lstrip"))
                    .rstrip(flag("rstrip"));
                insert(&mut added, &file.path, id, token)?;
            }
        }
        Ok(added)
    }
}

/// Two files may add the same token; the later says how it is found in a text.
fn insert(
    added: &mut Added,
    path: &Path,
    id: u32,
    token: AddedToken,
) -> Result<(), TokenizerError> {
    if let Some((other, known)) = added.get(&id)
        && known.content != token.content
    {
        let why = format!("{} has `{}` there", other.display(), known.content);
        return Err(TokenizerError::AddedToken {
            path: path.to_owned(),
            token: token.content,
            id,
            why,
        });
    }
    added.insert(id, (path.to_owned(), token));
    Ok(())
}

fn broken(path: &Path, reason: String) -> TokenizerError {
    TokenizerError::Parse {
        path: path.to_owned(),
        reason,
    }
}
