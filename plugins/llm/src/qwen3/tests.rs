//! Qwen3 against values that transformers stored.

use menagerie_core::testing::check_decoder;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

const TOLERANCE: f64 = 0.0;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<Qwen3Config>("qwen3", TOLERANCE);
    check_family::<Qwen3Config>("qwen3-bias", TOLERANCE);
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    check_config::<Qwen3Config>("qwen3");
    check_config::<Qwen3Config>("qwen3-bias");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    check_sizes::<Qwen3Config>(&[
        ("qwen3-0.6b", 596_049_920),
        ("qwen3-1.7b", 1_720_574_976),
        ("qwen3-4b", 4_022_468_096),
        ("qwen3-8b", 8_190_735_360),
    ]);
}

#[test]
fn keeps_the_contract() {
    check_decoder("qwen3");
}
