//! Tokens, and the hub's noes: each says what to do.

use std::path::Path;

use super::fake::{FakeHub, Fault, Model};
use super::{at, fetch};

fn secret() -> Model {
    let files: &[(&str, &[u8])] = &[("config.json", b"{}"), ("model.safetensors", b"weights")];
    let mut model = Model::new('a', files);
    model.token = Some("hf_right");
    model
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_host() {
    let server = FakeHub::new(&[("acme/secret", secret())]);
    let home = tempfile::tempdir().expect("a folder");
    let mut hub = at(&server, home.path());
    hub.token = Some("hf_right".to_owned());
    fetch(&hub, "acme/secret").unwrap_or_else(|error| panic!("{error}"));
    let asked = server.asked();
    let (elsewhere, here): (Vec<_>, Vec<_>) = asked
        .iter()
        .partition(|asked| asked.host.starts_with("localhost"));
    assert_eq!((here.len(), elsewhere.len()), (3, 1), "{asked:?}");
    assert!(
        here.iter()
            .all(|asked| asked.token.as_deref() == Some("hf_right"))
    );
    assert!(
        elsewhere.iter().all(|asked| asked.token.is_none()),
        "{asked:?}"
    );
}

#[test]
fn a_gated_model_says_whose_terms_to_accept_and_where_the_token_goes() {
    let server = FakeHub::new(&[("acme/secret", secret())]);
    let home = tempfile::tempdir().expect("a folder");
    let mut hub = at(&server, home.path());
    let page = format!("{}/acme/secret", server.endpoint());
    let error = fetch(&hub, "acme/secret").expect_err("no token");
    for word in [
        "who states no token",
        "access is restricted",
        "set HF_TOKEN",
        &page,
    ] {
        assert!(error.contains(word), "{error}");
    }
    hub.token = Some("hf_wrong".to_owned());
    let error = fetch(&hub, "acme/secret").expect_err("a wrong token");
    for word in ["the owner of this token", "not on the list", &page] {
        assert!(error.contains(word), "{error}");
    }
    assert!(!error.contains("hf_wrong"), "{error}");
}

#[test]
fn what_is_not_there_and_what_does_not_answer_is_told_apart() {
    let empty = Model::new('b', &[("README.md", b""), ("flax_model.msgpack", b"")]);
    let server = FakeHub::new(&[("acme/open", Model::new('a', &[])), ("acme/empty", empty)]);
    let home = tempfile::tempdir().expect("a folder");
    let hub = at(&server, home.path());
    let says = |id: &str, words: &[&str]| {
        let error = fetch(&hub, id).expect_err(id);
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    };
    says(
        "acme/none",
        &[
            "`acme/none`",
            "neither a file or folder here",
            &server.endpoint(),
        ],
    );
    says(
        "acme/open@v9",
        &["`acme/open`", "no branch, tag or commit `v9`"],
    );
    says(
        "acme/empty",
        &["no weights", "README.md, flax_model.msgpack"],
    );
    server.set_fault(Fault::Status(503));
    says(
        "acme/open",
        &["status 503", "come back later", "the list of files"],
    );
    let endpoint = server.endpoint();
    drop(server);
    let cache = home.path().to_str().expect("text");
    says(
        "acme/open",
        &["cannot reach", &endpoint, "acme/open@main", cache],
    );
}

#[test]
fn offline_without_a_cache_names_model_cache_and_ways_out() {
    let mut hub = at(&FakeHub::new(&[]), Path::new("/nowhere/hub"));
    hub.offline = true;
    let error = fetch(&hub, "acme/eye@v1").expect_err("offline");
    assert_eq!(
        error,
        "`acme/eye@v1` cannot be downloaded while HF_HUB_OFFLINE is set, and the cache \
         `/nowhere/hub` lacks all of it; unset HF_HUB_OFFLINE once, copy the cache of a machine \
         that has it, or state a folder"
    );
}

#[test]
fn a_cache_that_cannot_be_written_names_the_variable_that_moves_it() {
    let mut open = secret();
    open.token = None;
    let server = FakeHub::new(&[("acme/open", open)]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let error = fetch(&at(&server, &file), "acme/open").expect_err("no folder");
    for word in ["cannot write", file.to_str().expect("text"), "HF_HUB_CACHE"] {
        assert!(error.contains(word), "{error}");
    }
}
