//! `new`, as a stranger uses it: each kind of crate is written, builds, passes its own tests and is
//! formatted. They are built where this crate is, with its lock, so that Burn is not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of this crate.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn acme(folder: &Path, args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_acme"))
        .args(args)
        .current_dir(folder)
        .output();
    program.expect("the program starts")
}

fn cargo(folder: &Path, args: &[&str]) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo says of this crate to its tests would have build scripts that read it run again, and
    // all above them be built again.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        cargo.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    let output = cargo
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target.expect("a folder above"))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo {}\n{}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Writes a crate into `folder`.
fn write(folder: &Path, kind: &str, name: &str) -> PathBuf {
    let checkout = format!("{HERE}/../..");
    let output = acme(folder, &["new", kind, name, "--path", &checkout]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    folder.join(name)
}

/// Makes a crate as a stranger would, and runs its tests.
fn make(kind: &str, name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = write(folder.path(), kind, name);
    cargo(&made, &["fmt", "--check"]);
    fs::copy(Path::new(HERE).join("Cargo.lock"), made.join("Cargo.lock")).expect("copied");
    // Its tests without the empty ones of its library and binary, each a program to link.
    cargo(&made, &["test", "--offline", "--test", "contract"]);
}

#[test]
fn a_new_encoder_is_whole() {
    make("encoder", "acme-patches");
}

#[test]
fn a_new_projector_is_whole() {
    make("projector", "acme_two_layers");
}

#[test]
fn a_new_decoder_is_whole() {
    make("decoder", "acme-decoder");
}

#[test]
fn a_new_benchmark_is_whole() {
    make("benchmark", "acme-words");
}

/// A crate's name is free if no plugin that this very program links in has it.
#[test]
fn a_strangers_name_is_taken_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = acme(folder.path(), &["new", "encoder", "patchify"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("`patchify` is an encoder of acme-encoder already"),
        "{said}"
    );
    let left = fs::read_dir(folder.path()).expect("the folder is there");
    assert_eq!(left.count(), 0);
}
