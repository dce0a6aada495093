//! Turns the ONNX file into Rust: `$ENCODER.onnx`, with the facts beside it in `$ENCODER.toml`, or the
//! small one of `model/`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use burn_onnx::{LoadStrategy, ModelGen};

fn main() {
    println!("cargo::rerun-if-env-changed=ENCODER");
    let encoder = env::var_os("ENCODER").map_or_else(|| PathBuf::from("model/tiny"), PathBuf::from);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names OUT_DIR"));
    // One name for all, as the code is included by it. The last two are for the tests.
    for extension in ["onnx", "toml", "pixels.f32", "features.f32"] {
        let from = encoder.with_extension(extension);
        println!("cargo::rerun-if-changed={}", from.display());
        fs::copy(&from, out.join("encoder").with_extension(extension))
            .unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
    println!("cargo::rustc-env=ENCODER_FOLDER={}", path(&out));
    ModelGen::new()
        .input(path(&out.join("encoder.onnx")))
        .out_dir("model/")
        .load_strategy(LoadStrategy::Embedded)
        .run_from_script();
}

fn path(path: &Path) -> &str {
    path.to_str().expect("cargo's folders have names in UTF-8")
}
