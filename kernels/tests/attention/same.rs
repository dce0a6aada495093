//! The same bits, whatever else is computed.

use menagerie_kernels::{Attention, Heads, Level, Products, Seen};

use crate::case::{Case, narrow, slots};
use crate::common::{check_bits, seeded};

/// The result, and the logarithms.
fn run(case: &Case, narrowed: bool, level: Level) -> Vec<f32> {
    let mut out = vec![f32::NAN; case.q.len()];
    let mut log_sums = vec![f32::NAN; case.batch * case.heads * case.queries];
    let q = case.query_heads(&case.q);
    let attention = case.attention(Products::F32);
    if narrowed {
        let (k, v) = (narrow(&case.k), narrow(&case.v));
        let (k, v) = (case.key_heads(&k), case.key_heads(&v));
        attention.forward_at(level, q, k, v, &mut out, Some(&mut log_sums));
    } else {
        let (k, v) = (case.key_heads(&case.k), case.key_heads(&case.v));
        attention.forward_at(level, q, k, v, &mut out, Some(&mut log_sums));
    }
    out.extend(log_sums);
    out
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut rng = seeded(51);
    let pools = [1, 2, 3, 8].map(|threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    });
    for sizes in [
        [2, 4, 2, 1, 1300, 64],
        [1, 2, 1, 1, 3000, 40],
        [2, 3, 1, 200, 200, 33],
    ] {
        let segments = Some(vec![vec![1; sizes[4]]; sizes[0]]);
        let case = Case::new(&mut rng, sizes, segments, None);
        for narrowed in [false, true] {
            let results = pools
                .each_ref()
                .map(|pool| pool.install(|| run(&case, narrowed, Level::best())));
            for result in &results[1..] {
                check_bits(result, &results[0], &format!("{sizes:?}"));
            }
        }
    }
}

/// The last tokens of a row of a case, alone: without the padding before them and the other rows.
fn alone(case: &Case, row: usize, padding: usize) -> Case {
    let (queries, keys) = (case.queries - padding, case.keys - padding);
    let cut = |values: &[f32]| {
        let heads = values.chunks(case.room * case.features);
        let own = heads.skip(row * case.kv_heads).take(case.kv_heads);
        own.flat_map(|head| head[padding * case.features..].to_vec())
            .collect()
    };
    let q = case.query_place([row, 0, padding])..case.query_place([row + 1, 0, 0]);
    Case {
        batch: 1,
        queries,
        keys,
        segments: Some(vec![vec![1; keys]]),
        spans: (0..queries).map(|query| slots(0..query + 1)).collect(),
        query_segments: Vec::new(),
        key_segments: Vec::new(),
        q: case.q[q].to_vec(),
        k: cut(&case.k),
        v: cut(&case.v),
        room: case.room - padding,
        ..case.clone()
    }
}

#[test]
fn a_question_alone_is_the_question_padded_in_a_batch() {
    let mut rng = seeded(52);
    for (tokens, padding) in [(300, 37), (150, 5), (70, 50), (260, 96)] {
        let rows = [padding, 0]
            .map(|padding| (0..tokens).map(|slot| u32::from(slot >= padding)).collect());
        let case = Case::new(
            &mut rng,
            [2, 4, 2, tokens, tokens, 24],
            Some(rows.to_vec()),
            None,
        );
        let one = alone(&case, 0, padding);
        for level in Level::available() {
            for narrowed in [false, true] {
                let together = run(&case, narrowed, level);
                let by_itself = run(&one, narrowed, level);
                let start = case.query_place([0, 0, padding]);
                check_bits(
                    &together[start..][..one.q.len()],
                    &by_itself[..one.q.len()],
                    &format!("{level}, {tokens} tokens, {padding} of padding, bf16: {narrowed}"),
                );
            }
        }
    }
}

#[test]
fn a_step_of_generation_alone_is_the_step_in_a_padded_batch() {
    let mut rng = seeded(53);
    for (keys, padding) in [(1400, 37), (600, 513), (33, 30)] {
        let rows = [padding, 0, 1]
            .map(|padding| (0..keys).map(|slot| u32::from(slot >= padding)).collect());
        let case = Case::new(&mut rng, [3, 4, 2, 1, keys, 64], Some(rows.to_vec()), None);
        let mut spans = case.clone();
        // As a caller does it who knows where a row begins.
        spans.spans = [padding, 0, 1].map(|padding| slots(padding..keys)).to_vec();
        for level in Level::available() {
            for narrowed in [false, true] {
                let together = run(&spans, narrowed, level);
                for (row, padding) in [padding, 0, 1].into_iter().enumerate() {
                    let mut own = spans.clone();
                    own.batch = 1;
                    own.keys = keys - padding;
                    own.room = case.room - padding;
                    own.segments = None;
                    own.spans.clear();
                    let heads = |values: &[f32]| {
                        let heads = values.chunks(case.room * case.features);
                        let own = heads.skip(row * case.kv_heads).take(case.kv_heads);
                        own.flat_map(|head| head[padding * case.features..].to_vec())
                            .collect()
                    };
                    own.k = heads(&case.k);
                    own.v = heads(&case.v);
                    let length = case.heads * case.features;
                    own.q = case.q[row * length..][..length].to_vec();
                    let by_itself = run(&own, narrowed, level);
                    check_bits(
                        &together[row * length..][..length],
                        &by_itself[..length],
                        &format!("{level}, {keys} keys, row {row}, bf16: {narrowed}"),
                    );
                }
            }
        }
    }
}

#[test]
fn keys_in_f32_give_the_same_wherever_a_sample_lies_in_a_packed_row() {
    let mut rng = seeded(54);
    let sizes = [1, 2, 1, 210, 210, 40];
    let row = (0..210).map(|slot| if slot < 83 { 1 } else { 2 }).collect();
    let case = Case::new(&mut rng, sizes, Some(vec![row]), None);
    let second = alone(&case, 0, 83);
    for level in Level::available() {
        let start = case.query_place([0, 0, 83]);
        check_bits(
            &run(&case, false, level)[start..][..second.q.len()],
            &run(&second, false, level)[..second.q.len()],
            &format!("{level}"),
        );
    }
}

#[test]
fn a_view_gives_what_its_copy_gives() {
    let mut rng = seeded(55);
    let case = Case::new(&mut rng, [2, 4, 2, 20, 130, 36], None, None);
    let wanted = run(&case, false, Level::best());
    // The same keys, token by token in one row with the values.
    let width = 2 * case.kv_heads * case.features;
    let mut both = vec![f32::NAN; case.batch * case.keys * width];
    for batch in 0..case.batch {
        for head in 0..case.kv_heads {
            for key in 0..case.keys {
                let from = ((batch * case.kv_heads + head) * case.room + key) * case.features;
                let to = (batch * case.keys + key) * width + head * case.features;
                both[to..][..case.features].copy_from_slice(&case.k[from..][..case.features]);
                both[to + width / 2..][..case.features]
                    .copy_from_slice(&case.v[from..][..case.features]);
            }
        }
    }
    let shape = [case.batch, case.kv_heads, case.keys, case.features];
    let strides = [case.keys * width, case.features, width];
    let mut out = vec![f32::NAN; case.q.len()];
    let attention = Attention {
        scale: case.scale,
        cap: None,
        seen: Seen::Everything,
        products: Products::F32,
    };
    attention.forward(
        case.query_heads(&case.q),
        Heads::new(&both, shape, strides),
        Heads::new(&both[width / 2..], shape, strides),
        &mut out,
        None,
    );
    check_bits(&out, &wanted[..out.len()], "a view");
}
