use menagerie_kernels::{Activation, Function};

use crate::common::{check_bits, numbers, seeded};
use crate::{check_close, check_threads, levels, wide};

const FUNCTIONS: [Function; 4] = [
    Function::Silu,
    Function::QuickGelu,
    Function::Gelu,
    Function::GeluTanh,
];
const LENGTHS: [usize; 7] = [0, 1, 15, 16, 17, 1003, 30_001];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The share of a normal distribution below `x`, by Simpson's rule.
fn share(x: f64) -> f64 {
    let limited = x.clamp(-9.0, 9.0);
    let steps = 400;
    let width = limited / f64::from(steps);
    let density = |at: f64| (-at * at / 2.0).exp();
    let sum: f64 = (0..steps)
        .map(|step| {
            let from = f64::from(step) * width;
            density(from) + 4.0 * density(from + width / 2.0) + density(from + width)
        })
        .sum();
    0.5 + sum * width / 6.0 / (2.0 * std::f64::consts::PI).sqrt()
}

fn value(function: Function, x: f64) -> f64 {
    match function {
        Function::Silu => x * sigmoid(x),
        Function::QuickGelu => x * sigmoid(1.702 * x),
        Function::Gelu => x * share(x),
        Function::GeluTanh => {
            let angle = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + angle.tanh())
        }
        _ => unreachable!("all that there are"),
    }
}

/// The derivative, by central differences of the fourth order.
fn slope(function: Function, x: f64) -> f64 {
    let h = 1e-3;
    let f = |steps: f64| value(function, x + steps * h);
    (8.0 * (f(1.0) - f(-1.0)) - (f(2.0) - f(-2.0))) / (12.0 * h)
}

#[test]
fn values_and_slopes_are_those_of_the_functions() {
    let mut rng = seeded(51);
    for length in LENGTHS {
        let (x, dy) = (numbers(&mut rng, length), numbers(&mut rng, length));
        for function in FUNCTIONS {
            let values: Vec<f64> = wide(&x).iter().map(|x| value(function, *x)).collect();
            let slopes: Vec<f64> = wide(&x).iter().map(|x| slope(function, *x)).collect();
            let dx: Vec<f64> = slopes
                .iter()
                .zip(&dy)
                .map(|(s, dy)| s * f64::from(*dy))
                .collect();
            for level in levels() {
                let what = format!("{function:?} {level} {length}");
                let activation = Activation::new(function).at(level);
                let mut y = vec![f32::NAN; length];
                activation.forward(&x, &mut y);
                check_close(&y, &values, 1e-6, 1e-6, &what);
                let mut same = x.clone();
                activation.forward_in_place(&mut same);
                check_bits(&same, &y, &what);

                activation.backward(&x, &dy, &mut y);
                check_close(&y, &dx, 2e-6, 1e-5, &what);
                let mut same = dy.clone();
                activation.backward_in_place(&x, &mut same);
                check_bits(&same, &y, &what);
            }
        }
    }
}

#[test]
fn gates_multiply_what_goes_up_and_so_do_their_gradients() {
    let mut rng = seeded(52);
    for length in LENGTHS {
        let [gate, up, dy] = [(); 3].map(|()| numbers(&mut rng, length));
        for function in FUNCTIONS {
            let each = |f: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
                let all = wide(&gate).into_iter().zip(wide(&up)).zip(wide(&dy));
                all.map(|((gate, up), dy)| f(gate, up, dy)).collect()
            };
            let wanted = each(&|gate, up, _| value(function, gate) * up);
            let wanted_gate = each(&|gate, up, dy| slope(function, gate) * up * dy);
            let wanted_up = each(&|gate, _, dy| value(function, gate) * dy);
            for level in levels() {
                let what = format!("{function:?} {level} {length}");
                let activation = Activation::new(function).at(level);
                let mut y = vec![f32::NAN; length];
                activation.gate(&gate, &up, &mut y);
                check_close(&y, &wanted, 1e-6, 1e-5, &what);
                let mut same = gate.clone();
                activation.gate_in_place(&mut same, &up);
                check_bits(&same, &y, &what);

                let [mut dgate, mut dup] = [(); 2].map(|()| vec![f32::NAN; length]);
                activation.gate_backward(&gate, &up, &dy, &mut dgate, &mut dup);
                check_close(&dgate, &wanted_gate, 2e-6, 1e-4, &what);
                check_close(&dup, &wanted_up, 1e-6, 1e-5, &what);
                let (mut same_gate, mut same_up) = (gate.clone(), up.clone());
                activation.gate_backward_in_place(&mut same_gate, &mut same_up, &dy);
                check_bits(&same_gate, &dgate, &what);
                check_bits(&same_up, &dup, &what);
            }
        }
    }
}

#[test]
fn large_numbers_and_nan() {
    for function in FUNCTIONS {
        for level in levels() {
            let activation = Activation::new(function).at(level);
            let x = [
                1e30,
                -1e30,
                f32::INFINITY,
                f32::NAN,
                0.0,
                f32::MAX,
                f32::MIN,
            ];
            let mut y = [f32::NAN; 7];
            activation.forward(&x, &mut y);
            assert_eq!(y[..3], [1e30, 0.0, f32::INFINITY], "{function:?} {level}");
            assert!(y[3].is_nan());
            assert_eq!(y[4..], [0.0, f32::MAX, 0.0], "{function:?} {level}");
            activation.backward(&x, &[1.0; 7], &mut y);
            assert_eq!(y[..3], [1.0, 0.0, 1.0], "{function:?} {level}");
            assert!(y[3].is_nan());
            assert_eq!(y[4..], [0.5, 1.0, 0.0], "{function:?} {level}");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(53);
    let [gate, up] = [(); 2].map(|()| numbers(&mut rng, 90_003));
    check_threads("gate", || {
        let mut y = gate.clone();
        Activation::new(Function::Silu).gate_in_place(&mut y, &up);
        y
    });
}
