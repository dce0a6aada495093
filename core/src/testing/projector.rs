//! What every projector must do.

use burn::tensor::Device;

use super::{assert_close, check_options, check_round_trip, random, widened};
use crate::decoder::DecoderSpec;
use crate::encoder::EncoderSpec;
use crate::plugin;

/// Checks the registered projector `name` between a small encoder and decoder: the spec states its
/// output, a batch is the sum of its images, options and weights survive being written and read.
///
/// # Panics
/// If something does not hold.
pub fn check_projector(name: &str) {
    let vision = EncoderSpec {
        image_size: 32,
        tokens: 16,
        grid: Some([4, 4]),
        has_class_token: false,
        feature_size: 12,
        mean: [0.5; 3],
        std: [0.5; 3],
    };
    let llm = DecoderSpec {
        vocab_size: 11,
        hidden_size: 20,
        max_position_embeddings: 64,
        num_layers: 1,
        num_kv_heads: 2,
        head_dim: 10,
    };
    let plugin = plugin::projector(name).unwrap_or_else(|error| panic!("{error}"));
    let config = plugin
        .configure(plugin.info.tiny())
        .unwrap_or_else(|error| panic!("{error}"));
    check_options(name, &config.options(), |options| {
        Ok(plugin.configure(options)?.options())
    });

    let spec = config
        .spec(&vision, &llm)
        .unwrap_or_else(|error| panic!("{error}"));
    let grid = config.grid(&vision, &llm);
    assert!(
        grid.is_none_or(|[rows, columns]| rows * columns == spec.visual_tokens),
        "`{name}`: its grid {grid:?} is not of the {} tokens that its spec states",
        spec.visual_tokens
    );
    let device = Device::flex();
    let build = || {
        config
            .init(&vision, &llm, &device)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let module = widened(build());
    let features = random([2, vision.tokens, vision.feature_size]);
    let projected = module.forward(features.clone());
    assert_eq!(
        projected.dims(),
        [2, spec.visual_tokens, llm.hidden_size],
        "`{name}`: its output is not what its spec states"
    );
    for image in 0..2 {
        let alone = module.forward(features.clone().narrow(0, image, 1));
        let what = format!("`{name}`: an image's tokens depend on the batch around it");
        assert_close(&what, projected.clone().narrow(0, image, 1), alone, 1e-4);
    }
    check_round_trip(name, &module, build(), &config.checkpoint());
}
