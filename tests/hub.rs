//! Weights by hub id, against a hub on this machine.
#![cfg(feature = "cli")]

#[path = "hub/download.rs"]
mod download;
#[path = "hub/fake.rs"]
mod fake;
#[path = "hub/recipe.rs"]
mod recipe;
#[path = "hub/refusals.rs"]
mod refusals;
#[path = "tiny/words.rs"]
mod words;

use std::path::{Path, PathBuf};

use menagerie::hub::{Hub, HubId, Snapshot};

use fake::FakeHub;

fn id(text: &str) -> HubId {
    HubId::parse(text).expect("a hub id")
}

/// `server` with its cache in `folder`.
fn at(server: &FakeHub, folder: &Path) -> Hub {
    Hub {
        endpoint: server.endpoint(),
        cache: folder.to_owned(),
        token: None,
        offline: false,
    }
}

/// The model, or what the error says.
fn fetch(hub: &Hub, text: &str) -> Result<Snapshot, String> {
    let fetched = hub.fetch(&id(text), &mut |_, _, _| ());
    fetched.map_err(|error| error.to_string())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}
