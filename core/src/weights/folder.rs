//! Which files hold the weights of a folder.

use std::path::{Path, PathBuf};

use super::WeightError;

/// What a model's folder calls its weights, the first that is there.
const MODEL_FILES: [&str; 4] = [
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
];

/// The one file to open: an index, the weights themselves, or the only GGUF file of the folder.
pub(super) fn model_file(folder: &Path) -> Result<PathBuf, WeightError> {
    if let Some(file) = named_file(folder, &MODEL_FILES) {
        return Ok(file);
    }
    let not_found = |problem| WeightError::NotFound {
        path: folder.to_owned(),
        problem,
    };
    let mut ggufs = gguf_files(folder)?;
    match (ggufs.pop(), ggufs.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            ggufs.push(last);
            let names = ggufs.iter().filter_map(|file| file.file_name());
            let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
            Err(not_found(format!(
                "the folder has several GGUF files; state the one that is meant: {}",
                names.join(", ")
            )))
        }
        (None, _) => Err(not_found(format!(
            "the folder has neither {}, nor an index of one of them, nor a GGUF file",
            MODEL_FILES.join(" nor ")
        ))),
    }
}

/// The index of the first of `names` that is there, or else that file itself.
pub(super) fn named_file(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    let files = names
        .iter()
        .flat_map(|name| [folder.join(format!("{name}.index.json")), folder.join(name)]);
    files.into_iter().find(|file| file.exists())
}

fn gguf_files(folder: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut files = entries.map_err(|source| WeightError::Io {
        path: folder.to_owned(),
        source,
    })?;
    files.retain(|file| file.extension().is_some_and(|end| end == "gguf") && file.is_file());
    files.sort_unstable();
    Ok(files)
}
