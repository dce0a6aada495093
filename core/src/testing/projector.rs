//! What every projector must do.

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor};

use super::{assert_close, check_options, check_round_trip, normal, widened};
use crate::decoder::DecoderSpec;
use crate::encoder::EncoderSpec;
use crate::parameters::{ParameterVisitor, visit_parameters};
use crate::plugin;
use crate::projector::Projector;
use crate::slot::Slot;

/// Checks the registered projector `name` between a small encoder and decoder: the spec states its
/// output, a batch is the sum of its images, every parameter learns, options and weights survive
/// being written and read. The decoder is wider than the encoder's features, or, if the projector
/// refuses that, as wide.
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
    let plugin = plugin::projector(name).unwrap_or_else(|error| panic!("{error}"));
    let config = plugin
        .configure(plugin.info.tiny())
        .unwrap_or_else(|error| panic!("{error}"));
    check_options(name, &config.options(), |options| {
        Ok(plugin.configure(options)?.options())
    });

    let wider = decoder(20);
    let llm = match config.spec(&vision, &wider) {
        Ok(_) => wider,
        Err(_) => decoder(vision.feature_size),
    };
    let spec = config
        .spec(&vision, &llm)
        .unwrap_or_else(|error| panic!("{error}"));
    let grid = config.grid(&vision, &llm);
    assert!(
        grid.is_none_or(|[rows, columns]| rows * columns == spec.visual_tokens),
        "`{name}`: its grid {grid:?} is not of the {} tokens that its spec states",
        spec.visual_tokens
    );
    let build = |device: &Device| {
        config
            .init(&vision, &llm, device)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let device = Device::flex();
    let module = widened(build(&device));
    let features = normal([2, vision.tokens, vision.feature_size]);
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
    check_gradients(name, &build(&device.clone().autodiff()), &features);
    check_round_trip(name, &module, build(&device), &config.checkpoint());
}

/// A small decoder of that width.
fn decoder(hidden_size: usize) -> DecoderSpec {
    DecoderSpec {
        vocab_size: 11,
        hidden_size,
        max_position_embeddings: 64,
        num_layers: 1,
        num_kv_heads: 2,
        head_dim: hidden_size / 2,
    }
}

/// A gradient reaches every parameter: none lies beside the way from input to output.
fn check_gradients(name: &str, module: &Slot<dyn Projector>, features: &Tensor<3>) {
    struct Reached<'a> {
        name: &'a str,
        gradients: &'a Gradients,
    }

    impl ParameterVisitor for Reached<'_> {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            let reached = param.val().grad(self.gradients).is_some();
            assert!(
                reached,
                "`{}`: `{path}` takes no part in its output",
                self.name
            );
        }
    }

    let features = features.clone().autodiff().require_grad();
    let projected = module.forward(features);
    // A norm's output has a constant sum, so each number counts differently.
    let weights = normal(projected.dims()).autodiff();
    let gradients = (projected * weights).sum().backward();
    visit_parameters(
        module,
        &mut Reached {
            name,
            gradients: &gradients,
        },
    );
}
