//! What every encoder must do.

use burn::tensor::Device;

use super::{assert_close, check_hf, check_options, check_round_trip, normal, widened};
use crate::plugin;

/// Checks the registered encoder `name` at its tiny size: the spec states its output, a batch is
/// the sum of its images, blocks give what the whole gives, options and weights survive being
/// written and read, to a Hugging Face config too.
///
/// # Panics
/// If something does not hold.
pub fn check_encoder(name: &str) {
    let plugin = plugin::encoder(name).unwrap_or_else(|error| panic!("{error}"));
    let config = plugin
        .configure(plugin.info.tiny())
        .unwrap_or_else(|error| panic!("{error}"));
    check_options(name, &config.options(), |options| {
        Ok(plugin.configure(options)?.options())
    });
    check_hf(
        name,
        &config.options(),
        config.to_hf(),
        "vision_config",
        |config| plugin.info.from_hf(config),
    );

    let spec = config.spec().unwrap_or_else(|error| panic!("{error}"));
    let device = Device::flex();
    let build = || {
        config
            .init(&device)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let module = widened(build());
    let pixels = normal([2, 3, spec.image_size, spec.image_size]);
    let features = module.forward(pixels.clone());
    assert_eq!(
        features.dims(),
        [2, spec.tokens, spec.feature_size],
        "`{name}`: its output is not what its spec states"
    );
    if let Some([rows, columns]) = spec.grid {
        let patches = spec.tokens - usize::from(spec.has_class_token);
        assert_eq!(
            rows * columns,
            patches,
            "`{name}`: its grid is not its tokens"
        );
    }
    for image in 0..2 {
        let alone = module.forward(pixels.clone().narrow(0, image, 1));
        let what = format!("`{name}`: an image's features depend on the batch around it");
        assert_close(&what, features.clone().narrow(0, image, 1), alone, 1e-4);
    }
    if let Some(blocks) = module.blocks() {
        // Twice, as a trainer that keeps no block's activations runs them.
        let parts = blocks.run(blocks.embed(pixels), &mut |index, hidden| {
            blocks.block(index, hidden.clone());
            blocks.block(index, hidden)
        });
        let what = format!("`{name}`: its blocks give other features than its `forward`");
        assert_close(&what, parts, features, 1e-4);
    }
    check_round_trip(name, &module, build(), &config.checkpoint());
}
