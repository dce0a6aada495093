//! Products beside those of the `gemm` crate in f32, which is what Burn multiplies with on a CPU: in turns in
//! one run, since the bandwidth of memory drifts from minute to minute on shared machines.
//!
//! ```sh
//! cargo bench -p menagerie-kernels --bench ratios -- 20
//! ```
//!
//! The number is that of the rounds. Prints the shortest and the median time of each, operations and bytes of
//! weights a second at the shortest, and how many times faster than `gemm` the medians are.

use std::time::Instant;

use menagerie_kernels::{
    Addends, Attention, Format, Heads, Level, Matrix, Packed, Products, Seen, product, product_f32,
    thin_product,
};

struct Contestant<'a> {
    name: String,
    bytes: usize,
    run: Box<dyn FnMut() + 'a>,
    seconds: Vec<f64>,
}

impl<'a> Contestant<'a> {
    fn new(name: impl Into<String>, bytes: usize, run: impl FnMut() + 'a) -> Self {
        Self {
            name: name.into(),
            bytes,
            run: Box::new(run),
            seconds: Vec::new(),
        }
    }

    fn median(&mut self) -> f64 {
        self.seconds.sort_by(f64::total_cmp);
        self.seconds[self.seconds.len() / 2]
    }
}

fn main() {
    let rounds = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20);
    println!(
        "{} threads, {}, {rounds} rounds",
        rayon::current_num_threads(),
        Level::best()
    );
    for (rows, inputs, outputs) in [
        (1, 4096, 11008),
        (4, 4096, 11008),
        (16, 4096, 11008),
        (640, 4096, 4096),
    ] {
        layer(rounds, rows, inputs, outputs);
    }
    gradient(rounds);
    attention(rounds);
}

/// `y = x · wᵀ`, the weights packed beforehand.
fn layer(rounds: usize, rows: usize, inputs: usize, outputs: usize) {
    let (x, w) = (numbers(rows * inputs), numbers(outputs * inputs));
    let made = |format| {
        Packed::quantise(format, Matrix::new(&w, outputs, inputs))
            .expect("formats that are made from floats")
    };
    let packed = [Format::F32, Format::Bf16, Format::Q8, Format::Q4].map(made);
    // Burn holds weights `[inputs, outputs]`.
    let mut y = vec![0.0; rows * outputs];
    let mut contestants = vec![Contestant::new("gemm f32", 4 * w.len(), || {
        gemm_f32((&x, rows, inputs), (&w, outputs), &mut y);
    })];
    if rows <= 16 {
        for (name, w) in [
            ("f32", Matrix::new(&w, inputs, outputs)),
            (
                "f32 transposed",
                Matrix::new(&w, outputs, inputs).transposed(),
            ),
        ] {
            let (x, mut y) = (&x, vec![0.0; rows * outputs]);
            contestants.push(Contestant::new(name, 4 * inputs * outputs, move || {
                thin_product(x, w, Addends::default(), &mut y);
            }));
        }
    }
    let mut levels: Vec<Level> = Level::available().collect();
    levels.retain(|level| *level >= Level::Avx2);
    for weights in &packed {
        for &level in &levels {
            let x = &x;
            let mut y = vec![0.0; rows * outputs];
            contestants.push(Contestant::new(
                format!("{} {level}", weights.format()),
                weights.bytes(),
                move || weights.multiply_at(level, x, &mut y),
            ));
        }
    }
    compete(
        &format!("{rows} × {inputs} × {outputs}"),
        2 * rows * inputs * outputs,
        rounds,
        &mut contestants,
    );
}

/// `dw = dyᵀ · x` of 2048 tokens.
fn gradient(rounds: usize) {
    let (tokens, width) = (2048, 1024);
    let (x, dy) = (numbers(tokens * width), numbers(tokens * width));
    let [mut f32s, mut singles, mut bf16s] = [(); 3].map(|()| vec![0.0; width * width]);
    let dy_columns = transposed(&dy, tokens, width);
    compete(
        &format!("{width} × {tokens} × {width}, of two matrices"),
        2 * tokens * width * width,
        rounds,
        &mut [
            Contestant::new("gemm f32", 4 * x.len(), || {
                gemm_f32((&dy_columns, width, tokens), (&x, width), &mut f32s);
            }),
            Contestant::new("f32", 4 * x.len(), || {
                let dy = Matrix::new(&dy, tokens, width).transposed();
                singles = product_f32(dy, Matrix::new(&x, tokens, width));
            }),
            Contestant::new("bf16", 4 * x.len(), || {
                let dy = Matrix::new(&dy, tokens, width).transposed();
                bf16s = product(dy, Matrix::new(&x, tokens, width));
            }),
        ],
    );
}

/// 16 heads of 64 for 577 patches, beside two products and a softmax for each head.
fn attention(rounds: usize) {
    let (tokens, heads, features) = (577, 16, 64);
    let shape = [1, heads, tokens, features];
    let [q, k, v] = [(); 3].map(|()| numbers(heads * tokens * features));
    let mut naive = vec![0.0; q.len()];
    let k_columns: Vec<f32> = k
        .chunks_exact(tokens * features)
        .flat_map(|k| transposed(k, tokens, features))
        .collect();
    let mut scores = vec![0.0; tokens * tokens];
    let mut contestants = vec![Contestant::new("gemm, softmax, gemm", 0, || {
        for (at, out) in naive.chunks_exact_mut(tokens * features).enumerate() {
            let head = at * tokens * features..(at + 1) * tokens * features;
            let (q, k) = (&q[head.clone()], &k_columns[head.clone()]);
            gemm_f32((q, tokens, features), (k, tokens), &mut scores);
            for row in scores.chunks_exact_mut(tokens) {
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exponential = |score: f32| ((score - largest) * 0.125).exp();
                for score in row.iter_mut() {
                    *score = exponential(*score);
                }
                let inverse = 1.0 / row.iter().sum::<f32>();
                for weight in row.iter_mut() {
                    *weight *= inverse;
                }
            }
            gemm_f32((&scores, tokens, tokens), (&v[head], features), out);
        }
    })];
    for level in Level::available().filter(|level| *level >= Level::Avx2) {
        for products in [Products::F32, Products::Bf16] {
            let (q, k, v) = (&q, &k, &v);
            let mut out = vec![0.0; q.len()];
            contestants.push(Contestant::new(
                format!("{products:?} {level}"),
                0,
                move || {
                    let attention = Attention {
                        scale: 0.125,
                        cap: None,
                        seen: Seen::Everything,
                        products,
                    };
                    let [q, k, v] = [q, k, v].map(|values| Heads::by_head(values, shape));
                    attention.forward_at(level, q, k, v, &mut out, None);
                },
            ));
        }
    }
    compete(
        &format!("attention of {heads} heads, {tokens} × {tokens} × {features}"),
        4 * heads * tokens * tokens * features,
        rounds,
        &mut contestants,
    );
}

fn compete(what: &str, operations: usize, rounds: usize, contestants: &mut [Contestant]) {
    for round in 0..=rounds {
        for contestant in &mut *contestants {
            let start = Instant::now();
            (contestant.run)();
            // The first round only warms up.
            if round > 0 {
                contestant.seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    println!("\n{what}");
    println!(
        "{:<20} {:>9} {:>9} {:>8} {:>7} {:>6}",
        "", "min ms", "median", "GFLOP/s", "GB/s", "ratio"
    );
    let peer = contestants[0].median();
    for contestant in contestants {
        let median = contestant.median();
        let least = contestant.seconds[0];
        println!(
            "{:<20} {:>9.3} {:>9.3} {:>8.1} {:>7.1} {:>6.2}",
            contestant.name,
            least * 1e3,
            median * 1e3,
            operations as f64 / least / 1e9,
            contestant.bytes as f64 / least / 1e9,
            peer / median
        );
    }
}

/// `[rows, inputs] · [inputs, outputs]`, row after row.
#[allow(unsafe_code)]
fn gemm_f32(
    (x, rows, inputs): (&[f32], usize, usize),
    (w, outputs): (&[f32], usize),
    y: &mut [f32],
) {
    assert!(x.len() == rows * inputs && w.len() == inputs * outputs && y.len() == rows * outputs);
    let step = |size: usize| isize::try_from(size).expect("a slice's length");
    // SAFETY: by the check above, all places that these strides reach lie in the slices.
    unsafe {
        gemm::gemm(
            rows,
            outputs,
            inputs,
            y.as_mut_ptr(),
            1,
            step(outputs),
            false,
            x.as_ptr(),
            1,
            step(inputs),
            w.as_ptr(),
            1,
            step(outputs),
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
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

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
