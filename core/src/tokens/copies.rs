//! A tokenizer's files, to be laid beside a model that is written.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::Tokenizer;
use super::load::{MAIN, TokenizerError, main_file, read};
use crate::weights::gguf::Gguf;

impl Tokenizer {
    /// The names and bytes of the files that bring the tokenizer at `path`, with what is beside it,
    /// to another folder. The first is the one with the vocabulary: [`Tokenizer::copied_name`]. What
    /// a GGUF file has inside becomes `tokenizer.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn copies(path: &Path) -> Result<Vec<(String, Vec<u8>)>, TokenizerError> {
        if let Some(gguf) = gguf(path) {
            return out_of_gguf(&gguf);
        }
        let files = Self::files(path);
        let mut copies = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.filter(|_| number > 0);
            let name = name.unwrap_or_else(|| Self::copied_name(path));
            copies.push((name.to_owned(), read(file)?));
        }
        Ok(copies)
    }

    /// What the file with the vocabulary is called where it is copied to; at `path` it may have any
    /// name.
    #[must_use]
    pub fn copied_name(path: &Path) -> &'static str {
        let [json, sentencepiece, ids] = MAIN;
        match main_file(path) {
            Some(file) if file.ends_with(ids) => ids,
            Some(file) if gguf(path).is_none() && !is_json(&file) => sentencepiece,
            _ => json,
        }
    }
}

/// The GGUF file that the tokenizer at `path` is in, if it is in one.
pub(super) fn gguf(path: &Path) -> Option<Gguf> {
    let main = main_file(path);
    let is_other = main.is_none() || main.as_deref() == Some(path);
    Gguf::find(path).ok().flatten().filter(|_| is_other)
}

fn out_of_gguf(gguf: &Gguf) -> Result<Vec<(String, Vec<u8>)>, TokenizerError> {
    let tokenizer = Tokenizer::from_gguf(gguf)?;
    let json = tokenizer
        .to_json()
        .map_err(|reason| TokenizerError::Parse {
            path: gguf.path().to_owned(),
            reason,
        })?;
    let mut config = tokenizer.to_config();
    if let Ok(Some(template)) = gguf.get::<&str>("tokenizer.chat_template") {
        config["chat_template"] = json!(template);
    }
    let config = format!("{config:#}\n");
    Ok(vec![
        ("tokenizer.json".to_owned(), json.into_bytes()),
        ("tokenizer_config.json".to_owned(), config.into_bytes()),
    ])
}

/// Whether a file begins as JSON does. One that cannot be read is taken for it: reading it says why.
fn is_json(file: &Path) -> bool {
    let mut begin = Vec::new();
    let read = File::open(file).and_then(|file| file.take(64).read_to_end(&mut begin));
    read.is_err() || begin.trim_ascii_start().first() == Some(&b'{')
}
