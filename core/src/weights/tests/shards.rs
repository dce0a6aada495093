//! What a path means.

use std::fs;

use super::made;
use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn first(shards: &Shards) -> f32 {
    shards.data("w").unwrap().try_to_vec::<f32>().unwrap()[0]
}

#[test]
fn a_file_is_what_it_holds_and_not_what_its_name_says() {
    let folder = folder();
    for (format, name) in [
        ("pytorch/zip.bin", "a.safetensors"),
        ("pytorch/legacy.bin", "b.gguf"),
        ("pytorch/expected.safetensors", "c.bin"),
        ("gguf/metadata.gguf", "d"),
    ] {
        let file = folder.path().join(name);
        fs::copy(fixture(format), &file).unwrap();
        assert_same(&Shards::open(&file).unwrap(), &open(format).unwrap());
    }
}

/// A header of 640 bytes begins as a pickle of protocol 2 does.
#[test]
fn a_header_whose_length_looks_like_another_format_is_still_a_header() {
    let folder = folder();
    let file = folder.path().join("w");
    let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let padded = format!("{header:640}");
    fs::write(&file, made::with_header(&padded, &1.5_f32.to_le_bytes())).unwrap();
    assert!(fs::read(&file).unwrap().starts_with(b"\x80\x02"));
    assert_eq!(first(&Shards::open(&file).unwrap()), 1.5);
}

#[test]
fn a_folder_opens_safetensors_before_pytorch_and_gguf_only_if_it_is_alone() {
    let folder = folder();
    let write = |name: &str, value: f32| {
        let bytes = made::safetensors(&[("w", &[value])]);
        fs::write(folder.path().join(name), bytes).unwrap();
    };
    let open = || Shards::open(folder.path());
    let error = open().unwrap_err().to_string();
    assert!(
        error.contains("neither model.safetensors nor pytorch_model.bin"),
        "{error}"
    );
    write("a.gguf", 1.0);
    assert_eq!(first(&open().unwrap()), 1.0);
    write("b.gguf", 2.0);
    let error = open().unwrap_err().to_string();
    assert!(
        error.ends_with("the one that is meant: a.gguf, b.gguf"),
        "{error}"
    );
    write("pytorch_model.bin", 3.0);
    assert_eq!(first(&open().unwrap()), 3.0);
    write("model.safetensors", 4.0);
    assert_eq!(first(&open().unwrap()), 4.0);
    write("adapter_model.bin", 5.0);
    let names = ["adapter_model.safetensors", "adapter_model.bin"];
    let adapter = Shards::open_named(folder.path(), &names).unwrap();
    assert_eq!(first(&adapter), 5.0);
    let error = Shards::open_named(folder.path(), &names[..1]).unwrap_err();
    assert!(error.to_string().ends_with("no adapter_model.safetensors"));
}

#[test]
fn an_index_must_say_what_is_true_and_name_files_beside_it() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(
        path("one"),
        made::safetensors(&[("w", &[1.0]), ("x", &[2.0])]),
    )
    .unwrap();
    fs::write(path("two"), made::safetensors(&[("y", &[3.0])])).unwrap();
    let open = |map: &str| {
        let index = format!(r#"{{"metadata": {{}}, "weight_map": {map}}}"#);
        fs::write(path("model.safetensors.index.json"), index).unwrap();
        Shards::open(folder.path())
    };
    // A shard may hold more than the index names.
    let shards = open(r#"{"w": "one", "y": "two"}"#).unwrap();
    assert_eq!(shards.names().collect::<Vec<_>>(), ["w", "x", "y"]);
    let index = path("model.safetensors.index.json");
    assert_eq!(Shards::open(&index).unwrap().names().count(), 3);

    for (map, says) in [
        (
            r#"{"w": "two"}"#,
            "says that `w` is in `two`, which does not hold it",
        ),
        (
            r#"{"z": "one"}"#,
            "says that `z` is in `one`, which does not hold it",
        ),
        (
            r#"{"w": "../one"}"#,
            "`../one` is not the name of a file beside it",
        ),
        (
            r#"{"w": "/one"}"#,
            "`/one` is not the name of a file beside it",
        ),
        (
            r#"{"w": "a/one"}"#,
            "`a/one` is not the name of a file beside it",
        ),
        (r#"{"w": ".."}"#, "`..` is not the name of a file beside it"),
        (r#"{"w": ""}"#, "`` is not the name of a file beside it"),
        (r#"{"w": 3}"#, "expected a string"),
        (r#"{"w": "gone"}"#, "the download may be incomplete"),
        (r#"["w"]"#, "expected a table of tensors and shards"),
        (
            r#"{"w": "model.safetensors.index.json"}"#,
            "is an index too",
        ),
    ] {
        let error = open(map).expect_err(map).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn two_shards_with_the_same_tensor_are_an_error_that_names_both() {
    let folder = folder();
    for name in ["one", "two"] {
        fs::write(
            folder.path().join(name),
            made::safetensors(&[("w", &[1.0])]),
        )
        .unwrap();
    }
    let index = r#"{"weight_map": {"w": "one", "x": "two"}}"#;
    fs::write(folder.path().join("pytorch_model.bin.index.json"), index).unwrap();
    let error = Shards::open(folder.path()).unwrap_err();
    assert!(matches!(error, WeightError::Twice { .. }), "{error}");
}

/// Hub caches are made of links.
#[cfg(unix)]
#[test]
fn links_are_followed_and_pipes_and_folders_are_refused_at_once() {
    use std::os::unix::fs::symlink;

    let (folder, elsewhere) = (folder(), tempfile::tempdir().unwrap());
    let blob = elsewhere.path().join("blob");
    fs::write(&blob, made::safetensors(&[("w", &[1.0])])).unwrap();
    symlink(&blob, folder.path().join("model.safetensors")).unwrap();
    assert_eq!(first(&Shards::open(folder.path()).unwrap()), 1.0);

    let pipe = elsewhere.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for (path, says) in [
        (pipe.as_path(), "it is a pipe"),
        (Path::new("/dev/zero"), "a device"),
        (&elsewhere.path().join("gone"), "no such file or folder"),
    ] {
        let error = Shards::open(path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    fs::create_dir(elsewhere.path().join("model.safetensors")).unwrap();
    let error = Shards::open(elsewhere.path()).unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
}

#[test]
fn what_is_no_weights_is_named_if_it_is_known() {
    let folder = folder();
    let file = folder.path().join("model.safetensors");
    for (content, says) in [
        (
            b"version https://git-lfs.github.com/spec/v1\n".as_slice(),
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"", "it is empty"),
        (b"\x93NUMPY", "no format that can be read"),
    ] {
        fs::write(&file, content).unwrap();
        let error = Shards::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
