//! Fused operations beside the passes over memory that they replace: each operation of a tensor reads its inputs and
//! writes a new buffer, in one thread, as Burn's do on a CPU.
//!
//! ```sh
//! cargo bench -p menagerie-kernels --bench fused -- rms
//! ```
//!
//! Bytes are those that an operation has to move at the least.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use menagerie_kernels::{
    Activation, AdamWStep, CrossEntropy, Function, Norm, NormGradients, Rotary, sum_of_squares,
};

fn main() {
    divan::main();
}

/// One token, and an image with a question.
const ROWS: [usize; 2] = [1, 640];
const WIDTH: usize = 4096;

/// Numbers in ±1 without a pattern that matters.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn moved(passes: usize, numbers: usize) -> BytesCount {
    BytesCount::new(4 * passes * numbers)
}

/// A pass over memory into a new buffer.
fn pass<const N: usize>(inputs: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> Vec<f32> {
    (0..inputs[0].len())
        .map(|at| f(inputs.map(|input| input[at])))
        .collect()
}

/// The same with one number for each row.
fn by_row(x: &[f32], rows: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let width = x.len() / rows.len();
    let rows = x.chunks_exact(width).zip(rows);
    rows.flat_map(|(x, row)| x.iter().map(|x| f(*x, *row)))
        .collect()
}

fn means(x: &[f32], width: usize) -> Vec<f32> {
    let sum = |row: &[f32]| {
        let mut sums = [0.0; 16];
        for chunk in row.as_chunks::<16>().0 {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum += x;
            }
        }
        sums.iter().sum::<f32>()
    };
    x.chunks_exact(width)
        .map(|row| sum(row) / width as f32)
        .collect()
}

mod rms_norm {
    use super::{
        Bencher, Norm, NormGradients, ROWS, WIDTH, black_box, by_row, means, moved, numbers, pass,
    };

    #[divan::bench(args = ROWS)]
    fn fused(bencher: Bencher, rows: usize) {
        let (x, gamma) = (numbers(rows * WIDTH), numbers(WIDTH));
        let mut y = vec![0.0; rows * WIDTH];
        bencher
            .counter(moved(2, x.len()))
            .bench_local(|| Norm::rms(&gamma, 1e-6).forward(black_box(&x), &mut y));
    }

    #[divan::bench(args = ROWS)]
    fn passes(bencher: Bencher, rows: usize) {
        let (x, gamma) = (numbers(rows * WIDTH), numbers(WIDTH));
        bencher.counter(moved(2, x.len())).bench_local(|| {
            let squares = pass([black_box(&x)], |[x]| x * x);
            let means = means(&squares, WIDTH);
            let roots = pass([&means], |[mean]| (mean + 1e-6).sqrt());
            let normed = by_row(&x, &roots, |x, root| x / root);
            let mut out = Vec::with_capacity(normed.len());
            for row in normed.chunks_exact(WIDTH) {
                out.extend(row.iter().zip(&gamma).map(|(x, gamma)| x * gamma));
            }
            out
        });
    }

    #[divan::bench]
    fn backward(bencher: Bencher) {
        let (x, gamma) = (numbers(640 * WIDTH), numbers(WIDTH));
        let (dy, mut dx) = (numbers(x.len()), vec![0.0; x.len()]);
        let mut dgamma = vec![0.0; WIDTH];
        bencher.counter(moved(3, x.len())).bench_local(|| {
            let parameters = NormGradients {
                gamma: Some(&mut dgamma),
                beta: None,
            };
            Norm::rms(&gamma, 1e-6).backward(black_box(&x), &dy, &mut dx, parameters);
        });
    }
}

mod gate {
    use super::{Activation, Bencher, Function, ROWS, black_box, moved, numbers, pass};

    const WIDTH: usize = 11008;

    #[divan::bench(args = ROWS)]
    fn fused(bencher: Bencher, rows: usize) {
        let (gate, up) = (numbers(rows * WIDTH), numbers(rows * WIDTH));
        let mut y = vec![0.0; gate.len()];
        let silu = Activation::new(Function::Silu);
        bencher
            .counter(moved(3, gate.len()))
            .bench_local(|| silu.gate(black_box(&gate), &up, &mut y));
    }

    #[divan::bench(args = ROWS)]
    fn passes(bencher: Bencher, rows: usize) {
        let (gate, up) = (numbers(rows * WIDTH), numbers(rows * WIDTH));
        bencher.counter(moved(3, gate.len())).bench_local(|| {
            let shares = pass([black_box(&gate)], |[x]| 1.0 / (1.0 + (-x).exp()));
            let gated = pass([&gate, &shares], |[x, share]| x * share);
            pass([&gated, &up], |[gated, up]| gated * up)
        });
    }

    #[divan::bench]
    fn backward(bencher: Bencher) {
        let [gate, up, dy] = [(); 3].map(|()| numbers(640 * WIDTH));
        let [mut dgate, mut dup] = [(); 2].map(|()| vec![0.0; gate.len()]);
        let silu = Activation::new(Function::Silu);
        bencher.counter(moved(5, gate.len())).bench_local(|| {
            silu.gate_backward(black_box(&gate), &up, &dy, &mut dgate, &mut dup);
        });
    }
}

/// The functions alone, where memory waits for nothing.
#[divan::bench(args = [Function::Silu, Function::QuickGelu, Function::Gelu, Function::GeluTanh])]
fn activation(bencher: Bencher, function: Function) {
    let mut x = numbers(8192);
    let activation = Activation::new(function);
    bencher
        .counter(moved(2, x.len()))
        .bench_local(|| activation.forward_in_place(black_box(&mut x)));
}

mod rotary {
    use super::{Bencher, ROWS, Rotary, black_box, moved, numbers, pass};

    const HALF: usize = 64;
    const HEADS: usize = 32;

    #[divan::bench(args = ROWS)]
    fn fused(bencher: Bencher, tokens: usize) {
        let mut x = numbers(tokens * HEADS * 2 * HALF);
        let (cos, sin) = (numbers(tokens * HALF), numbers(tokens * HALF));
        let rotary = Rotary::new(&cos, &sin, tokens);
        bencher
            .counter(moved(2, x.len()))
            .bench_local(|| rotary.turn_in_place(black_box(&mut x), HEADS));
    }

    #[divan::bench(args = ROWS)]
    fn passes(bencher: Bencher, tokens: usize) {
        let x = numbers(tokens * HEADS * 2 * HALF);
        let (cos, sin) = (numbers(tokens * HALF), numbers(tokens * HALF));
        bencher.counter(moved(2, x.len())).bench_local(|| {
            let halves = |which: usize| -> Vec<f32> {
                let heads = black_box(&x).chunks_exact(2 * HALF);
                heads
                    .flat_map(|head| &head[which * HALF..][..HALF])
                    .copied()
                    .collect()
            };
            let times = |x: &[f32], angles: &[f32]| -> Vec<f32> {
                let tokens = x.chunks_exact(HEADS * HALF).zip(angles.chunks_exact(HALF));
                tokens
                    .flat_map(|(x, angles)| {
                        let heads = x.chunks_exact(HALF);
                        heads.flat_map(move |x| x.iter().zip(angles).map(|(x, angle)| x * angle))
                    })
                    .collect()
            };
            let (first, second) = (halves(0), halves(1));
            let terms = [
                times(&first, &cos),
                times(&second, &sin),
                times(&second, &cos),
                times(&first, &sin),
            ];
            let turned_first = pass([&terms[0], &terms[1]], |[a, b]| a - b);
            let turned_second = pass([&terms[2], &terms[3]], |[a, b]| a + b);
            let heads = turned_first
                .chunks_exact(HALF)
                .zip(turned_second.chunks_exact(HALF));
            heads
                .flat_map(|(first, second)| first.iter().chain(second))
                .copied()
                .collect::<Vec<f32>>()
        });
    }
}

mod cross_entropy {
    use super::{Bencher, CrossEntropy, black_box, by_row, means, moved, numbers, pass};

    const VOCAB: usize = 32_000;
    const ROWS: usize = 128;

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let (logits, mut losses) = (numbers(ROWS * VOCAB), vec![0.0; ROWS]);
        let mut gradient = logits.clone();
        let targets: Vec<usize> = (0..ROWS).map(|row| row * 7919 % VOCAB).collect();
        bencher.counter(moved(2, logits.len())).bench_local(|| {
            CrossEntropy::new(&targets, VOCAB).gradient(black_box(&mut gradient), 1e-2, &mut losses)
        });
    }

    #[divan::bench]
    fn passes(bencher: Bencher) {
        let logits = numbers(ROWS * VOCAB);
        bencher.counter(moved(2, logits.len())).bench_local(|| {
            let rows = black_box(&logits).chunks_exact(VOCAB);
            let most: Vec<f32> = rows
                .map(|row| row.iter().copied().fold(f32::MIN, f32::max))
                .collect();
            let shifted = by_row(&logits, &most, |x, most| x - most);
            let exponentials = pass([&shifted], |[x]| x.exp());
            let sums = means(&exponentials, VOCAB);
            let softmax = by_row(&exponentials, &sums, |x, mean| x / (mean * VOCAB as f32));
            pass([&softmax], |[x]| x * 1e-2)
        });
    }
}

mod adamw {
    use super::{AdamWStep, Bencher, black_box, moved, numbers, pass, sum_of_squares};

    const COUNT: usize = 1 << 22;
    const STEP: AdamWStep = AdamWStep {
        learning_rate: 1e-3,
        weight_decay: 0.1,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        step: 5,
        gradient_scale: 1.0,
    };

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let [mut weight, mut first, mut second] = [(); 3].map(|()| numbers(COUNT));
        for x in &mut second {
            *x = x.abs();
        }
        let gradient = numbers(COUNT);
        bencher.counter(moved(7, COUNT)).bench_local(|| {
            STEP.apply(&mut weight, &mut first, &mut second, black_box(&gradient));
        });
    }

    #[divan::bench]
    fn passes(bencher: Bencher) {
        let [weight, first, second, gradient] = [(); 4].map(|()| numbers(COUNT));
        bencher.counter(moved(7, COUNT)).bench_local(|| {
            let fresh = pass([black_box(&gradient)], |[g]| g * 0.1);
            let first = pass([&first], |[m]| m * 0.9);
            let first = pass([&first, &fresh], |[m, g]| m + g);
            let square = pass([&gradient], |[g]| g * g);
            let fresh = pass([&square], |[g]| g * 0.05);
            let second = pass([&second], |[v]| v * 0.95);
            let second = pass([&second, &fresh], |[v, g]| v + g);
            let root = pass([&second], |[v]| v.abs().sqrt());
            let scale = pass([&root], |[root]| root / 0.4 + 1e-8);
            let change = pass([&first, &scale], |[m, scale]| m / scale);
            let change = pass([&change], |[change]| change * 1e-3);
            let weight = pass([&weight], |[w]| w * 0.999);
            pass([&weight, &change], |[w, change]| w - change)
        });
    }

    #[divan::bench]
    fn norm(bencher: Bencher) {
        let gradient = numbers(COUNT);
        bencher
            .counter(moved(1, COUNT))
            .bench_local(|| sum_of_squares(black_box(&gradient)));
    }
}
