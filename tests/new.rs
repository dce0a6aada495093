//! `menagerie new`: a folder whole or not at all, and a recipe that is one. That the crates build and
//! learn is tested in `tests/third-party`.
#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn menagerie(folder: &Path, args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args(args)
        .current_dir(folder)
        .output();
    program.expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn empty() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Everything in a folder, folders within it too.
fn names(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            let inner = names(&path);
            all.extend(inner.into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            all.push(name.into_owned());
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_crate_is_written_whole_and_its_baseline_is_a_recipe() {
    let folder = empty();
    for kind in ["encoder", "projector", "decoder", "benchmark"] {
        let output = menagerie(folder.path(), &["new", kind, "acme", "--out", kind]);
        assert_eq!(
            stderr(&output),
            format!("wrote {kind}; next: cd {kind} && cargo test\n")
        );
        let made = folder.path().join(kind);
        let expected = [
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "baseline.toml",
            "data.json",
            "images/blue.png",
            "images/green.png",
            "images/red.png",
            "images/yellow.png",
            "recipe.toml",
            "src/lib.rs",
            "src/main.rs",
            "tests/contract.rs",
            "tokenizer.json",
        ];
        assert_eq!(names(&made), expected);
        let manifest = fs::read_to_string(made.join("Cargo.toml")).expect("text");
        let dependency = format!("menagerie = \"{}\"\n", env!("CARGO_PKG_VERSION"));
        assert!(manifest.contains(&dependency), "{manifest}");
        let checked = menagerie(&made, &["recipe", "check", "baseline.toml"]);
        assert_eq!(
            String::from_utf8_lossy(&checked.stdout),
            "baseline.toml: ok\n"
        );
        // This program has no plugin called `acme`, and says at which line it is asked for.
        let checked = menagerie(&made, &["recipe", "check", "recipe.toml"]);
        assert_eq!(checked.status.code(), Some(3));
        let said = stderr(&checked);
        assert!(said.starts_with("error: recipe.toml:6:"), "{said}");
        assert!(said.contains("is called `acme`; there are: "), "{said}");
    }
    let left = fs::read_dir(folder.path()).expect("the folder is there");
    assert_eq!(left.count(), 4, "nothing lies beside them");
}

#[test]
fn a_checkout_is_depended_on_by_its_path() {
    let folder = empty();
    let output = menagerie(
        folder.path(),
        &["new", "projector", "acme", "--path", REPOSITORY],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let manifest = fs::read_to_string(folder.path().join("acme/Cargo.toml")).expect("text");
    let manifest: menagerie::toml::Table = manifest.parse().expect("TOML");
    let path = manifest["dependencies"]["menagerie"]["path"].as_str();
    let path = path.map(|path| fs::canonicalize(path).expect("a folder"));
    assert_eq!(path, fs::canonicalize(REPOSITORY).ok());
}

#[test]
fn what_is_there_is_not_touched_and_nothing_is_left_of_a_failure() {
    let folder = empty();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/mine.txt"), "mine").unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("file"), "mine").unwrap();
    let before = names(folder.path());
    for (args, code, message) in [
        (&["encoder", "full"][..], 1, "full exists already"),
        (&["encoder", "empty"], 1, "empty exists already"),
        (
            &["encoder", "acme", "--out", "file"],
            1,
            "file exists already",
        ),
        (
            &["encoder", "acme", "--out", "file/inside"],
            4,
            "cannot write file/inside",
        ),
        (
            &["encoder", "acme", "--out", "none/acme"],
            4,
            "cannot write none/acme",
        ),
        (
            &["encoder", "acme", "--path", "none"],
            3,
            "--path none: No such file",
        ),
        (
            &["encoder", "acme", "--path", "full"],
            3,
            "--path full: Cargo.toml: No such file",
        ),
        (&["encoder", "clip"], 3, "`my-clip` would do"),
        (&["benchmark", "exact"], 3, "`my-exact` would do"),
        (&["encoder", "My Encoder"], 3, "`my-encoder` would do"),
        (&["encoder", "fn"], 3, "`fn-encoder` would do"),
        (&["encodr", "acme"], 2, "a similar value exists: 'encoder'"),
    ] {
        let output = menagerie(folder.path(), &[&["new"], args].concat());
        let said = stderr(&output);
        assert!(said.contains(message), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert_eq!(names(folder.path()), before, "{args:?}");
    }
    assert!(at("empty").is_dir(), "an empty folder stays too");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);

    let foreign = format!("{REPOSITORY}/core");
    let output = menagerie(
        folder.path(),
        &["new", "encoder", "acme", "--path", &foreign],
    );
    let message = "its Cargo.toml is that of `menagerie-core`; name the root of a clone";
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
}
