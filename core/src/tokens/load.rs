//! Reading a tokenizer's files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use super::config::{Config, Configs};
use super::vocabulary::{Piece, Vocabulary, VocabularyError, VocabularyKind};
use super::{Specials, Tokenizer, copies};
use crate::chat::Template;

/// A tokenizer that cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The folder has none.
    #[error(
        "no tokenizer.json in {}, and neither tokenizer.model nor vocab.json with merges.txt", .folder.display()
    )]
    Missing {
        /// The folder searched.
        folder: PathBuf,
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
    /// The vocabulary in a file makes no tokenizer.
    #[error("{}: {source}", .path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VocabularyError,
    },
    /// A special token that is not in the vocabulary.
    #[error("{}: `{key}` is `{token}`, which is no token of the tokenizer", .path.display())]
    UnknownToken {
        /// The file that names it.
        path: PathBuf,
        /// Its key there.
        key: &'static str,
        /// The token.
        token: String,
    },
    /// An added token whose id is taken, or not the next.
    #[error("{}: the added token `{token}` should have the id {id}, but {why}", .path.display())]
    AddedToken {
        /// The file that adds it.
        path: PathBuf,
        /// The token.
        token: String,
        /// The id it should have.
        id: u32,
        /// Why it cannot.
        why: String,
    },
}

/// What holds a vocabulary, the first of them first.
pub(super) const MAIN: [&str; 3] = ["tokenizer.json", "tokenizer.model", "vocab.json"];
/// The longest file that is read. Gemma 3's tokenizer.json has 33 MB.
const FILE_LIMIT: u64 = 256 << 20;

impl Tokenizer {
    /// Reads a tokenizer's file, or the one in a folder: `tokenizer.json`, else SentencePiece's
    /// `tokenizer.model`, else `vocab.json` with `merges.txt` (of Qwen2 or GPT-2). What a file is
    /// shows in its content. A GGUF file, or a folder with nothing but one, has its tokenizer inside.
    ///
    /// Beside it, `added_tokens.json` and `tokenizer_config.json` may add tokens, each with the id
    /// that it states. BOS, EOS and padding are those that `tokenizer_config.json` or
    /// `special_tokens_map.json` name; without them those that a `tokenizer.model` states, and of a
    /// `tokenizer.json` BOS is what the post-processor puts in front, else `<s>`, EOS is `</s>` and
    /// padding is `<pad>`, as far as the vocabulary has them. Whether BOS goes in front follows
    /// `add_bos_token`, else the post-processor, and is true for a `tokenizer.model`. Truncation,
    /// padding and an EOS at the end that the files ask for are not done.
    ///
    /// # Errors
    /// A file that is missing or broken, that names a token which does not exist, or that adds one
    /// at an id which is not free.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let folder = folder_of(path);
        if let Some(gguf) = copies::gguf(path) {
            return Self::from_gguf(&gguf);
        }
        let Some(main) = main_file(path) else {
            let folder = folder.to_owned();
            return Err(TokenizerError::Missing { folder });
        };
        let configs = Configs::read(folder)?;
        let bytes = read(&main)?;
        let is_json = bytes.trim_ascii_start().first() == Some(&b'{');
        let mut tokenizer = if is_json {
            match Self::from_json(&bytes) {
                Ok(tokenizer) => tokenizer,
                Err(reason) => match serde_json::from_slice(&bytes) {
                    Ok(Ids(ids)) if !ids.is_empty() => from_ids(&ids, &main, &configs)?,
                    _ => {
                        return Err(TokenizerError::Parse {
                            path: main,
                            reason: format!(
                                "not a tokenizer file of the `tokenizers` library: {reason}"
                            ),
                        });
                    }
                },
            }
        } else {
            from_sentencepiece(&bytes, &main, &configs)?
        };
        tokenizer.add_tokens(&configs)?;
        for config in configs.iter() {
            tokenizer.configure(config)?;
        }
        Ok(tokenizer)
    }

    /// The files that [`Tokenizer::load`] and [`Template::from_folder`] read at `path`, those that
    /// are there. The first is the one with the vocabulary.
    #[must_use]
    pub fn files(path: &Path) -> Vec<PathBuf> {
        let folder = folder_of(path);
        let main = main_file(path).filter(|file| file.is_file());
        let beside = ["merges.txt"].into_iter().chain(Configs::NAMES);
        let beside = beside
            .map(|name| folder.join(name))
            .chain(Template::files(folder));
        let mut files: Vec<PathBuf> = Vec::new();
        for file in main.into_iter().chain(beside) {
            if file.is_file() && !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// A tokenizer out of the bytes of a `tokenizer.json`, special tokens by convention.
    ///
    /// # Errors
    /// The reason why the `tokenizers` library does not take it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        // The library takes some texts apart that are no JSON, and panics on what it finds.
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
            .map_err(|error| format!("not JSON: {error}"))?;
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| error.to_string())?;
        let front = inner.encode("", true).map_err(|error| error.to_string())?;
        let front = front.get_ids().first().copied();
        let eos = inner.token_to_id("</s>");
        let bos = front
            .filter(|&id| Some(id) != eos)
            .or_else(|| inner.token_to_id("<s>"));
        let specials = Specials {
            bos,
            eos,
            pad: inner.token_to_id("<pad>"),
            adds_bos: front.is_some() && front == bos,
        };
        Ok(Self::new(inner, specials))
    }

    pub(super) fn new(inner: tokenizers::Tokenizer, specials: Specials) -> Self {
        Self {
            special: Arc::new(special_ids(&inner)),
            specials,
            literal: OnceLock::new(),
            image_wrap: None,
            inner: Arc::new(inner),
        }
    }

    /// Adds the tokens that files beside the vocabulary add.
    fn add_tokens(&mut self, configs: &Configs) -> Result<(), TokenizerError> {
        let added = configs.added_tokens()?;
        if added.is_empty() {
            return Ok(());
        }
        let known = self.inner.get_added_tokens_decoder();
        let free = known.keys().max().map_or(0, |id| id + 1);
        let mut free = free.max(u32::try_from(self.vocab_size()).unwrap_or(u32::MAX));
        let mut new = Vec::new();
        for (id, (path, token)) in added {
            let fails = |why: String| TokenizerError::AddedToken {
                path: path.clone(),
                token: token.content.clone(),
                id,
                why,
            };
            match self.id(&token.content) {
                Some(other) if other != id => {
                    return Err(fails(format!("the vocabulary has it as {other}")));
                }
                // What a tokenizer.json says of its own tokens stands, but for what is special.
                Some(_)
                    if known
                        .get(&id)
                        .is_some_and(|known| known.special || !token.special) => {}
                Some(_) => new.push(token),
                None => {
                    if let Some(other) = self.token(id) {
                        return Err(fails(format!("that is `{other}`")));
                    }
                    if id != free {
                        return Err(fails(format!("the next free id is {free}")));
                    }
                    free += 1;
                    new.push(token);
                }
            }
        }
        let inner = Arc::make_mut(&mut self.inner);
        let path = configs.folder();
        inner
            .add_tokens(new)
            .map_err(|error| TokenizerError::Parse {
                path: path.to_owned(),
                reason: format!("its added tokens are refused: {error}"),
            })?;
        self.special = Arc::new(special_ids(inner));
        Ok(())
    }

    fn configure(&mut self, config: &Config) -> Result<(), TokenizerError> {
        let named = |key| match config.token(key) {
            Some(token) => match self.id(token) {
                Some(id) => Ok(Some(id)),
                None => Err(TokenizerError::UnknownToken {
                    path: config.path.clone(),
                    key,
                    token: token.to_owned(),
                }),
            },
            None => Ok(None),
        };
        let [bos, eos, pad] = [
            named("bos_token")?,
            named("eos_token")?,
            named("pad_token")?,
        ];
        let specials = &mut self.specials;
        specials.bos = bos.or(specials.bos);
        specials.eos = eos.or(specials.eos);
        specials.pad = pad.or(specials.pad);
        if let Some(adds_bos) = config.flag("add_bos_token") {
            specials.adds_bos = adds_bos;
        }
        Ok(())
    }
}

fn special_ids(tokenizer: &tokenizers::Tokenizer) -> HashSet<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    let special = added.iter().filter(|(_, token)| token.special);
    special.map(|(&id, _)| id).collect()
}

fn folder_of(path: &Path) -> &Path {
    if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(Path::new(""))
    }
}

/// The file with the vocabulary: the one at `path`, or in it.
pub(super) fn main_file(path: &Path) -> Option<PathBuf> {
    if !path.is_dir() {
        return Some(path.to_owned());
    }
    let mut files = MAIN.map(|name| path.join(name)).into_iter();
    files.find(|file| file.is_file())
}

fn from_sentencepiece(
    bytes: &[u8],
    path: &Path,
    configs: &Configs,
) -> Result<Tokenizer, TokenizerError> {
    let vocabulary = Vocabulary::from_sentencepiece(bytes);
    let mut vocabulary = vocabulary.map_err(|reason| TokenizerError::Parse {
        path: path.to_owned(),
        reason: format!("neither a tokenizer.json nor a SentencePiece model: {reason}"),
    })?;
    for config in configs.iter() {
        vocabulary.legacy = config.flag("legacy").unwrap_or(vocabulary.legacy);
        let prefix = config.flag("add_prefix_space");
        vocabulary.add_space_prefix = prefix.unwrap_or(vocabulary.add_space_prefix);
    }
    build(vocabulary, path)
}

/// What `vocab.json` holds.
#[derive(serde::Deserialize)]
struct Ids(HashMap<String, u32>);

/// A byte-level tokenizer of `vocab.json`, which is `ids`, and `merges.txt` beside it.
fn from_ids(
    ids: &HashMap<String, u32>,
    path: &Path,
    configs: &Configs,
) -> Result<Tokenizer, TokenizerError> {
    let broken = |path: &Path, reason: String| TokenizerError::Parse {
        path: path.to_owned(),
        reason,
    };
    let class = configs.tokenizer_class();
    let pre = match class.map(|class| class.trim_end_matches("Fast")) {
        Some("Qwen2Tokenizer") => "qwen2",
        Some("GPT2Tokenizer") => "gpt-2",
        _ => {
            let class = class.map_or_else(|| "none".to_owned(), |class| format!("`{class}`"));
            let reason = format!(
                "vocab.json needs `tokenizer_class` in tokenizer_config.json to say how words are \
                 split; known are Qwen2Tokenizer and GPT2Tokenizer, and it says {class}"
            );
            return Err(broken(path, reason));
        }
    };
    let by_id: BTreeMap<u32, String> = ids.iter().map(|(text, &id)| (id, text.clone())).collect();
    if by_id.len() < ids.len() {
        return Err(broken(path, "two tokens have one id".to_owned()));
    }
    let gap = (0..).zip(by_id.keys()).find(|(due, id)| due != *id);
    if let Some((due, id)) = gap {
        return Err(broken(
            path,
            format!("no token has the id {due}, and one has {id}"),
        ));
    }
    let merges_path = folder_of(path).join("merges.txt");
    let merges = String::from_utf8(read(&merges_path)?);
    let merges = merges.map_err(|_| broken(&merges_path, "not UTF-8".to_owned()))?;
    let lines = merges.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with("#version") && !line.is_empty());
    let pairs = lines.map(|(number, line)| match line.split_once(' ') {
        Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
        None => Err(broken(
            &merges_path,
            format!("line {} is not two pieces with a space between", number + 1),
        )),
    });
    let kind = VocabularyKind::ByteLevelBpe {
        pre: pre.to_owned(),
    };
    let piece = |text| Piece {
        text,
        ..Piece::default()
    };
    let vocabulary = Vocabulary {
        merges: pairs.collect::<Result<_, _>>()?,
        pieces: by_id.into_values().map(piece).collect(),
        ..Vocabulary::new(kind)
    };
    build(vocabulary, path)
}

fn build(vocabulary: Vocabulary, path: &Path) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_vocabulary(vocabulary).map_err(|source| TokenizerError::Vocabulary {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    let failed = |source| TokenizerError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let read = file.take(FILE_LIMIT + 1).read_to_end(&mut bytes);
    if read.map_err(failed)? as u64 > FILE_LIMIT {
        return Err(TokenizerError::Parse {
            path: path.to_owned(),
            reason: format!("longer than {FILE_LIMIT} bytes"),
        });
    }
    Ok(bytes)
}
