//! The resampler against PyTorch, layer by layer.

use menagerie_core::testing::assert_close;

use super::*;
use crate::testing::{Fixture, clip, refusal};

/// Off by 2.4e-6 here, with a norm's epsilon of 1e-6 by 1.7e-4.
const TOLERANCE: f64 = 1e-5;

fn config() -> ResamplerConfig {
    ResamplerConfig {
        num_queries: 5,
        num_layers: 3,
        num_heads: 2,
        head_dim: 6,
        mlp_ratio: 3,
    }
}

#[test]
fn every_layer_equals_the_reference() {
    let fixture = Fixture::open(&config(), "resampler", [3, 3]);
    let features = fixture.expected("resampler", "features");
    let latents = fixture.module.latents.val().reshape([1, 5, 10]);
    let mut latents = latents.expand([2, 5, 10]);
    for (index, layer) in fixture.module.layers.iter().enumerate() {
        latents = layer.forward(features.clone(), latents);
        let name = format!("layer.{index}");
        let expected = fixture.expected("resampler", &name);
        assert_close(&name, latents.clone(), expected, TOLERANCE);
    }
    fixture.check("resampler", TOLERANCE);
}

#[test]
fn heads_that_are_too_wide_together_are_an_error() {
    let wide = ResamplerConfig {
        num_heads: 16,
        head_dim: 1025,
        ..config()
    };
    let expected = "`head_dim` of `resampler`: is 1025; it must be from 1 to 1024";
    assert_eq!(refusal(&wide, &clip()), expected);
}
