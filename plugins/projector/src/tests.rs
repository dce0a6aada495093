//! What all projectors have in common.

use burn::tensor::Device;
use menagerie_core::plugin;
use menagerie_core::testing::{assert_close, check_projector, normal};

use crate::grid::Average;
use crate::testing::{clip, llm, vision};

const NAMES: [&str; 9] = [
    "c_abstractor",
    "identity",
    "ldp_v2",
    "linear",
    "mlp",
    "pixel_shuffle",
    "pool",
    "qformer",
    "resampler",
];

#[test]
fn all_keep_the_contract() {
    for name in NAMES {
        check_projector(name);
    }
}

/// Counted by PyTorch, of the reference's modules.
#[test]
fn reference_sizes_have_the_references_number_of_parameters() {
    for (name, preset, tokens, parameters) in [
        ("linear", None, 576, 4_198_400),
        ("mlp", None, 576, 20_979_712),
        ("pool", None, 144, 20_979_712),
        ("pixel_shuffle", Some("internvl"), 144, 33_570_816),
        ("pixel_shuffle", Some("idefics3"), 144, 16_777_216),
        ("ldp_v2", None, 144, 21_020_672),
        ("resampler", None, 64, 67_217_408),
        ("qformer", Some("blip-2"), 32, 104_773_120),
        ("c_abstractor", Some("honeybee-m144"), 144, 37_398_016),
    ] {
        let plugin = plugin::projector(name).expect("a plugin");
        let options = preset.map(|preset| plugin.info.preset(preset).expect("a preset"));
        let config = plugin
            .configure(options.unwrap_or_default())
            .expect("options");
        let (vision, llm) = (clip(), llm(4096));
        let spec = config.spec(&vision, &llm).expect("sizes");
        assert_eq!(spec.visual_tokens, tokens, "{name}");
        let module = config
            .init(&vision, &llm, &Device::flex())
            .expect("a module");
        assert_eq!(
            burn::module::Module::num_params(&module),
            parameters,
            "{name}"
        );
    }
}

/// Whole numbers of any size are refused before anything is made of them.
#[test]
fn senseless_options_are_errors() {
    let senseless = [0, i64::from(u32::MAX), i64::MAX];
    for name in NAMES {
        let plugin = plugin::projector(name).expect("a plugin");
        for key in plugin.info.tiny().keys() {
            let tiny = plugin.info.tiny();
            if !tiny[key].is_integer() {
                continue;
            }
            for value in senseless {
                let mut options = tiny.clone();
                options.insert(key.clone(), value.into());
                let config = plugin.configure(options).expect("a number");
                let message = config.spec(&clip(), &llm(4096)).expect_err(key).to_string();
                let about = format!("`{key}` of `{name}`: ");
                assert!(message.starts_with(&about), "{message}");
            }
        }
    }
}

#[test]
fn a_grid_is_asked_for_where_it_is_needed() {
    let mut shapeless = clip();
    shapeless.grid = None;
    let mut with_class = clip();
    with_class.tokens += 1;
    with_class.has_class_token = true;
    for name in NAMES {
        let plugin = plugin::projector(name).expect("a plugin");
        let config = plugin.configure(plugin.info.tiny()).expect("options");
        let refusals =
            [&shapeless, &with_class].map(|vision| config.spec(vision, &llm(1024)).err());
        let needs = ["c_abstractor", "ldp_v2", "pixel_shuffle", "pool"].contains(&name);
        for (refusal, word) in refusals
            .into_iter()
            .zip(["`resampler`", "select = \"patch\""])
        {
            let message = refusal.map(|error| error.to_string());
            assert_eq!(message.is_some(), needs, "{name}: {message:?}");
            assert!(message.is_none_or(|message| message.contains(word)));
        }
    }
}

#[test]
fn an_average_of_a_grid_by_itself_is_that_grid() {
    let x = normal([1, 16, 2]);
    let average = Average::square("pool", "pool", 4, &vision([4, 4], 2)).expect("an average");
    assert_close("average", average.forward(x.clone()), x, 0.0);
}
