//! What is wrong with a model's files comes with key, shapes and file; nothing is random in silence.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use menagerie::Recipe;
use menagerie::burn::tensor::{Device, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use super::files::{Values, copy, fixture, folder, read};
use crate::tiny::World;

/// `hf-clip-llama` with other weights.
fn changed(change: impl Fn(&mut Values)) -> TempDir {
    let made = tempfile::tempdir().expect("a folder");
    let place = fixture("hf-clip-llama");
    copy(&place, made.path());
    let mut values = read(&place.join("model.safetensors"));
    change(&mut values);
    let views = values.iter().map(|(key, data): (&String, &TensorData)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes());
        (key.clone(), view.expect("f32"))
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(
        views,
        Some(metadata),
        &made.path().join("model.safetensors"),
    )
    .expect("written");
    made
}

fn error(path: &Path) -> String {
    match Recipe::of_folder(&folder(path), &[]) {
        Err(error) => error.to_string(),
        Ok(recipe) => match recipe.assemble(&Device::flex()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{} was loaded", path.display()),
        },
    }
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let key = "language_model.model.layers.1.mlp.up_proj.weight";
    let missing = changed(|values| drop(values.remove(key)));
    let message = error(missing.path());
    assert!(
        message.contains("1 of the 21 tensors of `llm` are not in"),
        "{message}"
    );
    assert!(message.contains(key), "{message}");

    let misshapen = changed(|values| {
        values.insert(key.to_owned(), TensorData::new(vec![0.0_f32; 6], [2, 3]));
    });
    let message = error(misshapen.path());
    let file = misshapen.path().join("model.safetensors");
    assert!(message.contains(&file.display().to_string()), "{message}");
    assert!(
        message.contains(key) && message.contains("has shape [2, 3]"),
        "{message}"
    );
    assert!(message.contains("wants [56, 32]"), "{message}");

    let nan = changed(|values| {
        let mut weight = vec![0.5_f32; 56 * 32];
        weight[7] = f32::NAN;
        values.insert(key.to_owned(), TensorData::new(weight, [56, 32]));
    });
    let message = error(nan.path());
    assert!(
        message.contains(key) && message.contains("1 values that are NaN"),
        "{message}"
    );

    let extra = changed(|values| {
        let norm = TensorData::new(vec![1.0_f32; 3], [3]);
        values.insert(
            "language_model.model.layers.2.input_layernorm.weight".to_owned(),
            norm,
        );
    });
    let message = error(extra.path());
    assert!(
        message.contains("layers.2.input_layernorm.weight"),
        "{message}"
    );

    // Nobody's name at all.
    let stray = changed(|values| {
        let stray = TensorData::new(vec![1.0_f32; 3], [3]);
        values.insert("image_newline".to_owned(), stray);
    });
    let message = error(stray.path());
    assert!(message.contains("image_newline"), "{message}");
}

#[test]
fn folders_that_are_no_model_say_what_would_be_one() {
    let made = tempfile::tempdir().expect("a folder");
    let config = |text: &str| {
        fs::write(made.path().join("config.json"), text).expect("written");
        error(made.path())
    };
    assert!(error(made.path()).contains("is no model's folder: it has none of model.toml"));
    assert!(config("{").contains("not JSON"));
    let message =
        config(r#"{ "model_type": "llava_next", "text_config": {}, "vision_config": {} }"#);
    assert!(
        message.contains("of type `llava_next`, which is no vision-language model that is read")
    );
    let message = config(
        r#"{ "model_type": "llava", "vision_config": { "model_type": "sam" }, "text_config": {} }"#,
    );
    assert!(
        message.contains("no vision plugin reads models of type `sam`; known are: clip"),
        "{message}"
    );
    let message = config(
        r#"{ "model_type": "llava_llama", "mm_vision_tower": "x/y", "mm_projector_type": "resampler" }"#,
    );
    assert!(message.contains("neither model.safetensors"), "{message}");
}

#[test]
fn the_program_says_it_in_a_line_and_with_its_exit_code() {
    let world = World::new();
    let place = fixture("original-mlp");
    let place = place.to_str().expect("a path");
    let said = world.menagerie(&["trace", place, "--prompt", "x", "--delta", "--out", "t"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = world.menagerie(&["ask", "tiny.toml", "hello"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("states no weights for `vision`"),
        "{said:?}"
    );
    let said = world.menagerie(&["ask", place, "--chat", "v7", "hello"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("no chat template is called `v7`"),
        "{said:?}"
    );
    let said = world.menagerie(&["inspect", place]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout
            .contains("names begin with `model.mm_projector.`"),
        "{said:?}"
    );
}
