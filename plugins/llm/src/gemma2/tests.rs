//! Gemma 2 against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

/// Reached is 4.1e-6 where the largest logit is 6.
const TOLERANCE: f64 = 1e-5;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<Gemma2Config>("gemma2", TOLERANCE);
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    check_config::<Gemma2Config>("gemma2");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    check_sizes::<Gemma2Config>(&[
        ("gemma-2-2b", 2_614_341_888),
        ("gemma-2-9b", 9_241_705_984),
        ("gemma-2-27b", 27_227_128_320),
    ]);
}

#[test]
fn keeps_the_contract() {
    check_decoder("gemma2");
}

#[test]
fn caps_that_are_not_stated_are_those_of_transformers_and_null_is_none() {
    let cap = |config: Value| {
        let options = Gemma2Config::from_hf(&config).expect("options");
        options.get("attn_logit_softcapping").cloned()
    };
    assert_eq!(cap(json!({})), Some(50.0.into()));
    assert_eq!(cap(json!({ "attn_logit_softcapping": null })), None);
    let config = Gemma2Config {
        final_logit_softcapping: Some(0.0),
        ..Gemma2Config::tiny()
    };
    let message = config.spec().expect_err("an error").to_string();
    assert_eq!(
        message,
        "`final_logit_softcapping` of `gemma2`: is 0; it must be greater than 0"
    );
}
