//! Files of every format, whole and damaged.

mod gguf;
mod hostile;
mod made;
mod packed;
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

/// Saving over a file that is open here changes nothing under anybody's hands: a map of it keeps the
/// old bytes, and a load that is under way ends in an error and not in a mixture.
#[test]
fn saving_over_a_file_that_is_being_read_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let write = |value: f32| {
        let data = burn::tensor::TensorData::new(vec![value; 8], [8]);
        super::save_data(&[("weight", data)], &file).expect("written");
    };
    write(1.0);
    let mut mapped = std::fs::File::open(&file).expect("opened");
    let shards = Shards::open(&file).expect("opened");
    shards.check_unchanged().expect("nothing has happened");
    write(2.0);
    let error = shards
        .check_unchanged()
        .expect_err("written anew")
        .to_string();
    assert!(error.contains("has changed while it was loaded"), "{error}");
    // Whoever holds the old file, mapped or open, still sees it whole.
    let mut old = Vec::new();
    std::io::Read::read_to_end(&mut mapped, &mut old).expect("read");
    assert!(old.ends_with(&1.0_f32.to_le_bytes()));
}
