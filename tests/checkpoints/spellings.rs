//! One model under every name that its tensors have had.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use menagerie::Recipe;
use menagerie::burn::tensor::TensorData;
use menagerie::folder::ModelPath;
use safetensors::tensor::{Dtype, TensorView};

use super::files::{Values, assert_same, copy, fixture, floats, folder, read, trace, trace_recipe};

/// Writes the tensors of `from` under other names.
fn rename(from: &Path, to: &Path, name: impl Fn(&str) -> String) {
    let values = read(from);
    let views = values.iter().map(|(key, data): (&String, &TensorData)| {
        let shape = data.shape().to_vec();
        let view = TensorView::new(Dtype::F32, shape, data.as_bytes()).expect("f32");
        (name(key), view)
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(metadata), to).expect("written");
}

fn expected() -> Values {
    read(&fixture("hf-clip-llama").join("expected.safetensors"))
}

#[test]
fn the_hubs_files_with_the_config_of_their_time() {
    let place = fixture("hf-clip-llama");
    let made = tempfile::tempdir().expect("a folder");
    copy(&place, made.path());
    copy(&place.join("hub-config"), made.path());
    let file = place.join("model.safetensors");
    rename(&file, &made.path().join("model.safetensors"), |key| {
        key.replace("vision_tower.", "vision_tower.vision_model.")
    });
    let actual = trace(&folder(made.path()), &place, &["dtype = 'f32'"]);
    assert_same("hub files", &actual, &expected());
}

#[test]
fn the_names_in_memory() {
    let place = fixture("hf-clip-llama");
    let made = tempfile::tempdir().expect("a folder");
    copy(&place, made.path());
    let file = place.join("model.safetensors");
    rename(
        &file,
        &made.path().join("model.safetensors"),
        |key| match key.strip_prefix("language_model.") {
            Some("lm_head.weight") => "lm_head.weight".to_owned(),
            Some(rest) => rest.replacen("model.", "model.language_model.", 1),
            None => format!("model.{key}"),
        },
    );
    let actual = trace(&folder(made.path()), &place, &["dtype = 'f32'"]);
    assert_same("names in memory", &actual, &expected());
}

#[test]
fn a_components_weights_may_be_a_whole_models_folder() {
    let place = fixture("hf-clip-llama");
    let dir = place.display();
    let recipe = Recipe::parse(&format!(
        "name = 'parts'\n\
         [vision]\ntype = 'clip'\nweights = '{dir}'\n\
         [projector]\ntype = 'mlp'\nweights = '{dir}'\n\
         [llm]\ntype = 'llama'\nweights = '{dir}'\nchat = 'hf-llava'\n"
    ));
    let recipe = recipe.unwrap_or_else(|error| panic!("{error}"));
    assert_same("parts", &trace_recipe(&recipe, &place), &expected());
}

#[test]
fn a_recipe_takes_a_whole_model_and_states_its_difference() {
    let place = fixture("hf-clip-llama");
    let recipe = Recipe::parse(&format!(
        "model = '{}'\n[vision]\nlayer = -1\n[llm]\nchat = 'v1'\n",
        place.display()
    ));
    let recipe = recipe.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (recipe.name.as_str(), recipe.llm.chat.as_str()),
        ("hf-clip-llama", "v1")
    );
    let actual = trace_recipe(&recipe, &place);
    let expected = expected();
    assert_eq!(actual["features"].shape(), expected["features"].shape());
    assert_ne!(floats(&actual["features"]), floats(&expected["features"]));
}

#[test]
fn components_alone_are_read_from_their_own_folders() {
    for (name, plugin) in [
        ("clip-model", "clip"),
        ("clip-vision-model", "clip"),
        ("siglip-model", "siglip"),
    ] {
        let place = fixture(name);
        let select = if plugin == "clip" {
            "cls_patch"
        } else {
            "full"
        };
        let recipe = Recipe::parse(&format!(
            "name = 'alone'\n\
             [vision]\ntype = '{plugin}'\nweights = '{}'\nlayer = 1\nselect = '{select}'\n\
             [projector]\ntype = 'linear'\n\
             [llm]\ntype = 'llama'\nweights = '{}'\n",
            place.display(),
            fixture("base-llama").display()
        ));
        let recipe = recipe.unwrap_or_else(|error| panic!("{error}"));
        let model = recipe.assemble(&menagerie::burn::tensor::Device::flex());
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = read(&place.join("expected.safetensors"));
        let pixels = menagerie::burn::tensor::Tensor::from_data(
            expected["pixel_values"].clone(),
            &model.device(),
        );
        let features = model.network().vision.forward(pixels).into_data();
        let off = super::files::difference(&features, &expected["hidden_states.1"]);
        assert!(off <= super::files::TOLERANCE, "{name}: off by {off:e}");
    }
}

#[test]
fn an_adapter_over_a_whole_model_is_merged_into_each_component() {
    // What PEFT saves for a Hugging Face LLaVA names its modules as in memory.
    let place = fixture("hf-clip-llama");
    let made = tempfile::tempdir().expect("a folder");
    let adapter = made.path().join("adapter");
    fs::create_dir(&adapter).expect("made");
    let module = "base_model.model.model.language_model.layers.0.self_attn.q_proj";
    let values = read(&place.join("model.safetensors"));
    let weight = &values["language_model.model.layers.0.self_attn.q_proj.weight"];
    let [out, input] = [weight.shape()[0], weight.shape()[1]];
    let down = vec![0.5_f32; 2 * input];
    let up = vec![0.25_f32; 2 * out];
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let (down_bytes, up_bytes) = (bytes(&down), bytes(&up));
    let views = [
        (
            format!("{module}.lora_A.weight"),
            TensorView::new(Dtype::F32, vec![2, input], &down_bytes).expect("f32"),
        ),
        (
            format!("{module}.lora_B.weight"),
            TensorView::new(Dtype::F32, vec![out, 2], &up_bytes).expect("f32"),
        ),
    ];
    safetensors::serialize_to_file(views, None, &adapter.join("adapter_model.safetensors"))
        .expect("written");
    let config = "{\"peft_type\": \"LORA\", \"lora_alpha\": 4, \"r\": 2}";
    fs::write(adapter.join("adapter_config.json"), config).expect("written");

    // The same by hand: W + 4 / 2 · B A, where each element of B A is 2 · 0.25 · 0.5.
    let merged = made.path().join("merged");
    copy(&place, &merged);
    let mut changed = values.clone();
    let sum: Vec<f32> = floats(weight).iter().map(|value| value + 0.5).collect();
    let key = "language_model.model.layers.0.self_attn.q_proj.weight";
    changed.insert(key.to_owned(), TensorData::new(sum, [out, input]));
    let views = changed.iter().map(|(key, data)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes());
        (key.clone(), view.expect("f32"))
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(metadata), &merged.join("model.safetensors"))
        .expect("written");

    let model = ModelPath {
        base: Some(place.display().to_string()),
        ..folder(&adapter)
    };
    let (by_adapter, by_hand) = (
        trace(&model, &place, &[]),
        trace(&folder(&merged), &place, &[]),
    );
    assert_same("an adapter", &by_adapter, &by_hand);
    assert_ne!(floats(&by_adapter["logits"]), floats(&expected()["logits"]));
}
