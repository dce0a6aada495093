//! How a recipe's model reads and speaks: tokenizer, conversation template, generation config.

use std::path::{Path, PathBuf};

use super::AssembleError;
use crate::chat::{JINJA, Template, TemplateError};
use crate::folder::read_json;
use crate::generate::GenerationConfig;
use crate::recipe::Recipe;
use crate::tokens::Tokenizer;
use crate::weights::gguf::Gguf;

impl Recipe {
    /// A built-in template, or the one that the tokenizer's folder brings, `jinja`.
    pub(super) fn template(&self, name: &str, key: &str) -> Result<Template, AssembleError> {
        let origin = self.origin(key);
        if name != JINJA {
            return Template::named(name).map_err(|source| AssembleError::Chat { origin, source });
        }
        let place = self.tokenizer_path();
        let found = place.as_deref().map(Template::from_folder).transpose();
        let found = found.map_err(|source| AssembleError::Template {
            origin: origin.clone(),
            source,
        })?;
        if let Some(template) = found.flatten() {
            return Ok(template);
        }
        let folder = place.unwrap_or_default();
        let inside = match Gguf::find(&folder) {
            Ok(Some(gguf)) => Template::from_gguf(&gguf),
            _ => Ok(None),
        };
        match inside {
            Ok(Some(template)) => Ok(template),
            Ok(None) => Err(AssembleError::NoTemplate { origin, folder }),
            Err(source) => Err(AssembleError::Template {
                origin,
                source: TemplateError::Jinja {
                    path: folder,
                    source,
                },
            }),
        }
    }

    /// The template that a stage's data is written in.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn stage_template(&self, stage: &str) -> Result<Template, AssembleError> {
        match self
            .stage
            .get(stage)
            .and_then(|table| table.data.chat.as_ref())
        {
            Some(name) => self.template(name, &format!("stage.{stage}.data.chat")),
            None => self.template(&self.llm.chat, "llm.chat"),
        }
    }

    /// The template that the questions of `[eval]` are written in.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn eval_template(&self) -> Result<Template, AssembleError> {
        match self
            .eval
            .as_ref()
            .and_then(|table| table.data.chat.as_ref())
        {
            Some(name) => self.template(name, "eval.data.chat"),
            None => self.template(&self.llm.chat, "llm.chat"),
        }
    }

    /// The tokenizer, for a language model of `vocab_size` tokens.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it has more tokens than the model.
    pub fn load_tokenizer(&self, vocab_size: usize) -> Result<Tokenizer, AssembleError> {
        let key = if self.llm.tokenizer.is_some() {
            "llm.tokenizer"
        } else {
            "llm.weights"
        };
        let origin = self.origin(key);
        let Some(path) = self.tokenizer_path() else {
            return Err(AssembleError::NoTokenizer {
                origin: self.origin("llm"),
            });
        };
        let tokenizer = match Tokenizer::load(path) {
            Ok(tokenizer) => tokenizer,
            Err(source) => return Err(AssembleError::Tokenizer { origin, source }),
        };
        let tokens = tokenizer.vocab_size();
        if tokens > vocab_size {
            return Err(AssembleError::Vocabulary {
                origin,
                tokens,
                vocab_size,
            });
        }
        match &self.llm.image_wrap {
            None => Ok(tokenizer),
            Some([before, after]) => {
                let wrapped = tokenizer.with_image_wrap([before, after]);
                wrapped.map_err(|source| AssembleError::ImageWrap {
                    origin: self.origin("llm.image_wrap"),
                    source,
                })
            }
        }
    }

    /// The `generation_config.json` beside the decoder's weights, or else beside the tokenizer.
    #[must_use]
    pub fn generation_config_path(&self) -> Option<PathBuf> {
        let weights = self.llm.weights.as_ref().map(PathBuf::from);
        let tokenizer = self.tokenizer_path().map(|path| match path.parent() {
            Some(parent) if !path.is_dir() => parent.to_owned(),
            _ => path,
        });
        let folders = weights.into_iter().chain(tokenizer);
        let mut files = folders.map(|folder| folder.join("generation_config.json"));
        files.find(|file| file.is_file())
    }

    /// How answers are drawn, and the tokens that end one: the recipe's word, or else that of the
    /// file of [`Recipe::generation_config_path`].
    pub(super) fn generation(
        &self,
        tokenizer: &Tokenizer,
        template: &Template,
    ) -> Result<(GenerationConfig, Vec<i64>), AssembleError> {
        let file = self.generation_config_path();
        let stated = file.as_deref().map(read_generation_config).transpose()?;
        let mut end_tokens = tokenizer.end_tokens(template);
        let mut config = GenerationConfig::default();
        if let Some((file_config, ends)) = stated {
            config = file_config;
            end_tokens.extend(ends);
            end_tokens.sort_unstable();
            end_tokens.dedup();
        }
        Ok((self.llm.generation.clone().unwrap_or(config), end_tokens))
    }
}

/// A key, what is allowed, and whether a number is.
type Check = (&'static str, &'static str, fn(f64) -> bool);

/// The fields of Hugging Face's `generation_config.json` that are known here.
fn read_generation_config(path: &Path) -> Result<(GenerationConfig, Vec<i64>), AssembleError> {
    let failure = |problem: String| AssembleError::Generation {
        path: path.to_owned(),
        problem,
    };
    let json = read_json(path).map_err(|error| failure(error.to_string()))?;
    // A number where there is none would be silently the default; one out of range draws nothing.
    let checks: [Check; 6] = [
        ("temperature", "0 or more", |x| x >= 0.0),
        ("top_p", "above 0 and at most 1", |x| x > 0.0 && x <= 1.0),
        ("min_p", "from 0 to 1", |x| (0.0..=1.0).contains(&x)),
        ("top_k", "0 or more", |x| x >= 0.0),
        ("repetition_penalty", "above 0", |x| x > 0.0),
        ("max_new_tokens", "1 or more", |x| x >= 1.0),
    ];
    for (key, allowed, fits) in checks {
        let stated = json.get(key).filter(|value| !value.is_null());
        if let Some(value) = stated
            && !value
                .as_f64()
                .is_some_and(|number| number.is_finite() && fits(number))
        {
            return Err(failure(format!("`{key}` is {value}; it must be {allowed}")));
        }
    }
    let number = |key: &str| json.get(key).and_then(serde_json::Value::as_f64);
    let whole = |key: &str| {
        let value = json.get(key).and_then(serde_json::Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok())
    };
    let samples = json
        .get("do_sample")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    let default = GenerationConfig::default();
    let config = GenerationConfig {
        temperature: if samples {
            number("temperature").unwrap_or(1.0)
        } else {
            0.0
        },
        top_p: number("top_p").unwrap_or(default.top_p),
        // transformers draws from 50 tokens where the file says nothing.
        top_k: if samples {
            whole("top_k").unwrap_or(50)
        } else {
            default.top_k
        },
        min_p: number("min_p").unwrap_or(default.min_p),
        repetition_penalty: number("repetition_penalty").unwrap_or(default.repetition_penalty),
        max_new_tokens: whole("max_new_tokens").unwrap_or(default.max_new_tokens),
        ..default
    };
    let ends = match json.get("eos_token_id") {
        None | Some(serde_json::Value::Null) => Vec::new(),
        Some(serde_json::Value::Array(ids)) => ids.clone(),
        Some(id) => vec![id.clone()],
    };
    let ends = ends.iter().map(serde_json::Value::as_i64).collect();
    let ends: Option<Vec<i64>> = ends;
    let ends = ends.ok_or_else(|| {
        failure("`eos_token_id` must be a token's id, or a list of them".to_owned())
    })?;
    Ok((config, ends))
}
