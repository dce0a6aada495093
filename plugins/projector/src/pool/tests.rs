//! Averages against PyTorch's.

use super::*;
use crate::testing::{Fixture, refusal, vision};

/// Off by 1.2e-7 here.
const TOLERANCE: f64 = 1e-6;

fn config(pool: Pool) -> PoolConfig {
    PoolConfig { pool, depth: 2 }
}

#[test]
fn windows_equal_pytorchs() {
    let config = config(Pool::Average { window: 2 });
    Fixture::open(&config, "pool", [4, 6]).check("pool-average", TOLERANCE);
}

#[test]
fn windows_that_overlap_equal_pytorchs() {
    let config = config(Pool::Adaptive { side: 3 });
    Fixture::open(&config, "pool", [7, 5]).check("pool-adaptive", TOLERANCE);
}

#[test]
fn windows_that_do_not_fit_are_an_error() {
    let message = refusal(&config(Pool::Average { window: 2 }), &vision([27, 27], 8));
    let expected = "`pool` of `pool`: squares of 2 x 2 tokens do not fill the encoder's grid of \
                    27 x 27; these do: 1, 3, 9, 27";
    assert_eq!(message, expected);
    let message = refusal(&config(Pool::Adaptive { side: 28 }), &vision([27, 30], 8));
    let expected = "`pool` of `pool`: a grid of 28 x 28 tokens cannot be made of the encoder's \
                    27 x 30; a side is from 1 to 27";
    assert_eq!(message, expected);
    for size in [0, usize::MAX] {
        let average = config(Pool::Average { window: size });
        let adaptive = config(Pool::Adaptive { side: size });
        for config in [average, adaptive] {
            let message = refusal(&config, &vision([27, 27], 8));
            assert!(message.contains(&size.to_string()), "{message}");
        }
    }
}
