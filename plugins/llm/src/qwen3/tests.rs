//! Qwen3 against values that transformers stored.

use menagerie_core::testing::check_decoder;

use super::*;
use crate::testing::{check_config, check_family, check_sizes};

/// Reached is 2.8e-6 where the largest logit is 5.
const TOLERANCE: f64 = 1e-5;

/// Tied, its largest logit is 24. Reached is 1.4e-5; transformers in f32 and in f64 differ by 1.5e-5.
const TIED: f64 = 3e-5;

#[test]
fn logits_equal_transformers_whole_token_after_token_and_padded() {
    check_family::<Qwen3Config>("qwen3", TIED);
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
