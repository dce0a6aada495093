//! Why there is no new crate.

use std::io;
use std::path::PathBuf;

use menagerie_core::BuildError;
use menagerie_core::plugin::BenchmarkError;
use thiserror::Error;

use super::kind::Kind;
use crate::cli::exit::Exit;

#[derive(Debug, Error)]
pub(in crate::cli) enum NewError {
    #[error("`{name}` cannot name a plugin and its crate: {rule}; `{instead}` would do")]
    Name {
        name: String,
        rule: String,
        instead: String,
    },

    #[error(
        "`{name}` is a{n} {kind} of {owner} already, and a recipe finds a plugin by its name alone; taken are: {}; `{instead}` would do",
        .taken.join(", "), n = .kind.n()
    )]
    Taken {
        name: String,
        kind: Kind,
        owner: String,
        taken: Vec<String>,
        instead: String,
    },

    #[error("{} exists already, and nothing is overwritten; `--out DIR` chooses another folder", .path.display())]
    Exists { path: PathBuf },

    #[error(
        "--path {}: {because}; name the root of a clone of Menagerie's repository",
        .path.display()
    )]
    NoCheckout { path: PathBuf, because: String },

    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error(transparent)]
    Plugins(#[from] BuildError),

    #[error(transparent)]
    Benchmarks(#[from] BenchmarkError),
}

impl NewError {
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::Name { .. } | Self::Taken { .. } | Self::NoCheckout { .. } => Exit::BadInput,
            Self::Write { .. } => Exit::Resource,
            Self::Exists { .. } | Self::Plugins(_) | Self::Benchmarks(_) => Exit::Failure,
        }
    }
}
