//! Mistral against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

/// Reached is 3.7e-6 where the largest logit is 5.
const TOLERANCE: f64 = 1e-5;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<MistralConfig>("mistral", TOLERANCE);
    check_family::<MistralConfig>("mistral-unlimited", TOLERANCE);
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    check_config::<MistralConfig>("mistral");
    check_config::<MistralConfig>("mistral-unlimited");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    check_sizes::<MistralConfig>(&[
        ("mistral-7b-v0.1", 7_241_732_096),
        ("mistral-7b-v0.2", 7_241_732_096),
        ("mistral-7b-v0.3", 7_248_023_552),
    ]);
}

#[test]
fn keeps_the_contract() {
    check_decoder("mistral");
}

#[test]
fn a_window_that_is_not_stated_is_that_of_transformers_and_null_is_none() {
    let window = |config: Value| {
        let options = MistralConfig::from_hf(&config).expect("options");
        options.get("sliding_window").cloned()
    };
    assert_eq!(window(json!({})), Some(4096.into()));
    assert_eq!(window(json!({ "sliding_window": null })), None);
    let message = MistralConfig::from_hf(&json!({ "sliding_window": 0 }))
        .expect_err("an error")
        .to_string();
    assert_eq!(
        message,
        "`sliding_window` of `mistral`: config.json has `sliding_window` = 0, which is not supported; \
         it is null, or a number of tokens from 1"
    );
}
