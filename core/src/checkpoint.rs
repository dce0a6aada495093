//! How a component's published checkpoints are read and written: its table of tensor names.
//!
//! A plugin states the table beside its config, so a third party's encoder loads its own folders
//! without an edit to core. Core adds only how components are joined in whole models ([`Joint`]).

mod joint;

pub use joint::{Joint, owner, respell};

use crate::component::Component;
use crate::newline::IMAGE_NEWLINE;
use crate::parameters::Packable;

/// How a component's tensors are named and laid out in checkpoint files.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// The ways in which files name the tensors; a file uses one of them. The first is the one
    /// written.
    pub spellings: Vec<Spelling>,
    /// Keys (after the prefix; `*` for one path segment, `**` at the end for all that follows) that
    /// checkpoints may hold and this component does not want: stored buffers, sibling towers.
    pub ignored: &'static [&'static str],
}

/// One way of naming the tensors: a prefix and a table.
#[derive(Debug, Clone)]
pub struct Spelling {
    /// How the component lies in a whole model's files.
    pub joint: Joint,
    /// Whose files name the tensors so.
    pub publisher: Publisher,
    /// What stands before every key, for example `vision_model.`.
    pub prefix: &'static str,
    /// One rule a family of tensors, in the order of the model.
    pub tensors: Vec<TensorName>,
}

/// Whose way of naming tensors a table is, where there is more than one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Publisher {
    /// Everybody's.
    #[default]
    Any,
    /// Hugging Face's transformers.
    HuggingFace,
    /// The original LLaVA.
    Original,
    /// llama.cpp's GGUF files.
    Gguf,
    /// Burn's own files: the parameters' paths are the names.
    Burn,
}

/// One line of the table: a parameter's path in the module and its key in a checkpoint. `*` stands
/// for one path segment, a layer's number, and means the same one on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorName {
    /// Path in the Burn module, for example `layers.*.attention.query.weight`.
    pub path: String,
    /// Key in the checkpoint without its prefix, for example
    /// `encoder.layers.*.self_attn.q_proj.weight`.
    pub key: String,
    /// How the stored tensor lies beside the parameter.
    pub storage: Storage,
}

/// How a stored tensor lies beside the parameter that it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// The same shape in the same order.
    AsIs,
    /// A matrix stored `[out, in]` for a parameter `[in, out]`, as PyTorch's `Linear` stores it.
    Transposed,
    /// Queries or keys of a GGUF file, a matrix `[out, in]` or a bias `[out]`. The file keeps side
    /// by side the two features that turn together, where the parameter has a head's first halves
    /// before its second ones.
    Interleaved {
        /// Heads in the output.
        heads: usize,
    },
}

impl TensorName {
    /// A tensor stored as the parameter lies.
    #[must_use]
    pub fn as_is(path: &str, key: &str) -> Self {
        Self {
            path: path.to_owned(),
            key: key.to_owned(),
            storage: Storage::AsIs,
        }
    }

    /// A [`Linear`](crate::nn::Linear) at `path`: `weight` is stored `[out, in]`; `bias`, if the
    /// module has one, as it is. An empty `key` means that they stand right after the prefix.
    #[must_use]
    pub fn linear(path: &str, key: &str) -> [Self; 2] {
        let dot = if key.is_empty() { "" } else { "." };
        let weight = Self {
            storage: Storage::Transposed,
            ..Self::as_is(&format!("{path}.weight"), &format!("{key}{dot}weight"))
        };
        let bias = Self::as_is(&format!("{path}.bias"), &format!("{key}{dot}bias"));
        [weight, bias]
    }

    /// A [`Linear`](crate::nn::Linear) at `path` whose output's features lie interleaved in `heads`
    /// heads, and its bias likewise, if the module has one.
    #[must_use]
    pub fn interleaved(path: &str, key: &str, heads: usize) -> [Self; 2] {
        Self::linear(path, key).map(|name| Self {
            storage: Storage::Interleaved { heads },
            ..name
        })
    }

    /// A Burn `LayerNorm` at `path`: `gamma` is stored as `weight`, `beta` as `bias`.
    #[must_use]
    pub fn layer_norm(path: &str, key: &str) -> [Self; 2] {
        [
            Self::as_is(&format!("{path}.gamma"), &format!("{key}.weight")),
            Self::as_is(&format!("{path}.beta"), &format!("{key}.bias")),
        ]
    }
}

impl Spelling {
    /// The parameters' own paths, a component's name before them.
    #[must_use]
    pub fn paths(component: Component) -> Self {
        Self::at(Joint::path(component))
    }

    /// The parameters' own paths where `joint` says.
    fn at(joint: Joint) -> Self {
        Self {
            joint,
            publisher: Publisher::Burn,
            prefix: "",
            tensors: Vec::new(),
        }
    }

    /// The same table as `publisher`'s.
    #[must_use]
    pub fn by(self, publisher: Publisher) -> Self {
        Self { publisher, ..self }
    }

    /// The name in a file and the storage of the parameter at `path`.
    #[must_use]
    pub fn key(&self, path: &str) -> Option<(String, Storage)> {
        if self.publisher == Publisher::Burn {
            return Some((self.joint.name(path), Storage::AsIs));
        }
        self.tensors.iter().find_map(|name| {
            let stars = match_segments(&name.path, path)?;
            let key = fill_segments(&name.key, &stars);
            // It lies beside the projector, not in it.
            let prefix = if key == IMAGE_NEWLINE {
                ""
            } else {
                self.prefix
            };
            Some((self.joint.name(&format!("{prefix}{key}")), name.storage))
        })
    }

    /// How the weight of a parameter of `storage` lies where it is quantised: the numbers of a block belong to
    /// one output, so a linear layer's weight lies by its outputs under its own path too.
    pub(crate) fn of_blocks(&self, storage: Storage, kind: Packable) -> Storage {
        match kind {
            Packable::Linear if self.publisher == Publisher::Burn => Storage::Transposed,
            _ => storage,
        }
    }

    /// What names of this spelling begin with, for people to read.
    #[must_use]
    pub fn place(&self) -> String {
        self.joint.name(self.prefix)
    }
}

impl Checkpoint {
    /// One table under several prefixes.
    #[must_use]
    pub fn with_prefixes(
        prefixes: &[&'static str],
        tensors: &[TensorName],
        ignored: &'static [&'static str],
    ) -> Self {
        let spelling = |&prefix| Spelling {
            joint: Joint::ALONE,
            publisher: Publisher::Any,
            prefix,
            tensors: tensors.to_vec(),
        };
        Self {
            spellings: prefixes.iter().map(spelling).collect(),
            ignored,
        }
    }

    /// Every parameter under its own path, for a module whose tensors nobody has published by other
    /// names.
    #[must_use]
    pub fn paths() -> Self {
        Self {
            spellings: vec![Spelling::at(Joint::ALONE)],
            ..Self::default()
        }
    }

    /// The same tables as those of `publisher`.
    #[must_use]
    pub fn by(self, publisher: Publisher) -> Self {
        let spellings = self.spellings.into_iter();
        Self {
            spellings: spellings.map(|spelling| spelling.by(publisher)).collect(),
            ..self
        }
    }

    /// These tables, and those of `other`.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.spellings.extend(other.spellings);
        self
    }

    /// These tables, and in each the vector that ends a row of an image of several squares.
    pub(crate) fn with_newline(mut self) -> Self {
        for spelling in &mut self.spellings {
            spelling.tensors.push(TensorName {
                path: IMAGE_NEWLINE.to_owned(),
                key: IMAGE_NEWLINE.to_owned(),
                storage: Storage::AsIs,
            });
        }
        self
    }

    /// The same tables for a component that may lie inside a whole model, too.
    #[must_use]
    pub fn joined(&self, component: Component) -> Self {
        let spellings = Joint::of(component).flat_map(|joint| {
            let spellings = self.spellings.iter().cloned();
            spellings.map(move |spelling| Spelling { joint, ..spelling })
        });
        let paths = std::iter::once(Spelling::paths(component));
        Self {
            spellings: spellings.chain(paths).collect(),
            ignored: self.ignored,
        }
    }

    /// How `publisher` names the tensors of this `component`, in a whole model or alone.
    #[must_use]
    pub fn spelling_of(
        &self,
        component: Component,
        publisher: Publisher,
        is_joined: bool,
    ) -> Option<Spelling> {
        let joint = if is_joined {
            Joint::written(component, publisher)
        } else {
            Joint::ALONE
        };
        let ours = |spelling: &&Spelling| {
            [publisher, Publisher::Any].contains(&spelling.publisher)
                && spelling.joint == Joint::ALONE
        };
        let spelling = self.spellings.iter().find(ours)?;
        Some(Spelling {
            joint,
            ..spelling.clone()
        })
    }

    /// How llama.cpp's files name the tensors of this component, if they do.
    #[must_use]
    pub fn gguf_spelling(&self) -> Option<&Spelling> {
        let ours = |spelling: &&Spelling| {
            spelling.publisher == Publisher::Gguf && spelling.joint == Joint::ALONE
        };
        self.spellings.iter().find(ours)
    }

    /// The name of the linear layer whose weight is the parameter at `path`, as in the original
    /// LLaVA's whole models (`model.layers.0.self_attn.q_proj`); nothing if it is none.
    #[must_use]
    pub fn linear_module(&self, component: Component, path: &str) -> Option<String> {
        let original = self.spelling_of(component, Publisher::Original, true);
        let (key, storage) = match &original {
            Some(spelling) => spelling.key(path)?,
            None => self.spellings.first()?.key(path)?,
        };
        let module = key.strip_suffix(".weight")?;
        (storage == Storage::Transposed).then(|| module.to_owned())
    }

    /// Whether a left-over key, without its prefix, is known to be of no use here.
    #[must_use]
    pub fn ignores(&self, key: &str) -> bool {
        // A model whose images are of one square has no use for it.
        key == IMAGE_NEWLINE
            || self
                .ignored
                .iter()
                .any(|pattern| match_segments(pattern, key).is_some())
    }
}

/// What the `*`s of `pattern` stand for in `text`, if it matches.
fn match_segments<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut stars = Vec::new();
    let mut rest = text.split('.');
    for segment in pattern.split('.') {
        if segment == "**" {
            return rest.next().map(|_| stars);
        }
        let found = rest.next()?;
        if segment == "*" {
            stars.push(found);
        } else if segment != found {
            return None;
        }
    }
    rest.next().is_none().then_some(stars)
}

fn fill_segments(pattern: &str, stars: &[&str]) -> String {
    let mut stars = stars.iter();
    let filled: Vec<&str> = pattern
        .split('.')
        .map(|segment| match segment {
            "*" => stars.next().copied().unwrap_or("*"),
            other => other,
        })
        .collect();
    filled.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Checkpoint {
        Checkpoint::with_prefixes(
            &["vision_model."],
            &TensorName::linear("layers.*.attention.query", "encoder.layers.*.q_proj"),
            &["embeddings.position_ids", "text_model.**"],
        )
    }

    #[test]
    fn a_layers_number_is_carried_to_the_key() {
        let spelling = &table().spellings[0];
        let key = spelling.key("layers.12.attention.query.weight");
        let expected = "vision_model.encoder.layers.12.q_proj.weight".to_owned();
        assert_eq!(key, Some((expected, Storage::Transposed)));
        assert_eq!(spelling.key("layers.12.attention.key.weight"), None);
        assert_eq!(spelling.key("layers.12.attention.query"), None);
    }

    #[test]
    fn ignored_keys_match_whole_segments() {
        assert!(table().ignores("text_model.encoder.layers.0.weight"));
        assert!(table().ignores("embeddings.position_ids"));
        assert!(!table().ignores("embeddings.position_embedding.weight"));
        assert!(!table().ignores("text_model"));
    }
}
