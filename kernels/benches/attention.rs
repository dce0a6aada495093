//! Attention forward and backward, in multiplications and additions of what is seen, or bytes of keys and values.
//!
//! ```sh
//! cargo bench -p menagerie-kernels --bench attention -- prefill
//! ```

use std::ops::Range;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use menagerie_kernels::{Attention, AttentionGradients, Forwarded, Heads, Products, Seen, bf16};

const PRODUCTS: [Products; 2] = [Products::F32, Products::Bf16];

fn main() {
    divan::main();
}

/// Numbers in ±1 without a pattern that matters.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn narrow(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|value| bf16::from_f32(*value)).collect()
}

fn causal(tokens: usize) -> Vec<Range<u32>> {
    let tokens = u32::try_from(tokens).expect("a few thousand");
    (0..tokens).map(|token| 0..token + 1).collect()
}

fn attention(seen: Seen<'_>, products: Products) -> Attention<'_> {
    Attention {
        scale: 0.125,
        cap: None,
        seen,
        products,
    }
}

/// A layer of CLIP's ViT-L/14 at 336 pixels: 577 patches, 16 heads of 64.
#[divan::bench(args = PRODUCTS)]
fn encoder(bencher: Bencher, products: Products) {
    let shape = [1, 16, 577, 64];
    let [q, k, v] = [(); 3].map(|()| numbers(16 * 577 * 64));
    let mut out = vec![0.0; q.len()];
    let attention = attention(Seen::Everything, products);
    bencher
        .counter(ItemsCount::new(4_usize * 16 * 577 * 577 * 64))
        .bench_local(|| {
            let heads = |values| Heads::by_token(values, shape);
            attention.forward(heads(black_box(&q)), heads(&k), heads(&v), &mut out, None);
        });
}

/// A causal prompt of 32 heads of 128, 8 of keys in bf16.
#[divan::bench(args = [128, 640, 4096])]
fn prefill(bencher: Bencher, tokens: usize) {
    let q = numbers(32 * tokens * 128);
    let [k, v] = [(); 2].map(|()| narrow(&numbers(8 * tokens * 128)));
    let spans = causal(tokens);
    let seen = Seen::Spans {
        spans: &spans,
        segments: None,
    };
    let mut out = vec![0.0; q.len()];
    let attention = attention(seen, Products::Bf16);
    bencher
        .counter(ItemsCount::new(4 * 32 * 128 * tokens * (tokens + 1) / 2))
        .bench_local(|| {
            let heads = |values| Heads::by_head(values, [1, 8, tokens, 128]);
            let queries = Heads::by_token(black_box(&q), [1, 32, tokens, 128]);
            attention.forward(queries, heads(&k), heads(&v), &mut out, None);
        });
}

/// A step of generation at 4,096 tokens of 8 heads of keys in bf16, for each of so many rows.
#[divan::bench(args = [1, 8, 32])]
fn decode(bencher: Bencher, batch: usize) {
    let q = numbers(batch * 32 * 128);
    let [k, v] = [(); 2].map(|()| narrow(&numbers(batch * 8 * 4096 * 128)));
    let mut out = vec![0.0; q.len()];
    let attention = attention(Seen::Everything, Products::Bf16);
    bencher
        .counter(BytesCount::new(2 * size_of_val(&k[..])))
        .bench_local(|| {
            let heads = |values| Heads::by_head(values, [batch, 8, 4096, 128]);
            let queries = Heads::by_token(black_box(&q), [batch, 32, 1, 128]);
            attention.forward(queries, heads(&k), heads(&v), &mut out, None);
        });
}

/// The backward pass of 8 rows of 256 tokens, 6 heads of 64, causal.
#[divan::bench(args = PRODUCTS)]
fn training(bencher: Bencher, products: Products) {
    let shape = [8, 6, 256, 64];
    let [q, k, v, gradient] = [(); 4].map(|()| numbers(8 * 6 * 256 * 64));
    let spans = causal(256);
    let seen = Seen::Spans {
        spans: &spans,
        segments: None,
    };
    let attention = attention(seen, products);
    let [queries, keys, values] = [&q, &k, &v].map(|values| Heads::by_token(values, shape));
    let mut out = vec![0.0; q.len()];
    let mut log_sums = vec![0.0; 8 * 6 * 256];
    attention.forward(queries, keys, values, &mut out, Some(&mut log_sums));
    let forwarded = Forwarded {
        queries,
        keys,
        values,
        out: &out,
        log_sums: &log_sums,
    };
    let [mut d_q, mut d_k, mut d_v] = [(); 3].map(|()| vec![0.0; q.len()]);
    bencher
        .counter(ItemsCount::new(10_usize * 8 * 6 * 64 * 256 * 257 / 2))
        .bench_local(|| {
            let gradients = AttentionGradients {
                queries: &mut d_q,
                keys: &mut d_k,
                values: &mut d_v,
            };
            attention.backward(forwarded, black_box(&gradient), gradients);
        });
}
