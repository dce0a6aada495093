use menagerie_kernels::{Norm, NormGradients};

use crate::common::{check_bits, numbers, seeded};
use crate::{check_close, check_threads, levels, wide};

const EPSILON: f64 = 1e-5;
/// Rows and their width.
const SIZES: [(usize, usize); 9] = [
    (0, 5),
    (1, 1),
    (3, 7),
    (2, 16),
    (5, 33),
    (4, 64),
    (9, 1000),
    (67, 130),
    (1100, 65),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Rms,
    Offset,
    Layer,
}

fn norm<'a>(kind: Kind, gamma: &'a [f32], beta: &'a [f32]) -> Norm<'a> {
    match kind {
        Kind::Rms => Norm::rms(gamma, EPSILON),
        Kind::Offset => Norm::rms_offset(gamma, EPSILON),
        Kind::Layer => Norm::layer(gamma, beta, EPSILON),
    }
}

/// In f64.
struct Reference {
    y: Vec<f64>,
    dx: Vec<f64>,
    /// The largest of what cancels in `dx`.
    size: f64,
    dgamma: Vec<f64>,
    dbeta: Vec<f64>,
}

fn reference(kind: Kind, x: &[f64], dy: &[f64], gamma: &[f64], beta: &[f64]) -> Reference {
    let width = gamma.len();
    let mut out = Reference {
        y: Vec::new(),
        dx: Vec::new(),
        size: 0.0,
        dgamma: vec![0.0; width],
        dbeta: vec![0.0; width],
    };
    let centred = matches!(kind, Kind::Layer);
    let factor = |at: usize| match kind {
        Kind::Offset => 1.0 + gamma[at],
        _ => gamma[at],
    };
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / width as f64;
    for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
        let centre = if centred { mean(x) } else { 0.0 };
        let squares: Vec<f64> = x.iter().map(|x| (x - centre).powi(2)).collect();
        let spread = (mean(&squares) + EPSILON).sqrt();
        let normed: Vec<f64> = x.iter().map(|x| (x - centre) / spread).collect();
        let slope: Vec<f64> = (0..width).map(|at| dy[at] * factor(at)).collect();
        let along: Vec<f64> = (0..width).map(|at| slope[at] * normed[at]).collect();
        let level = if centred { mean(&slope) } else { 0.0 };
        for at in 0..width {
            let shift = if centred { beta[at] } else { 0.0 };
            out.y.push(normed[at] * factor(at) + shift);
            out.dx
                .push((slope[at] - level - normed[at] * mean(&along)) / spread);
            out.size = out.size.max((slope[at] / spread).abs());
            out.dgamma[at] += dy[at] * normed[at];
            out.dbeta[at] += dy[at];
        }
    }
    out
}

#[test]
fn rows_are_normed_and_gradients_are_those_of_the_formulas() {
    let mut rng = seeded(61);
    for (rows, width) in SIZES {
        let [x, dy] = [(); 2].map(|()| numbers(&mut rng, rows * width));
        let [gamma, beta] = [(); 2].map(|()| numbers(&mut rng, width));
        for kind in [Kind::Rms, Kind::Offset, Kind::Layer] {
            let wanted = reference(kind, &wide(&x), &wide(&dy), &wide(&gamma), &wide(&beta));
            for level in levels() {
                let what = format!("{kind:?} {level} {rows}×{width}");
                let norm = norm(kind, &gamma, &beta).at(level);
                let mut y = vec![f32::NAN; rows * width];
                norm.forward(&x, &mut y);
                check_close(&y, &wanted.y, 3e-6, 3e-5, &what);
                let mut same = x.clone();
                norm.forward_in_place(&mut same);
                check_bits(&same, &y, &what);

                let [mut dgamma, mut dbeta] = [(); 2].map(|()| vec![f32::NAN; width]);
                let parameters = NormGradients {
                    gamma: Some(&mut dgamma),
                    beta: Some(&mut dbeta),
                };
                let mut dx = vec![f32::NAN; rows * width];
                norm.backward(&x, &dy, &mut dx, parameters);
                check_close(&dx, &wanted.dx, 1e-5, 3e-6 * wanted.size, &what);
                check_close(&dgamma, &wanted.dgamma, 1e-5, 2e-6 * rows as f64, &what);
                check_close(&dbeta, &wanted.dbeta, 1e-5, 2e-6 * rows as f64, &what);

                let mut same = dy.clone();
                norm.backward_in_place(&x, &mut same, NormGradients::default());
                check_bits(&same, &dx, &what);
            }
        }
    }
}

#[test]
fn a_sum_is_normed_and_kept() {
    let mut rng = seeded(62);
    for (rows, width) in SIZES {
        let [before, x] = [(); 2].map(|()| numbers(&mut rng, rows * width));
        let gamma = numbers(&mut rng, width);
        let sum: Vec<f32> = before.iter().zip(&x).map(|(a, b)| a + b).collect();
        for level in levels() {
            let norm = Norm::rms(&gamma, EPSILON).at(level);
            let [mut y, mut wanted] = [(); 2].map(|()| vec![f32::NAN; rows * width]);
            norm.forward(&sum, &mut wanted);
            let mut h = before.clone();
            norm.forward_sum(&mut h, &x, &mut y);
            let what = format!("{level} {rows}×{width}");
            check_bits(&h, &sum, &what);
            check_bits(&y, &wanted, &what);
        }
    }
}

#[test]
fn a_row_of_one_number_is_its_own_mean() {
    for level in levels() {
        let mut x = [3.0, f32::NAN, -1e30, 0.0];
        Norm::layer(&[2.0], &[0.5], EPSILON)
            .at(level)
            .forward_in_place(&mut x);
        assert!(x[1].is_nan());
        assert_eq!([x[0], x[2], x[3]], [0.5; 3]);
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(63);
    let (rows, width) = (1300, 77);
    let [x, dy] = [(); 2].map(|()| numbers(&mut rng, rows * width));
    let [gamma, beta] = [(); 2].map(|()| numbers(&mut rng, width));
    check_threads("norm", || {
        let norm = Norm::layer(&gamma, &beta, EPSILON);
        let mut y = x.clone();
        norm.forward_in_place(&mut y);
        let [mut dgamma, mut dbeta] = [(); 2].map(|()| vec![0.0; width]);
        let parameters = NormGradients {
            gamma: Some(&mut dgamma),
            beta: Some(&mut dbeta),
        };
        let mut dx = dy.clone();
        norm.backward_in_place(&x, &mut dx, parameters);
        [y, dx, dgamma, dbeta].concat()
    });
}
