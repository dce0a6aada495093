//! What the benchmarks of short answers share: how the answer is asked for and rewritten, how it is
//! compared with ten people's, which answers are none, and the files of LLaVA and of others.

mod contractions;
mod fault;
mod files;
mod normalise;
mod predictions;
mod prompt;
mod results;
mod rewrite;
mod soft_accuracy;
mod truth;

pub(super) use fault::{fault, phrase_fault};
pub(super) use files::{Id, LlavaLine, file_name, find_any, image_folder, item, named};
pub(super) use normalise::{normalise, processed, tidy};
pub(super) use predictions::{Record, predictions, records};
pub(super) use prompt::Prompt;
pub(super) use results::results;
pub(super) use rewrite::Rewrite;
pub(super) use soft_accuracy::{soft_accuracy, spread};
pub(super) use truth::{ANSWERS, answers, known, with_truth};

/// The longest answer, in tokens, that LLaVA's own evaluation lets a model give
/// (`llava/eval/model_vqa_loader.py`).
pub(super) const MAX_NEW_TOKENS: usize = 128;

/// The lines of a fixture.
#[cfg(test)]
pub(super) fn cases(name: &str) -> Vec<serde_json::Value> {
    let lines = menagerie_core::benchmark::read_json_lines(&fixture(name));
    let lines = lines.unwrap_or_else(|error| panic!("{error}"));
    lines.into_iter().map(|(_, case)| case).collect()
}

#[cfg(test)]
pub(super) fn fixture(name: &str) -> std::path::PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fixtures/bench").join(name)
}
