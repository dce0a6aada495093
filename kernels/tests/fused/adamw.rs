use menagerie_kernels::{AdamWStep, sum_of_squares, sum_of_squares_at};

use crate::common::{check_bits, numbers, seeded};
use crate::{check_close, check_threads, in_pool, levels, wide};

const STEP: AdamWStep = AdamWStep {
    learning_rate: 3e-3,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    step: 7,
    gradient_scale: 0.3,
};

#[test]
fn steps_are_those_of_the_paper_and_the_same_at_every_level() {
    let mut rng = seeded(91);
    for length in [0, 1, 17, 1003, 90_001] {
        let [weight, first, gradient] = [(); 3].map(|()| numbers(&mut rng, length));
        let second: Vec<f32> = numbers(&mut rng, length).iter().map(|x| x.abs()).collect();
        let mut portable: Option<Vec<f32>> = None;
        for level in levels() {
            let (mut w, mut m, mut v) = (weight.clone(), first.clone(), second.clone());
            STEP.apply_at(level, &mut w, &mut m, &mut v, &gradient);
            let what = format!("{level} {length}");
            let gradient: Vec<f64> = wide(&gradient).iter().map(|g| g * 0.3).collect();
            let wanted_m: Vec<f64> = wide(&first)
                .iter()
                .zip(&gradient)
                .map(|(m, g)| 0.9 * m + 0.1 * g)
                .collect();
            let wanted_v: Vec<f64> = wide(&second)
                .iter()
                .zip(&gradient)
                .map(|(v, g)| 0.95 * v + 0.05 * g * g)
                .collect();
            let wanted_w: Vec<f64> = (0..length)
                .map(|at| {
                    let mean = wanted_m[at] / (1.0 - 0.9_f64.powi(7));
                    let square = wanted_v[at] / (1.0 - 0.95_f64.powi(7));
                    let decayed = f64::from(weight[at]) * (1.0 - 3e-3 * 0.1);
                    decayed - 3e-3 * mean / (square.sqrt() + 1e-8)
                })
                .collect();
            check_close(&m, &wanted_m, 1e-6, 1e-6, &what);
            check_close(&v, &wanted_v, 1e-6, 1e-9, &what);
            check_close(&w, &wanted_w, 1e-6, 1e-7, &what);
            let all = [w, m, v].concat();
            check_bits(&all, portable.get_or_insert_with(|| all.clone()), &what);
        }
    }
}

#[test]
fn squares_are_summed_as_in_f64_in_any_number_of_threads() {
    let mut rng = seeded(92);
    for length in [0, 1, 17, 1024, 1025, 300_001] {
        let x = numbers(&mut rng, length);
        let wanted: f64 = wide(&x).iter().map(|x| x * x).sum();
        for level in levels() {
            let found = sum_of_squares_at(level, &x);
            assert!(
                (found - wanted).abs() <= 1e-6 * wanted,
                "{level} {length}: {found}"
            );
        }
        let alone = in_pool(1, || sum_of_squares(&x));
        let many = in_pool(5, || sum_of_squares(&x));
        assert_eq!(alone.to_bits(), many.to_bits());
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(93);
    let [weight, first, gradient] = [(); 3].map(|()| numbers(&mut rng, 80_007));
    check_threads("step", || {
        let (mut w, mut m, mut v) = (weight.clone(), first.clone(), vec![0.0; weight.len()]);
        STEP.apply(&mut w, &mut m, &mut v, &gradient);
        [w, m, v].concat()
    });
}
