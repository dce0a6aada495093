//! ConvNeXt against values that timm stored, which transformers computes too.

use burn::tensor::DType;
use menagerie_core::plugin;
use menagerie_core::testing::{Reference, assert_close, check_encoder};
use menagerie_core::weights::{self, LoadReport, Shards};
use serde_json::{Value, json};

use super::*;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/convnext");
/// f32 against f64 differs by 4e-6 here, a wrong epsilon by 6e-5 and more.
const TOLERANCE: f64 = 3e-5;

fn config(layer: Vec<i64>) -> ConvNextConfig {
    let text = std::fs::read_to_string(format!("{FIXTURE}/config.json")).expect("config.json");
    let hf = serde_json::from_str(&text).expect("JSON");
    let options = ConvNextConfig::from_hf(&hf).expect("options");
    let config: ConvNextConfig = toml::Value::Table(options).try_into().expect("a config");
    ConvNextConfig {
        layer: layer.into(),
        ..config
    }
}

fn load(layer: Vec<i64>, file: &str) -> (ConvNext, LoadReport) {
    let config = config(layer);
    let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
    let shards = Shards::open(format!("{FIXTURE}/{file}").as_ref()).expect("weights");
    let checkpoint = EncoderConfig::checkpoint(&config);
    weights::load(module, "convnext", &checkpoint, &shards, DType::F32).expect("all weights")
}

fn reference() -> Reference {
    Reference::open(format!("{FIXTURE}/expected.safetensors"))
}

#[test]
fn every_block_and_map_equals_timm() {
    let (convnext, _) = load(vec![-1], "timm.safetensors");
    let reference = reference();
    let expect = |what: &str, actual: Tensor<3>| {
        assert_close(what, actual, reference.tensor(what), TOLERANCE);
    };
    let mut hidden = convnext.embed(reference.tensor("pixel_values"));
    expect("maps.0", hidden.clone());
    let mut index = 0;
    for (number, stage) in convnext.stages.iter().enumerate() {
        let (before, side) = (convnext.sides[number], convnext.sides[number + 1]);
        for (place, block) in stage.blocks.iter().enumerate() {
            let input = match &stage.downsample {
                Some(downsample) if place == 0 => downsample.forward(hidden.clone(), before),
                _ => hidden.clone(),
            };
            let branch = block.branch(input, side);
            expect(&format!("stages.{number}.blocks.{place}.mlp"), branch);
            hidden = convnext.block(index, hidden);
            index += 1;
        }
        expect(&format!("maps.{}", number + 1), hidden.clone());
    }
}

#[test]
fn the_files_of_every_publisher_give_the_map_asked_for() {
    for file in [
        "model.safetensors",
        "timm.safetensors",
        "open_clip.safetensors",
    ] {
        for (layer, map) in [(-1, 4), (-2, 3), (0, 0), (1, 1)] {
            let (convnext, report) = load(vec![layer], file);
            let features = convnext.forward(reference().tensor("pixel_values"));
            let expected = reference().tensor(&format!("maps.{map}"));
            assert_close(&format!("{file}, {layer}"), features, expected, TOLERANCE);
            let spec = EncoderConfig::spec(&config(vec![layer])).expect("sizes");
            let ignored = match file {
                "timm.safetensors" => "head.fc.bias head.fc.weight",
                "open_clip.safetensors" => {
                    "logit_scale text.token_embedding.weight text_projection visual.head.proj.weight"
                }
                _ => "",
            };
            assert_eq!(report.ignored.join(" "), ignored);
            assert_eq!(spec.tokens, [169, 169, 36, 9, 1][map]);
        }
    }
}

#[test]
fn maps_of_one_size_stand_side_by_side_and_others_do_not() {
    let (convnext, _) = load(vec![1, 0], "timm.safetensors");
    let features = convnext.forward(reference().tensor("pixel_values"));
    let maps = ["maps.1", "maps.0"].map(|map| reference().tensor::<3>(map));
    assert_close("maps", features, Tensor::cat(maps.to_vec(), 2), TOLERANCE);
    let error = EncoderConfig::spec(&config(vec![2, 3])).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "`layer` of `convnext`: map 2 has 6 × 6 places and map 3 3 × 3; features stand side by \
         side only where maps are of one size, as those of the stem and of stage 1"
    );
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    // As timm counts its models of these sizes with the norm of their head and no more.
    let expected = [
        ("tiny", 27_820_128),
        ("small", 49_454_688),
        ("base", 87_566_464),
        ("large", 196_230_336),
        ("xlarge", 348_147_968),
        ("clip-base-256", 87_566_464),
        ("clip-base-320", 87_566_464),
        ("clip-large-d-256", 196_230_336),
        ("clip-large-d-320", 196_230_336),
        ("clip-xxlarge", 843_398_016),
    ];
    let found = ConvNextConfig::presets().into_iter().map(|(name, config)| {
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        (name, Module::num_params(&module))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn keeps_the_contract() {
    check_encoder("convnext");
}

#[test]
fn timms_configs_are_read() {
    let info = &plugin::encoder("convnext").expect("convnext").info;
    // What `config.json` of `timm/convnext_large_mlp.clip_laion2b_ft_soup_320` states of sizes.
    let config = |architecture: &str| {
        json!({
            "architecture": architecture,
            "num_classes": 768,
            "num_features": 1536,
            "pretrained_cfg": {
                "input_size": [3, 320, 320],
                "mean": [0.481_454_66, 0.457_827_5, 0.408_210_73],
                "std": [0.268_629_54, 0.261_302_58, 0.275_777_11],
            },
        })
    };
    let large = config("convnext_large_mlp");
    assert!(info.reads(&large));
    let mut options = info.from_hf(&large).expect("options");
    options.insert("layer".to_owned(), (-1).into());
    assert_eq!(options, info.preset("clip-large-d-320").expect("a preset"));
    let error = info.from_hf(&config("convnextv2_large"));
    let message = error.expect_err("an error").to_string();
    assert!(message.contains("it is one of convnext_tiny"), "{message}");
}

#[test]
fn a_config_of_transformers_is_exported_alone_and_the_largest_not() {
    let parts = EncoderConfig::to_hf(&config(vec![-1])).expect("a config");
    assert!(parts.outer.is_empty());
    let again = ConvNextConfig::from_hf(&Value::Object(parts.config)).expect("options");
    assert_eq!(again["hidden_sizes"].to_string(), "[8, 12, 16, 24]");
    assert!(EncoderConfig::to_hf(&ConvNextConfig::preset("clip-xxlarge")).is_none());
}

#[test]
fn options_that_no_model_has_are_errors() {
    let error = |change: fn(&mut ConvNextConfig)| {
        let mut config = ConvNextConfig::tiny();
        change(&mut config);
        let error = EncoderConfig::spec(&config).expect_err("an error");
        error.key().map(str::to_owned)
    };
    let key = |key: &str| Some(key.to_owned());
    assert_eq!(error(|c| c.hidden_sizes.clear()), key("hidden_sizes"));
    assert_eq!(
        error(|c| c.hidden_sizes[1] = usize::MAX),
        key("hidden_sizes")
    );
    assert_eq!(error(|c| c.depths.push(1)), key("depths"));
    assert_eq!(error(|c| c.depths[0] = usize::MAX), key("depths"));
    assert_eq!(error(|c| c.patch_size = 0), key("patch_size"));
    assert_eq!(error(|c| c.image_size = 3), key("image_size"));
    assert_eq!(error(|c| c.image_size = usize::MAX), key("image_size"));
    assert_eq!(error(|c| c.layer = vec![3].into()), key("layer"));
    assert_eq!(error(|c| c.layer = vec![].into()), key("layer"));
}
