//! Files of every format, whole and damaged.

mod gguf;
mod hostile;
mod made;
mod pytorch;
mod shards;

use std::path::{Path, PathBuf};

use super::{Shards, WeightError};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(name)
}

fn open(name: &str) -> Result<Shards, WeightError> {
    Shards::open(&fixture(name))
}

/// What is said about a file that cannot be opened, without its path.
fn refusal(name: &str) -> String {
    let error = open(name).expect_err(name).to_string();
    let path = fixture(name);
    let path = path.to_str().expect("a path of text");
    assert!(error.contains(path), "{error}");
    error.replace(path, "FILE")
}

/// That two files hold the same tensors: names, shapes, types and bytes.
fn assert_same(found: &Shards, expected: &Shards) {
    let names = |shards: &Shards| shards.names().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for name in expected.names() {
        let (found, expected) = (found.get(name).unwrap(), expected.get(name).unwrap());
        assert_eq!(found.shape, expected.shape, "{name}");
        let dtype = |dtype: Result<_, String>| dtype.map_err(|name| name.to_lowercase());
        assert_eq!(dtype(found.dtype()), dtype(expected.dtype()), "{name}");
        assert!(found.read().unwrap() == expected.read().unwrap(), "{name}");
    }
}
