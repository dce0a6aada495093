//! Phi against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

/// Reached is 1.9e-6 where the largest logit is 5.
const TOLERANCE: f64 = 5e-6;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<PhiConfig>("phi", TOLERANCE);
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    check_config::<PhiConfig>("phi");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    check_sizes::<PhiConfig>(&[("phi-2", 2_779_683_840)]);
}

#[test]
fn keeps_the_contract() {
    check_decoder("phi");
}

#[test]
fn what_is_not_computed_is_an_error() {
    let config = PhiConfig {
        partial_rotary_factor: 0.5,
        ..PhiConfig::tiny()
    };
    let message = config.spec().expect_err("an error").to_string();
    assert_eq!(
        message,
        "`partial_rotary_factor` of `phi`: of 10 features 0.5 is 5; what turns must be an even \
         number of them, from 2 on"
    );
    let message = PhiConfig::from_hf(&json!({ "qk_layernorm": true }))
        .expect_err("an error")
        .to_string();
    assert_eq!(
        message,
        "`qk_layernorm` of `phi`: config.json has `qk_layernorm` = true, which is not supported; \
         queries and keys have no norm"
    );
}
