//! Gradients against the formula in f64, at every level of this processor.

use menagerie_kernels::{AttentionGradients, Forwarded, Level, Products};

use crate::case::{Case, gentle};
use crate::common::{check_bits, rounded, seeded};

/// Half of the distance between 1 and the next f32, and between 1 and the next bf16.
const UNIT: f64 = 5.960_464_477_539_063e-8;
const COARSE: f64 = 1.0 / 256.0;

/// Of queries, keys and values, each `[batch, token, heads, head_dim]`.
type Gradients<T> = [Vec<T>; 3];

fn run(case: &Case, products: Products, level: Level, gradient: &[f32]) -> Gradients<f32> {
    let attention = case.attention(products);
    let mut out = vec![f32::NAN; case.q.len()];
    let mut log_sums = vec![f32::NAN; case.batch * case.heads * case.queries];
    let queries = case.query_heads(&case.q);
    let (keys, values) = (case.key_heads(&case.k), case.key_heads(&case.v));
    attention.forward_at(level, queries, keys, values, &mut out, Some(&mut log_sums));
    let forwarded = Forwarded {
        queries,
        keys,
        values,
        out: &out,
        log_sums: &log_sums,
    };
    let kv_length = case.batch * case.keys * case.kv_heads * case.features;
    let lengths = [case.q.len(), kv_length, kv_length];
    let mut found = lengths.map(|length| vec![f32::NAN; length]);
    let [queries, keys, values] = &mut found;
    let gradients = AttentionGradients {
        queries,
        keys,
        values,
    };
    attention.backward_at(level, forwarded, gradient, gradients);
    found
}

/// The gradients, and how far from them roundings can bring a result: in proportion to the magnitudes of what they
/// are sums of.
fn reference(case: &Case, products: Products, gradient: &[f32]) -> Gradients<(f64, f64)> {
    let wide = |values: &[f32]| match products {
        Products::F32 => values.iter().map(|value| f64::from(*value)).collect(),
        Products::Bf16 => rounded(values),
    };
    let (q, k, v) = (wide(&case.q), wide(&case.k), wide(&case.v));
    let gradient = wide(gradient);
    let coarse = if products == Products::Bf16 {
        4.0 * COARSE
    } else {
        0.0
    };
    let kv_length = case.batch * case.keys * case.kv_heads * case.features;
    let lengths = [q.len(), kv_length, kv_length];
    let [mut d_q, mut d_k, mut d_v] = lengths.map(|length| vec![(0.0, 0.0); length]);
    let length = case.features;
    for [batch, head, query] in case.each_query() {
        let scores = case.scores((&q, &k), [batch, head, query]);
        let largest = scores
            .iter()
            .map(|(_, score, _)| *score)
            .fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores
            .iter()
            .map(|(_, score, _)| (score - largest).exp())
            .sum();
        let size = scores.iter().map(|(_, _, size)| *size).fold(0.0, f64::max);
        let steps = 4.0 * length as f64 + 4.0 * scores.len() as f64 + 64.0;
        let relative = steps * UNIT * (1.0 + size) + coarse;
        let own = case.query_place([batch, head, query]);
        let gradient = &gradient[own..][..length];
        let each: Vec<_> = scores
            .iter()
            .map(|(key, score, _)| {
                let v = &v[case.key_place(batch, head, *key)..][..length];
                let terms = gradient.iter().zip(v).map(|(gradient, v)| gradient * v);
                let of_weight = terms.fold((0.0, 0.0), |(sum, size), term: f64| {
                    (sum + term, size + term.abs())
                });
                (*key, (score - largest).exp() / sum, *score, of_weight)
            })
            .collect();
        let delta: f64 = each
            .iter()
            .map(|(_, weight, _, (sum, _))| weight * sum)
            .sum();
        let delta_size: f64 = each
            .iter()
            .map(|(_, weight, _, (_, size))| weight * size)
            .sum();
        for (key, weight, score, (sum, size)) in each {
            let steepness = case
                .cap
                .map_or(1.0, |cap| 1.0 - (score / f64::from(cap)).powi(2));
            let slope = f64::from(case.scale) * weight * steepness * (sum - delta);
            let slope_size = f64::from(case.scale) * weight * (size + delta_size);
            let from = case.key_place(batch, head, key);
            let kv_head = head / (case.heads / case.kv_heads);
            let to = ((batch * case.keys + key) * case.kv_heads + kv_head) * length;
            for feature in 0..length {
                let add = |place: &mut (f64, f64), value: f64, size: f64| {
                    place.0 += value;
                    place.1 += size * relative;
                };
                let (q, k) = (q[own + feature], k[from + feature]);
                add(
                    &mut d_v[to + feature],
                    weight * gradient[feature],
                    weight * gradient[feature].abs(),
                );
                add(&mut d_k[to + feature], slope * q, slope_size * q.abs());
                add(&mut d_q[own + feature], slope * k, slope_size * k.abs());
            }
        }
    }
    [d_q, d_k, d_v]
}

#[test]
fn gradients_are_those_of_the_formula() {
    let mut rng = seeded(61);
    for number in 0..30 {
        let case = Case::random(&mut rng);
        let gradient = gentle(&mut rng, case.q.len());
        for products in [Products::F32, Products::Bf16] {
            let wanted = reference(&case, products, &gradient);
            for level in Level::available() {
                let found = run(&case, products, level, &gradient);
                for (which, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    assert_eq!(found.len(), wanted.len());
                    for (at, (found, (wanted, allowed))) in found.iter().zip(wanted).enumerate() {
                        let error = (f64::from(*found) - wanted).abs();
                        // Of more queries than one, each of which is added with a rounding.
                        let allowed = allowed + 1e-5 * wanted.abs() + 1e-30;
                        assert!(
                            error <= allowed,
                            "case {number}, {level}, {products:?}, {which}, {at}: {found} for {wanted}, {allowed} is allowed"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_gradients() {
    let mut rng = seeded(62);
    let case = Case::new(
        &mut rng,
        [2, 6, 3, 150, 150, 48],
        Some(vec![vec![1; 150]; 2]),
        None,
    );
    let gradient = gentle(&mut rng, case.q.len());
    for products in [Products::F32, Products::Bf16] {
        let results = [1, 2, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| run(&case, products, Level::best(), &gradient))
        });
        for result in &results[1..] {
            for (found, wanted) in result.iter().zip(&results[0]) {
                check_bits(found, wanted, &format!("{products:?}"));
            }
        }
    }
}

#[test]
fn what_nobody_sees_has_no_gradient() {
    let mut rng = seeded(63);
    // Padding on the right: keys 20 to 29, and their queries.
    let row = (0..30).map(|slot| u32::from(slot < 20)).collect();
    let case = Case::new(&mut rng, [1, 2, 1, 30, 30, 8], Some(vec![row]), None);
    let gradient = gentle(&mut rng, case.q.len());
    for level in Level::available() {
        let [queries, keys, values] = run(&case, Products::F32, level, &gradient);
        assert!(
            queries[20 * 16..].iter().all(|value| *value == 0.0),
            "{level}"
        );
        assert!(keys[20 * 8..].iter().all(|value| *value == 0.0), "{level}");
        assert!(
            values[20 * 8..].iter().all(|value| *value == 0.0),
            "{level}"
        );
        assert!(
            values[..20 * 8].iter().all(|value| *value != 0.0),
            "{level}"
        );
    }
}
