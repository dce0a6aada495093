//! Weights on disk: safetensors, PyTorch and GGUF files in the published layouts of the components.
//!
//! A parameter is found by the component's table of names (see [`crate::checkpoint`]). Every
//! parameter must be there with its shape, and every tensor of the file must be wanted: nothing is
//! left random, and nothing is left unread, without an error.

mod adapter;
mod atomic;
mod burnpack;
mod cursor;
mod entry;
mod folder;
mod ggml;
pub mod gguf;
mod in_memory;
mod index;
mod input;
mod interleave;
mod kind;
mod load;
mod pytorch;
mod report;
mod safetensors;
mod save;
mod save_gguf;
mod shards;
mod strided;
mod sum;
#[cfg(test)]
mod tests;
mod transpose;
mod write_adapter;
mod write_gguf;
mod write_pytorch;

pub use adapter::Adapter;
pub use atomic::{PARTIAL, sync_folder, write_whole};
pub use entry::{TensorEntry, count_non_finite};
#[doc(hidden)]
pub use in_memory::InMemory;
pub use input::Format;
pub use load::load;
pub(crate) use load::{Target, load_into};
pub use report::LoadReport;
pub(crate) use save::{Stored, stored, stored_where, write};
pub use save::{save, save_data, save_tensors};
pub(crate) use save_gguf::gguf_tensors;
pub use shards::Shards;
pub use write_adapter::AdapterFolder;
pub(crate) use write_gguf::{GgufTensor, write_gguf};
pub(crate) use write_pytorch::write_pytorch;

use std::path::PathBuf;

use thiserror::Error;

/// Weights that cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightError {
    /// No such file or folder.
    #[error("no weights at `{path}`: {problem}")]
    NotFound {
        /// Where they were looked for.
        path: PathBuf,
        /// What was looked for, and what to do.
        problem: String,
    },

    /// The file cannot be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// The file is not what it claims to be.
    #[error("`{path}` is not a valid {format}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        format: Format,
        /// What is wrong with it.
        problem: String,
    },

    /// A file was written anew while it was read.
    #[error("`{}` has changed while it was loaded; load it again", .0.display())]
    Changed(PathBuf),

    /// Two shards hold the same tensor.
    #[error("the tensor `{key}` is in both `{first}` and `{second}`")]
    Twice {
        /// The tensor's name.
        key: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },

    /// Parameters that the files do not hold.
    #[error("{} of the {wanted} tensors of `{component}` are not in `{path}`:{}", .missing.len(), lines(.missing))]
    Missing {
        /// The component that is loaded.
        component: String,
        /// The file or folder.
        path: PathBuf,
        /// How many tensors the component wants.
        wanted: usize,
        /// The keys looked for.
        missing: Vec<String>,
    },

    /// Tensors that no parameter takes.
    #[error(
        "`{path}` holds {} tensors that `{component}` does not want, so the recipe's sizes are not the file's:{}",
        .left_over.len(), lines(.left_over)
    )]
    LeftOver {
        /// The component that is loaded.
        component: String,
        /// The file or folder.
        path: PathBuf,
        /// The keys nobody takes.
        left_over: Vec<String>,
    },

    /// A tensor of another shape.
    #[error("`{key}` in `{path}` has shape {found:?}; `{component}` wants {expected:?}")]
    Shape {
        /// The component that is loaded.
        component: String,
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
        /// The parameter's shape, as the file should state it.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },

    /// A tensor whose numbers are not floats.
    #[error("`{key}` in `{path}` holds {dtype}; weights are f64, f32, f16 or bf16")]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The dtype in the file.
        dtype: String,
    },

    /// Numbers that are none.
    #[error(
        "`{key}` in `{path}` holds {count} values that are NaN or infinite: the file is damaged, or the training that wrote it failed"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// How many.
        count: usize,
    },

    /// An adapter for another model.
    #[error(
        "what lies in `{path}` changes `{key}`, which `{base}` does not hold: it is of another model"
    )]
    AdapterMisses {
        /// The adapter's folder.
        path: PathBuf,
        /// What it lies over.
        base: PathBuf,
        /// The tensor's name.
        key: String,
    },

    /// An adapter that training cannot go on with.
    #[error(
        "the adapter in `{path}` is not what `lora` describes: {problem}. Correct the table, or merge the adapter first: `menagerie export`"
    )]
    AdapterDiffers {
        /// The adapter's folder.
        path: PathBuf,
        /// What differs.
        problem: String,
    },

    /// A parameter without a line in the component's table of names: a plugin's mistake.
    #[error(
        "the plugin `{component}` states no checkpoint name for its parameter `{parameter}`; add it to its table of tensor names"
    )]
    Unnamed {
        /// The component.
        component: String,
        /// Path of the parameter.
        parameter: String,
    },
}

/// The first few names of a long list, a line each.
fn lines(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text: String = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("\n  {name}"))
        .collect();
    if names.len() > SHOWN {
        text.push_str(&format!("\n  … and {} more", names.len() - SHOWN));
    }
    text
}
