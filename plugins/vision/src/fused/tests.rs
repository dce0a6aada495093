//! Fused encoders against each encoder alone.

use burn::tensor::Distribution;
use menagerie_core::parameters::seeded;
use menagerie_core::testing::{assert_close, check_encoder};

use super::*;
use crate::ClipConfig;

fn config(parts: Vec<FusedPart>) -> FusedConfig {
    FusedConfig { parts }
}

fn dinov2() -> FusedPart {
    FusedPart::new(&Dinov2Config::tiny())
}

fn siglip() -> FusedPart {
    let tiny = SiglipConfig {
        image_size: 28,
        ..SiglipConfig::tiny()
    };
    FusedPart::new(&tiny)
}

fn with(mut part: FusedPart, key: &str, value: impl Into<toml::Value>) -> FusedPart {
    part.options.insert(key.to_owned(), value.into());
    part
}

#[test]
fn keeps_the_contract() {
    check_encoder("fused");
}

#[test]
fn features_are_those_of_each_encoder_on_pixels_normalised_its_way() {
    let device = Device::flex();
    let fused = EncoderConfig::init(&FusedConfig::tiny(), &device).expect("a module");
    let evenly = Distribution::Uniform(0.0, 1.0);
    let raw: Tensor<4> = seeded(&device, 1, || {
        Tensor::random([2, 3, 28, 28], evenly, &device)
    });
    let specs = [dinov2(), siglip()].map(|part| {
        let config = part.configure().expect("a config");
        config.spec().expect("sizes")
    });
    let normalised = |spec: &EncoderSpec| {
        let channels =
            |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        (raw.clone() - channels(spec.mean)) / channels(spec.std)
    };
    let features = fused.forward(normalised(&specs[0]));
    assert_eq!(features.dims(), [2, 16, 32]);
    for (index, spec) in specs.iter().enumerate() {
        let alone = fused.parts[index].forward(normalised(spec));
        let own = features.clone().narrow(2, 16 * index, 16);
        assert_close(&format!("part {index}"), own, alone, 1e-5);
    }
}

#[test]
fn parts_that_do_not_fit_are_errors_that_name_both() {
    let error = |parts| {
        let error = EncoderConfig::spec(&config(parts)).expect_err("an error");
        (
            error.key().unwrap_or_default().to_owned(),
            error.to_string(),
        )
    };
    let (key, message) = error(vec![dinov2(), with(siglip(), "image_size", 35)]);
    assert_eq!(key, "parts.1.image_size");
    assert!(
        message.contains("`dinov2` takes images of 28 pixels"),
        "{message}"
    );

    let (key, message) = error(vec![siglip(), with(dinov2(), "select", "cls_patch")]);
    assert_eq!(key, "parts.1.select");
    assert!(
        message.contains("state select = \"patch\" for `dinov2`"),
        "{message}"
    );

    let (key, message) = error(vec![dinov2(), with(siglip(), "patch_size", 14)]);
    assert_eq!(key, "parts.1");
    assert!(
        message.contains("4 × 4 patches of an image and `siglip` 2 × 2 patches"),
        "{message}"
    );

    let (key, message) = error(vec![siglip(), with(dinov2(), "layer", 7)]);
    assert_eq!(key, "parts.1.layer");
    assert!(message.contains("there is no hidden state 7"), "{message}");

    assert_eq!(error(vec![dinov2()]).0, "parts");
    let nested = FusedPart::new(&FusedConfig::tiny());
    assert_eq!(error(vec![dinov2(), nested]).0, "parts.1.type");
}

#[test]
fn a_class_token_that_is_not_kept_is_no_difference() {
    let clip = with(FusedPart::new(&ClipConfig::tiny()), "image_size", 28);
    let fused = config(vec![clip, siglip()]);
    assert_eq!(EncoderConfig::spec(&fused).expect("sizes").tokens, 16);
}

#[test]
fn files_spell_each_part_as_its_own_files_do() {
    let checkpoint = EncoderConfig::checkpoint(&FusedConfig::tiny());
    let key = |path: &str| checkpoint.spellings[0].key(path).expect("a name").0;
    assert_eq!(
        key("parts.0.layers.1.layer_norm1.gamma"),
        "parts.0.encoder.layer.1.norm1.weight"
    );
    assert_eq!(
        key("parts.1.layers.0.mlp.fc1.bias"),
        "parts.1.vision_model.encoder.layers.0.mlp.fc1.bias"
    );
}
