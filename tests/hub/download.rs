//! Models into the cache: once, pinned, over broken lines, and nothing but what was announced.

use std::fs;
use std::path::Path;

use menagerie::hub::{HubError, HubId};

use super::fake::{FakeHub, Fault, Model};
use super::{at, fetch, id};

const WEIGHTS: &[u8] = b"the bytes of a model, long enough to be cut in the middle";

fn eye(commit: char) -> Model {
    Model::new(
        commit,
        &[
            ("README.md", b"read me"),
            ("config.json", b"{}"),
            ("preprocessor_config.json", b"{\"size\": 28}"),
            ("model.safetensors", WEIGHTS),
            ("pytorch_model.bin", b"the same once more"),
            ("modeling_eye.py", b"print()"),
            ("onnx/model.onnx", b"and again"),
        ],
    )
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_model_is_downloaded_once_and_needs_no_server_afterwards() {
    let server = FakeHub::new(&[("acme/eye", eye('a'))]);
    let home = tempfile::tempdir().expect("a folder");
    let mut hub = at(&server, home.path());

    let mut seen = Vec::new();
    let snapshot = hub.fetch(&id("acme/eye"), &mut |file, done, size| {
        seen.push((file.to_owned(), done, size));
    });
    let snapshot = snapshot.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(snapshot.commit, "a".repeat(40));
    assert_eq!(snapshot.weights, snapshot.folder);
    let wanted = [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ];
    assert_eq!(names(&snapshot.folder), wanted);
    let weights = snapshot.folder.join("model.safetensors");
    assert_eq!(fs::read(&weights).expect("read"), WEIGHTS);
    let size = WEIGHTS.len() as u64;
    assert!(seen.contains(&("model.safetensors".to_owned(), 0, size)));
    assert_eq!(
        seen.last(),
        Some(&("model.safetensors".to_owned(), size, size))
    );

    // As Python's huggingface_hub lays it out.
    let folder = home.path().join("models--acme--eye");
    assert_eq!(
        snapshot.folder,
        folder.join("snapshots").join("a".repeat(40))
    );
    assert_eq!(
        fs::read_to_string(folder.join("refs/main")).expect("read"),
        "a".repeat(40)
    );
    #[cfg(unix)]
    {
        let blob = fs::read_link(&weights).expect("a link");
        let name = blob.file_name().expect("a name").to_str().expect("text");
        assert_eq!(blob, Path::new("../../blobs").join(name));
        assert_eq!(name.len(), 64);
    }

    server.asked();
    assert_eq!(fetch(&hub, "acme/eye"), Ok(snapshot.clone()));
    assert!(server.asked().is_empty());
    drop(server);
    assert_eq!(fetch(&hub, "acme/eye"), Ok(snapshot.clone()));
    hub.offline = true;
    assert_eq!(fetch(&hub, "acme/eye"), Ok(snapshot));
}

#[test]
fn two_that_want_the_same_model_at_once_download_it_once() {
    let server = FakeHub::new(&[("acme/eye", eye('a'))]);
    let home = tempfile::tempdir().expect("a folder");
    let hub = at(&server, home.path());
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| fetch(&hub, "acme/eye")));
        let both = both.map(|thread| thread.join().expect("no panic"));
        assert!(both[0].is_ok() && both[0] == both[1], "{both:?}");
    });
    let asked = server.asked().into_iter();
    assert_eq!(
        asked
            .filter(|asked| asked.path.starts_with("/blob/"))
            .count(),
        1
    );
}

#[test]
fn what_another_tool_left_in_the_cache_is_used_and_what_it_left_out_is_fetched() {
    let mut model = eye('a');
    model
        .files
        .insert("tokenizer.json".to_owned(), b"{}".to_vec());
    let server = FakeHub::new(&[("acme/eye", model)]);
    let home = tempfile::tempdir().expect("a folder");
    let hub = at(&server, home.path());
    let folder = home.path().join("models--acme--eye");
    let snapshot = folder.join("snapshots").join("a".repeat(40));
    fs::create_dir_all(&snapshot).expect("made");
    fs::create_dir_all(folder.join("refs")).expect("made");
    fs::write(snapshot.join("config.json"), "{}").expect("written");
    fs::write(snapshot.join("model.safetensors"), WEIGHTS).expect("written");
    fs::write(folder.join("refs/main"), "a".repeat(40)).expect("written");

    let fetched = fetch(&hub, "acme/eye").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fetched.folder, snapshot);
    assert!(snapshot.join("tokenizer.json").is_file());
    let asked: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert!(
        !asked.iter().any(|path| path.ends_with("model.safetensors")),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 3, "{asked:?}");

    // Without a connection, weights that are whole do, even if nobody knows what else there is.
    fs::remove_dir_all(folder.join(".no_exist")).expect("removed");
    drop(server);
    assert_eq!(fetch(&hub, "acme/eye"), Ok(fetched));
}

#[test]
fn a_revision_is_looked_up_once_and_a_commit_stays_what_it_is() {
    let mut old = eye('a');
    old.revisions = vec!["main", "v1", "refs/pr/5"];
    let server = FakeHub::new(&[("acme/eye", old)]);
    let home = tempfile::tempdir().expect("a folder");
    let hub = at(&server, home.path());
    let commit = |text: &str| {
        let fetched = fetch(&hub, text).unwrap_or_else(|error| panic!("{error}"));
        let bytes = fs::read(fetched.folder.join("model.safetensors")).expect("read");
        (fetched.commit.chars().next().expect("a hash"), bytes)
    };
    assert_eq!(commit("acme/eye@refs/pr/5"), ('a', WEIGHTS.to_vec()));
    assert_eq!(commit("acme/eye@v1"), ('a', WEIGHTS.to_vec()));

    let mut new = eye('b');
    new.files
        .insert("model.safetensors".to_owned(), b"new".to_vec());
    server.push("acme/eye", new);
    server.asked();
    assert_eq!(commit("acme/eye"), ('b', b"new".to_vec()));
    let asked = server.asked();
    // What both commits have in common is not downloaded again.
    assert!(
        !asked
            .iter()
            .any(|asked| asked.path.ends_with("config.json")),
        "{asked:?}"
    );
    assert_eq!(commit("acme/eye@v1"), ('a', WEIGHTS.to_vec()));
    let pinned = format!("acme/eye@{}", "a".repeat(40));
    assert_eq!(commit(&pinned), ('a', WEIGHTS.to_vec()));
    assert!(server.asked().is_empty());
}

#[test]
fn shards_come_with_their_index() {
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let files: &[(&str, &[u8])] = &[
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model-3.safetensors", b"nobody's"),
    ];
    let server = FakeHub::new(&[("acme/mouth", Model::new('c', files))]);
    let home = tempfile::tempdir().expect("a folder");
    let mut hub = at(&server, home.path());
    let fetched = fetch(&hub, "acme/mouth").unwrap_or_else(|error| panic!("{error}"));
    let wanted = [
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
    ];
    assert_eq!(names(&fetched.folder), wanted);

    fs::remove_file(fetched.folder.join("model-2.safetensors")).expect("removed");
    hub.offline = true;
    let error = fetch(&hub, "acme/mouth").expect_err("a shard is missing");
    for word in ["acme/mouth@main", "HF_HUB_OFFLINE", "model-2.safetensors"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(
        error.contains(home.path().to_str().expect("text")),
        "{error}"
    );
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    for fault in [Fault::CutOnce(10), Fault::CutOnceThenWhole(10)] {
        let server = FakeHub::new(&[("acme/eye", eye('a'))]);
        let home = tempfile::tempdir().expect("a folder");
        server.set_fault(fault);
        let fetched = fetch(&at(&server, home.path()), "acme/eye");
        let fetched = fetched.unwrap_or_else(|error| panic!("{error}"));
        let weights = fetched.folder.join("model.safetensors");
        assert_eq!(fs::read(weights).expect("read"), WEIGHTS);
        let ranges = server.asked().into_iter().filter_map(|asked| asked.range);
        assert!(ranges.into_iter().any(|range| range == "bytes=10-"));
    }
}

#[test]
fn a_download_that_never_ends_well_leaves_nothing_that_counts() {
    let server = FakeHub::new(&[("acme/eye", eye('a'))]);
    let home = tempfile::tempdir().expect("a folder");
    let mut hub = at(&server, home.path());
    server.set_fault(Fault::Cut(0));
    let error = hub
        .fetch(&id("acme/eye"), &mut |_, _, _| ())
        .expect_err("it breaks off");
    assert!(
        matches!(error, HubError::Interrupted { done: 0, .. }),
        "{error}"
    );
    hub.offline = true;
    assert!(fetch(&hub, "acme/eye").is_err());
    hub.offline = false;

    // Bytes that are wrong are found out, and are not gone on from.
    server.set_fault(Fault::WrongOnce);
    let error = hub
        .fetch(&id("acme/eye"), &mut |_, _, _| ())
        .expect_err("a wrong byte");
    assert!(matches!(error, HubError::Mismatch { .. }), "{error}");
    server.asked();
    let fetched = fetch(&hub, "acme/eye").unwrap_or_else(|error| panic!("{error}"));
    let weights = fetched.folder.join("model.safetensors");
    assert_eq!(fs::read(weights).expect("read"), WEIGHTS);
    assert!(server.asked().iter().all(|asked| asked.range.is_none()));
    let blobs = names(&home.path().join("models--acme--eye/blobs"));
    assert!(
        blobs.iter().all(|name| !name.ends_with(".incomplete")),
        "{blobs:?}"
    );
}

#[test]
fn names_that_lead_out_of_the_cache_are_refused() {
    let index = br#"{"weight_map": {"a": "../../../../evil.safetensors"}}"#;
    let climbing = Model::new('a', &[("model.safetensors.index.json", index)]);
    let mut commit = Model::new('b', &[]);
    commit.listing = Some(serde_json::json!({ "sha": "../../\u{1b}evil", "siblings": [] }));
    let lists = |file: serde_json::Value| {
        let mut model = Model::new('d', &[]);
        model.listing = Some(serde_json::json!({ "sha": "d".repeat(40), "siblings": [file] }));
        model
    };
    let hash = lists(serde_json::json!({
        "rfilename": "model.safetensors", "lfs": { "sha256": "../../../evil", "size": 4 },
    }));
    let name = lists(serde_json::json!({
        "rfilename": "../../evil.gguf", "size": 4, "blobId": "d".repeat(40),
    }));
    let models = [
        ("index", climbing),
        ("commit", commit),
        ("hash", hash),
        ("name", name),
    ];
    for (what, model) in models {
        let server = FakeHub::new(&[("acme/evil", model)]);
        let home = tempfile::tempdir().expect("a folder");
        let cache = home.path().join("a/b/cache");
        let error = fetch(&at(&server, &cache), "acme/evil").expect_err(what);
        assert!(error.contains("acme/evil@main"), "{error}");
        // Nor do they reach the terminal.
        assert!(!error.contains('\u{1b}'), "{error}");
        assert!(
            names(home.path()) == ["a"] || names(home.path()).is_empty(),
            "{what}"
        );
        assert!(
            names(&home.path().join("a/b"))
                .iter()
                .all(|name| name == "cache"),
            "{what}"
        );
    }
    assert_eq!(HubId::parse("acme/evil@../../x"), None);
}
