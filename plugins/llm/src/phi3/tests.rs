//! Phi-3 against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

/// Reached is 3.8e-6 where the largest logit is 6.
const TOLERANCE: f64 = 1e-5;

/// Tied, its largest logit is 28. Reached is 2.3e-5; transformers in f32 and in f64 differ by 1.7e-5.
const TIED: f64 = 4e-5;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<Phi3Config>("phi3", TOLERANCE);
    check_family::<Phi3Config>("phi3-long", TIED);
    check_family::<Phi3Config>("phi3-short", TOLERANCE);
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    check_config::<Phi3Config>("phi3");
    check_config::<Phi3Config>("phi3-long");
    check_config::<Phi3Config>("phi3-short");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    check_sizes::<Phi3Config>(&[("phi-3-mini-4k", 3_821_079_552)]);
}

#[test]
fn keeps_the_contract() {
    check_decoder("phi3");
}

#[test]
fn older_names_of_longrope_are_read() {
    for kind in ["su", "yarn", "longrope"] {
        let config = json!({
            "max_position_embeddings": 131_072,
            "original_max_position_embeddings": 4096,
            "rope_scaling": { "type": kind, "short_factor": [1.0, 1.5], "long_factor": [2, 4] },
        });
        let options = Phi3Config::from_hf(&config).expect("options");
        let expected = toml::toml! {
            type = "longrope"
            short_factor = [1.0, 1.5]
            long_factor = [2.0, 4.0]
            original_max_position_embeddings = 4096
        };
        assert_eq!(options["rope_scaling"], expected.into(), "{kind}");
    }
}
