//! The template that a model's folder brings.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::{JinjaError, Template};

/// A folder's template that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TemplateError {
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
    /// The template in a file cannot be used.
    #[error("{}: {source}", .path.display())]
    Jinja {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JinjaError,
    },
}

/// The files that may hold a template, the first of them first.
const SOURCES: [&str; 4] = [
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "tokenizer_config.json",
];
/// The files that name special tokens; the later wins.
const NAMES: [&str; 2] = ["special_tokens_map.json", "tokenizer_config.json"];
/// The longest of these files that is read.
const FILE_LIMIT: u64 = 64 << 20;

impl Template {
    /// The template that a model's folder, or the folder of the file at `path`, brings:
    /// `chat_template.jinja`, or `chat_template` in `chat_template.json`, `processor_config.json`
    /// or `tokenizer_config.json` (a text, or the one named `default` of a list). `None` if it
    /// brings none.
    ///
    /// # Errors
    /// A file that cannot be read, or a template that cannot be used.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Option<Self>, TemplateError> {
        let path = path.as_ref();
        let folder = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(Path::new(""))
        };
        for name in SOURCES {
            let path = folder.join(name);
            if !path.is_file() {
                continue;
            }
            let source = if name == SOURCES[0] {
                Some(read(&path)?)
            } else {
                of_json(&read_json(&path)?, &path)?
            };
            if let Some(source) = source {
                let tokens = special_tokens(folder)?;
                let template = Self::jinja(&source, tokens);
                return template
                    .map(Some)
                    .map_err(|source| TemplateError::Jinja { path, source });
            }
        }
        Ok(None)
    }

    /// The files that [`Template::from_folder`] may read in `folder`, those that are there.
    pub(crate) fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
        let files = SOURCES.map(|name| folder.join(name)).into_iter();
        files.filter(|file| file.is_file())
    }
}

fn of_json(json: &Value, path: &Path) -> Result<Option<String>, TemplateError> {
    let broken = |reason: &str| TemplateError::Parse {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    match json.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(source)) => Ok(Some(source.clone())),
        Some(Value::Array(named)) => {
            let default = named.iter().find(|entry| entry["name"] == "default");
            let source = default.and_then(|entry| entry["template"].as_str());
            source.map(|source| Some(source.to_owned())).ok_or_else(|| {
                broken("`chat_template` is a list without a template named `default`")
            })
        }
        Some(_) => Err(broken(
            "`chat_template` is neither a text nor a list of named ones",
        )),
    }
}

/// `bos_token`, `eos_token` and the like, written as a text or as an object with `content`.
fn special_tokens(folder: &Path) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut tokens = BTreeMap::new();
    for name in NAMES {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        let json = read_json(&path)?;
        for (key, value) in json.as_object().into_iter().flatten() {
            let text = value.as_str().or_else(|| value["content"].as_str());
            if let Some(text) = text.filter(|_| key.ends_with("_token")) {
                tokens.insert(key.clone(), text.to_owned());
            }
        }
    }
    Ok(tokens)
}

fn read_json(path: &Path) -> Result<Value, TemplateError> {
    serde_json::from_str(&read(path)?).map_err(|error| TemplateError::Parse {
        path: path.to_owned(),
        reason: format!("not JSON: {error}"),
    })
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let failed = |source| TemplateError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut file = file.take(FILE_LIMIT + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(TemplateError::Parse {
            path: path.to_owned(),
            reason: format!("longer than {FILE_LIMIT} bytes"),
        });
    }
    Ok(text)
}
