//! Against f64, at every level of this processor.

use menagerie_kernels::{Attention, Heads, Level, Products, Seen};

use crate::case::{Case, gentle, narrow};
use crate::common::{rounded, seeded};

/// Half of the distance between 1 and the next f32, and between 1 and the next bf16.
const UNIT: f64 = 5.960_464_477_539_063e-8;
const COARSE: f64 = 1.0 / 256.0;

/// Fails where a result is further from f64 than roundings can bring it.
///
/// A score is off by at most `features + 8` roundings of the magnitudes it is made of, and the weights by as many and
/// those of their exponential and of their sum, twice, since they are divided by a sum of them. In bf16, a weight is
/// rounded once more.
fn check(case: &Case, products: Products, out: &[f32], log_sums: &[f32], what: &str) {
    let wide = |values: &[f32]| match products {
        Products::F32 => values.iter().map(|value| f64::from(*value)).collect(),
        Products::Bf16 => rounded(values),
    };
    let (q, k, v) = (wide(&case.q), wide(&case.k), wide(&case.v));
    for (row, place) in case.each_query().enumerate() {
        let scores = case.scores((&q, &k), place);
        let found = &out[case.query_place(place)..][..case.features];
        let largest = scores
            .iter()
            .map(|(_, score, _)| *score)
            .fold(f64::NEG_INFINITY, f64::max);
        if scores.is_empty() {
            assert_eq!(log_sums[row], f32::NEG_INFINITY, "{what} {place:?}");
            assert!(found.iter().all(|out| *out == 0.0), "{what} {place:?}");
            continue;
        }
        let sum: f64 = scores
            .iter()
            .map(|(_, score, _)| (score - largest).exp())
            .sum();
        let log_sum = largest + sum.ln();
        let size = scores.iter().map(|(_, _, size)| *size).fold(0.0, f64::max);
        let score_error = (case.features as f64 + 8.0) * UNIT * size;
        let allowed = score_error + (scores.len() as f64 + 8.0) * UNIT * (1.0 + log_sum.abs());
        let error = (f64::from(log_sums[row]) - log_sum).abs();
        assert!(
            error <= allowed,
            "{what} {place:?}: off by {error}, {allowed} is allowed"
        );

        let mut wanted = vec![(0.0, 0.0); case.features];
        for (key, score, _) in &scores {
            let weight = (score - log_sum).exp();
            let v = &v[case.key_place(place[0], place[1], *key)..];
            for ((sum, size), v) in wanted.iter_mut().zip(v) {
                *sum += weight * v;
                *size += weight * v.abs();
            }
        }
        let coarse = if products == Products::Bf16 {
            COARSE
        } else {
            0.0
        };
        let relative = 2.0 * score_error + (2.0 * scores.len() as f64 + 16.0) * UNIT + coarse;
        for (feature, (found, (wanted, size))) in found.iter().zip(wanted).enumerate() {
            let error = (f64::from(*found) - wanted).abs();
            let allowed = relative * size;
            assert!(
                error <= allowed,
                "{what} {place:?}, {feature}: {found} for {wanted}, {allowed} is allowed"
            );
        }
    }
}

fn run(case: &Case, products: Products, level: Level, narrowed: bool) -> (Vec<f32>, Vec<f32>) {
    let mut out = vec![f32::NAN; case.q.len()];
    let mut log_sums = vec![f32::NAN; case.batch * case.heads * case.queries];
    let attention = case.attention(products);
    let q = case.query_heads(&case.q);
    if narrowed {
        let (k, v) = (narrow(&case.k), narrow(&case.v));
        let (k, v) = (case.key_heads(&k), case.key_heads(&v));
        attention.forward_at(level, q, k, v, &mut out, Some(&mut log_sums));
    } else {
        let (k, v) = (case.key_heads(&case.k), case.key_heads(&case.v));
        attention.forward_at(level, q, k, v, &mut out, Some(&mut log_sums));
    }
    (out, log_sums)
}

#[test]
fn it_is_the_softmax_of_the_scores_of_all_that_a_query_sees() {
    let mut rng = seeded(41);
    for number in 0..40 {
        let case = Case::random(&mut rng);
        for level in Level::available() {
            for (products, narrowed) in [
                (Products::F32, false),
                (Products::Bf16, false),
                (Products::Bf16, true),
            ] {
                let (out, log_sums) = run(&case, products, level, narrowed);
                let what = format!("case {number}, {level}, {products:?}, bf16 keys: {narrowed}");
                check(&case, products, &out, &log_sums, &what);
            }
        }
    }
}

#[test]
fn more_keys_than_a_block_holds_and_heads_of_usual_sizes() {
    let mut rng = seeded(42);
    for (sizes, causal) in [
        ([1, 2, 1, 577, 577, 64], false),
        ([1, 8, 2, 130, 700, 128], true),
        ([2, 3, 3, 100, 300, 80], true),
        ([2, 8, 2, 1, 1500, 128], true),
    ] {
        let segments = causal.then(|| vec![vec![1; sizes[4]]; sizes[0]]);
        let case = Case::new(&mut rng, sizes, segments, None);
        for (products, narrowed) in [(Products::F32, false), (Products::Bf16, true)] {
            let (out, log_sums) = run(&case, products, Level::best(), narrowed);
            check(
                &case,
                products,
                &out,
                &log_sums,
                &format!("{sizes:?} {products:?}"),
            );
        }
    }
}

#[test]
fn scores_of_any_size_are_neither_lost_nor_infinite() {
    let mut rng = seeded(43);
    for scale in [0.0, 1e-20, 30.0, 1e4, -1e4] {
        let mut case = Case::new(
            &mut rng,
            [1, 2, 1, 9, 150, 24],
            Some(vec![vec![1; 150]]),
            None,
        );
        case.scale = scale;
        for level in Level::available() {
            let (out, log_sums) = run(&case, Products::F32, level, false);
            check(
                &case,
                Products::F32,
                &out,
                &log_sums,
                &format!("{level}, scale {scale}"),
            );
        }
    }
}

#[test]
fn what_is_not_a_number_shows_in_the_queries_that_see_it() {
    let mut rng = seeded(44);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut case = Case::new(
            &mut rng,
            [1, 1, 1, 40, 120, 16],
            Some(vec![vec![1; 120]]),
            None,
        );
        // Seen by queries 20 and later, which are the keys 80 to 119.
        case.k[100 * 16] = bad;
        for level in Level::available() {
            let (out, _) = run(&case, Products::F32, level, false);
            for (query, out) in out.chunks(16).enumerate() {
                let finite = out.iter().all(|out| out.is_finite());
                if query < 20 {
                    assert!(finite, "{level}, {bad}, query {query}");
                } else if bad.is_nan() {
                    assert!(out.iter().all(|out| out.is_nan()), "{level}, query {query}");
                }
            }
        }
    }
}

#[test]
fn nothing_gives_nothing() {
    let none: &[f32] = &[];
    let attention = Attention {
        scale: 1.0,
        cap: None,
        seen: Seen::Everything,
        products: Products::F32,
    };
    let some = gentle(&mut seeded(45), 24);
    for (queries, keys) in [
        ([0, 2, 3, 4], [0, 2, 5, 4]),
        ([1, 2, 0, 4], [1, 2, 3, 4]),
        ([1, 0, 2, 4], [1, 0, 2, 4]),
        ([1, 2, 2, 0], [1, 1, 3, 0]),
    ] {
        let keys = Heads::by_head(&some, keys);
        attention.forward(Heads::by_head(none, queries), keys, keys, &mut [], None);
    }
    // No keys: nobody sees anything.
    let mut out = [f32::NAN; 24];
    let mut log_sums = [f32::NAN; 6];
    let keys = Heads::by_head(none, [1, 1, 0, 4]);
    let queries = Heads::by_head(&some, [1, 2, 3, 4]);
    attention.forward(queries, keys, keys, &mut out, Some(&mut log_sums));
    assert_eq!(out, [0.0; 24]);
    assert_eq!(log_sums, [f32::NEG_INFINITY; 6]);
}

#[test]
fn the_room_behind_the_keys_is_never_read() {
    let mut rng = seeded(46);
    let mut case = Case::new(
        &mut rng,
        [2, 4, 2, 3, 130, 33],
        Some(vec![vec![1; 130]; 2]),
        None,
    );
    let (wanted, _) = run(&case, Products::Bf16, Level::best(), true);
    for values in [&mut case.k, &mut case.v] {
        for head in values.chunks_mut(case.room * case.features) {
            head[case.keys * case.features..].fill(f32::NAN);
        }
    }
    let (out, _) = run(&case, Products::Bf16, Level::best(), true);
    crate::common::check_bits(&out, &wanted, "room");
}
