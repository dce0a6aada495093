//! Merged patches against transformers' InternVL and Idefics3.

use serde_json::json;

use super::*;
use crate::testing::{Fixture, in_whole_model, load, refusal, vision};

/// Off by 1.2e-6 here, with a norm's epsilon of 1e-6 by 2.5e-5.
const TOLERANCE: f64 = 5e-6;

#[test]
fn internvls_equals_transformers() {
    let config = PixelShuffleConfig {
        factor: 2,
        head: Head::Mlp,
    };
    Fixture::open(&config, "internvl", [4, 6]).check("internvl", TOLERANCE);
}

#[test]
fn idefics3s_equals_transformers() {
    let config = PixelShuffleConfig {
        factor: 3,
        head: Head::Linear,
    };
    Fixture::open(&config, "idefics3", [6, 6]).check("idefics3", TOLERANCE);
}

#[test]
fn squares_that_do_not_fit_are_an_error() {
    let config = PixelShuffleConfig {
        factor: 2,
        head: Head::Mlp,
    };
    let message = refusal(&config, &vision([27, 27], 8));
    let expected = "`factor` of `pixel_shuffle`: squares of 2 x 2 tokens do not fill the \
                    encoder's grid of 27 x 27; these do: 1, 3, 9, 27";
    assert_eq!(message, expected);
}

#[test]
fn configs_of_whole_models_are_read() {
    let read = |config: Value| PixelShuffleConfig::from_hf(&config).map_err(|e| e.to_string());
    let options = |factor: i64, head: &str| -> Table {
        let options = [("factor", factor.into()), ("head", head.into())];
        let options = options.map(|(key, value): (&str, toml::Value)| (key.to_owned(), value));
        options.into_iter().collect()
    };
    let internvl = json!({ "model_type": "internvl", "downsample_ratio": 0.25 });
    assert_eq!(read(internvl), Ok(Some(options(4, "mlp"))));
    let smolvlm = json!({ "model_type": "smolvlm", "scale_factor": 3 });
    assert_eq!(read(smolvlm), Ok(Some(options(3, "linear"))));
    assert_eq!(read(json!({ "model_type": "llava" })), Ok(None));
    let odd = json!({ "model_type": "internvl", "downsample_ratio": 0.3 });
    let message = read(odd).expect_err("an error");
    assert!(message.contains("`downsample_ratio` = 0.3"), "{message}");
    let relu = json!({ "model_type": "internvl", "projector_hidden_act": "relu" });
    let message = read(relu).expect_err("an error");
    assert!(message.contains("\"relu\""), "{message}");
}

#[test]
fn files_of_whole_models_are_read() {
    const OTHERS: [&str; 3] = ["vision_model.x", "language_model.x", "model.text_model.x"];
    let mlp = PixelShuffleConfig::tiny();
    let original = |name: &str| {
        let parts = [("layer_norm", "0"), ("linear_1", "1"), ("linear_2", "3")];
        let found = parts.iter().find_map(|(own, stored)| {
            let part = name.strip_prefix(own)?;
            Some(format!("mlp1.{stored}{part}"))
        });
        found.expect("a part")
    };
    for name in [&original as &dyn Fn(&str) -> String, &|name| {
        format!("model.multi_modal_projector.{name}")
    }] {
        let file = in_whole_model("internvl", name, &OTHERS);
        let module = load(&mlp, file.path(), [4, 6]);
        Fixture::with(module).check("internvl", TOLERANCE);
    }

    let linear = PixelShuffleConfig {
        factor: 3,
        head: Head::Linear,
    };
    let file = in_whole_model(
        "idefics3",
        |name| format!("model.connector.{name}"),
        &OTHERS,
    );
    let module = load(&linear, file.path(), [6, 6]);
    Fixture::with(module).check("idefics3", TOLERANCE);
}
