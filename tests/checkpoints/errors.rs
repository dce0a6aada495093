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
        values.insert("image_border".to_owned(), stray);
    });
    let message = error(stray.path());
    assert!(message.contains("image_border"), "{message}");
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
    let message = config(r#"{ "model_type": "idefics", "text_config": {}, "vision_config": {} }"#);
    assert!(message.contains("of type `idefics`, which is no vision-language model that is read"));
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

#[test]
fn what_lies_over_a_model_must_be_made_for_it() {
    let refused = |model: &menagerie::folder::ModelPath| match Recipe::of_folder(model, &[]) {
        Err(error) => error.to_string(),
        Ok(recipe) => match recipe.assemble(&Device::flex()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{model:?} was loaded"),
        },
    };
    let stranger = super::files::over(fixture("delta"), &fixture("gguf-llama"), true);
    let message = refused(&stranger);
    assert!(message.contains("it is of another model"), "{message}");
    let whole = super::files::over(fixture("hf-clip-llama"), &fixture("base-llama"), false);
    let message = refused(&whole);
    assert!(
        message.contains("is a whole model in Hugging Face's layout"),
        "{message}"
    );
    let nowhere = super::files::over(fixture("lora"), Path::new("nowhere"), false);
    assert_eq!(refused(&nowhere), "there is no folder `nowhere`");

    // An adapter over itself, and one that is no matrix.
    let made = tempfile::tempdir().expect("a folder");
    let adapter = made.path().join("adapter");
    fs::create_dir(&adapter).expect("made");
    let config = |base: &Path, more: &str| {
        let base = base.display();
        let text = format!(
            r#"{{ "peft_type": "LORA", "lora_alpha": 4, "base_model_name_or_path": "{base}"{more} }}"#
        );
        fs::write(adapter.join("adapter_config.json"), text).expect("written");
    };
    config(&adapter, "");
    assert!(refused(&folder(&adapter)).contains("is an adapter too"));
    let bytes = [0_u8; 8];
    let name = |part| {
        format!("base_model.model.language_model.model.layers.0.self_attn.q_proj.{part}.weight")
    };
    let views = ["lora_A", "lora_B"].map(|part| {
        let view = TensorView::new(Dtype::F32, vec![2], &bytes).expect("f32");
        (name(part), view)
    });
    safetensors::serialize_to_file(views, None, &adapter.join("adapter_model.safetensors"))
        .expect("written");
    config(&fixture("hf-clip-llama"), "");
    assert!(refused(&folder(&adapter)).contains("they are matrices"));
    config(
        &fixture("hf-clip-llama"),
        r#", "alpha_pattern": { "layers\\.0.*": 8 }"#,
    );
    assert!(refused(&folder(&adapter)).contains("read are names of modules with a number"));
}

#[test]
fn sizes_that_no_model_has_are_an_error_and_not_a_lack_of_memory() {
    let made = tempfile::tempdir().expect("a folder");
    let place = fixture("hf-clip-llama");
    copy(&place, made.path());
    let config = fs::read_to_string(place.join("config.json")).expect("config.json");
    let json: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    for (part, key, option) in [
        ("text_config", "num_hidden_layers", "num_layers"),
        ("text_config", "hidden_size", "hidden_size"),
        ("vision_config", "num_hidden_layers", "num_layers"),
        ("vision_config", "image_size", "image_size"),
    ] {
        for size in [0_u64, 1_000_000_000, 1_000_000_000_000_000_000] {
            let mut json = json.clone();
            json[part][key] = size.into();
            fs::write(made.path().join("config.json"), json.to_string()).expect("written");
            let message = error(made.path());
            assert!(
                message.contains(&format!("`{option}`")),
                "{key} = {size}: {message}"
            );
        }
    }
}

#[test]
fn an_image_that_the_tokenizer_does_not_find_is_an_error_and_never_left_out() {
    let made = tempfile::tempdir().expect("a folder");
    let place = fixture("hf-clip-llama");
    copy(&place, made.path());
    let file = place.join("tokenizer.json");
    let text = fs::read_to_string(file).expect("tokenizer.json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for key in ["lstrip", "rstrip", "normalized"] {
        let mut json = json.clone();
        let added = json["added_tokens"].as_array_mut().expect("a list");
        let image = added.iter_mut().find(|token| token["content"] == "<image>");
        image.expect("an image token")[key] = true.into();
        fs::write(made.path().join("tokenizer.json"), json.to_string()).expect("written");
        let recipe = Recipe::of_folder(&folder(made.path()), &[]).expect("a model");
        let model = recipe.assemble(&Device::flex()).expect("loaded");
        let request = menagerie::model::Request::question(
            "What is it?",
            vec![fs::read(place.join("image.png")).expect("image.png")],
        );
        match model.trace(&request, None) {
            Err(error) => assert!(error.to_string().contains("0 of 1 images"), "{error}"),
            Ok(trace) => {
                let has = |name: &str| trace.tensors.iter().any(|(other, _)| *other == name);
                assert!(has("projected"), "{key}");
                let (_, ids) = &trace.tensors[3];
                let ids = super::files::ids(ids);
                assert!(ids.contains(&-200), "{key}: {ids:?}");
            }
        }
    }
}

#[test]
fn a_trace_replaces_neither_a_model_nor_a_device() {
    let world = World::new();
    let model = world.path("model");
    copy(&fixture("hf-clip-llama"), &model);
    let before = fs::read(model.join("model.safetensors")).expect("read");
    let said = world.menagerie(&[
        "trace",
        "model",
        "--prompt",
        "x",
        "--out",
        "model/model.safetensors",
    ]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert_eq!(
        fs::read(model.join("model.safetensors")).expect("read"),
        before
    );
    fs::create_dir(world.path("folder")).expect("made");
    let said = world.menagerie(&["trace", "model", "--prompt", "x", "--out", "folder"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("no regular file"), "{said:?}");
}

#[test]
fn a_generation_config_that_makes_no_sense_is_an_error() {
    let made = tempfile::tempdir().expect("a folder");
    copy(&fixture("hf-clip-llama"), made.path());
    for (text, message) in [
        (
            r#"{ "top_p": 5 }"#,
            "`top_p` is 5; it must be above 0 and at most 1",
        ),
        (
            r#"{ "repetition_penalty": 0 }"#,
            "`repetition_penalty` is 0; it must be above 0",
        ),
        (
            r#"{ "eos_token_id": "x" }"#,
            "`eos_token_id` must be a token's id",
        ),
        ("{", "not JSON"),
    ] {
        fs::write(made.path().join("generation_config.json"), text).expect("written");
        let found = error(made.path());
        assert!(found.contains(message), "{found}");
    }
    let fine = r#"{ "temperature": null, "eos_token_id": [1, 2], "top_k": 50 }"#;
    fs::write(made.path().join("generation_config.json"), fine).expect("written");
    let recipe = Recipe::of_folder(&folder(made.path()), &[]).expect("a model");
    let model = recipe.assemble(&Device::flex()).expect("loaded");
    assert!(model.end_tokens().contains(&1));
}
