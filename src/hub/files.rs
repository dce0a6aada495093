//! Which files of a repository are the model.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// What may lie beside the weights: sizes, image processor, tokenizer, templates.
pub(super) const BESIDE: [&str; 13] = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// The longest index of shards that is read, in bytes. LLaVA's largest is 0.1 MB.
const MAX_INDEX: u64 = 64 << 20;

/// The weights of a model. A repository often has them twice; the first of this order is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// Shards, and the index that names them.
    Sharded {
        /// The index's name.
        index: &'static str,
    },
    /// These files, whole.
    Files(Vec<String>),
}

impl Weights {
    /// The weights among the files `names`.
    pub(super) fn among(names: &[String]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|other| other == name);
        let stems = [
            ("model.safetensors.index.json", "model.safetensors"),
            ("pytorch_model.bin.index.json", "pytorch_model.bin"),
        ];
        for (index, single) in stems {
            if has(index) {
                return Some(Self::Sharded { index });
            }
            if has(single) {
                return Some(Self::Files(vec![single.to_owned()]));
            }
        }
        let open_clip = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];
        if let Some(file) = open_clip.into_iter().find(|name| has(name)) {
            return Some(Self::Files(vec![file.to_owned()]));
        }
        let adapters = ["adapter_model.safetensors", "adapter_model.bin"];
        if let Some(adapter) = adapters.into_iter().find(|name| has(name)) {
            let beside = ["adapter_config.json", "non_lora_trainables.bin"];
            let beside = beside.into_iter().filter(|name| has(name));
            return Some(Self::Files(
                [adapter]
                    .into_iter()
                    .chain(beside)
                    .map(str::to_owned)
                    .collect(),
            ));
        }
        if has("mm_projector.bin") {
            return Some(Self::Files(vec!["mm_projector.bin".to_owned()]));
        }
        let mut gguf = names.iter().filter(|name| is_gguf(name));
        match (gguf.next(), gguf.next()) {
            (Some(only), None) => Some(Self::Files(vec![only.clone()])),
            _ => None,
        }
    }

    /// The one file that is a whole model by itself, in a format that is not read as a folder.
    pub(super) fn single_gguf(&self) -> Option<&str> {
        match self {
            Self::Files(files) => match files.as_slice() {
                [only] if is_gguf(only) => Some(only),
                _ => None,
            },
            Self::Sharded { .. } => None,
        }
    }
}

fn is_gguf(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "gguf")
}

/// The shards that an index names, each once.
pub(super) fn shards(index: &Path) -> Result<Vec<String>, String> {
    let mut text = Vec::new();
    std::fs::File::open(index)
        .and_then(|file| file.take(MAX_INDEX).read_to_end(&mut text))
        .map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| "it has no table `weight_map`".to_owned())?;
    let mut shards = Vec::new();
    for value in map.values() {
        match value.as_str() {
            Some(name) if is_plain(name) => shards.push(name.to_owned()),
            _ => return Err(format!("{value} is not the name of a file beside it")),
        }
    }
    shards.sort_unstable();
    shards.dedup();
    Ok(shards)
}

/// The name of a file right in the repository, that means the same in a path and in a URL.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+=,".contains(&b);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(names: &[&str]) -> Option<Weights> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Weights::among(&names)
    }

    fn files(names: &[&str]) -> Weights {
        let names = names.iter().map(ToString::to_string).collect();
        Weights::Files(names)
    }

    #[test]
    fn each_way_to_publish_weights_is_known_and_safetensors_come_first() {
        let sharded = |index| Some(Weights::Sharded { index });
        let index = "model.safetensors.index.json";
        assert_eq!(
            among(&["pytorch_model.bin", index, "model.safetensors"]),
            sharded(index)
        );
        assert_eq!(
            among(&["pytorch_model.bin.index.json", "model.safetensors"]),
            Some(files(&["model.safetensors"]))
        );
        // The original's whole models bring their projector alone as well.
        let index = "pytorch_model.bin.index.json";
        assert_eq!(among(&["mm_projector.bin", index]), sharded(index));
        assert_eq!(
            among(&[
                "non_lora_trainables.bin",
                "adapter_model.bin",
                "adapter_config.json"
            ]),
            Some(files(&[
                "adapter_model.bin",
                "adapter_config.json",
                "non_lora_trainables.bin"
            ]))
        );
        assert_eq!(
            among(&["open_clip_config.json", "open_clip_pytorch_model.bin"]),
            Some(files(&["open_clip_pytorch_model.bin"]))
        );
        assert_eq!(
            among(&["config.json", "mm_projector.bin"]),
            Some(files(&["mm_projector.bin"]))
        );
        let gguf = among(&["README.md", "vicuna.q4_K.gguf"]).expect("one file");
        assert_eq!(gguf.single_gguf(), Some("vicuna.q4_K.gguf"));
        assert_eq!(among(&["a.gguf", "b.gguf"]), None);
        assert_eq!(among(&["config.json", "flax_model.msgpack"]), None);
    }

    #[test]
    fn names_that_lead_elsewhere_are_no_file_names() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "c:x",
            ".git",
            "a?b",
            "a#b",
            "a%2fb",
        ] {
            assert!(!is_plain(name), "{name}");
        }
        assert!(is_plain("model-00001-of-00002.safetensors"));
    }
}
