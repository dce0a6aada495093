use menagerie_kernels::CrossEntropy;
use rand::RngExt;

use crate::common::{numbers, seeded};
use crate::{check_close, check_threads, levels, wide};

/// Rows and logits of each.
const SIZES: [(usize, usize); 7] = [
    (0, 9),
    (1, 1),
    (3, 2),
    (5, 17),
    (2, 64),
    (31, 5003),
    (3, 40_001),
];

#[test]
fn losses_and_gradients_are_those_of_a_softmax() {
    let mut rng = seeded(81);
    for (rows, vocab) in SIZES {
        let logits = numbers(&mut rng, rows * vocab);
        let targets: Vec<usize> = (0..rows).map(|_| rng.random_range(0..vocab)).collect();
        let (mut losses, mut gradients) = (Vec::new(), Vec::new());
        let scale = 0.37;
        for (row, target) in wide(&logits).chunks_exact(vocab).zip(&targets) {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            losses.push(sum.ln() - row[*target]);
            for (at, x) in row.iter().enumerate() {
                let hit = f64::from(u8::from(at == *target));
                gradients.push((x.exp() / sum - hit) * f64::from(scale));
            }
        }
        for level in levels() {
            let what = format!("{level} {rows}×{vocab}");
            let entropy = CrossEntropy::new(&targets, vocab).at(level);
            let mut found = vec![f32::NAN; rows];
            let sum = entropy.forward(&logits, &mut found);
            check_close(&found, &losses, 1e-6, 1e-6, &what);
            assert!(
                (sum - losses.iter().sum::<f64>()).abs() <= 1e-6 * (1.0 + sum),
                "{what}"
            );

            let (mut same, mut dlogits) = (vec![f32::NAN; rows], logits.clone());
            let again = entropy.gradient(&mut dlogits, scale, &mut same);
            assert_eq!((again, &same), (sum, &found), "{what}");
            check_close(&dlogits, &gradients, 2e-6, 1e-7, &what);
        }
    }
}

#[test]
fn logits_may_be_large_and_masked() {
    for level in levels() {
        let masked = f32::NEG_INFINITY;
        let mut logits = [
            3e38,
            masked,
            3e38,
            1e4,
            1e4 + 3.0,
            -3e38,
            f32::NAN,
            0.0,
            0.0,
        ];
        let mut losses = [0.0; 3];
        let entropy = CrossEntropy::new(&[0, 1, 2], 3).at(level);
        let sum = entropy.gradient(&mut logits, 1.0, &mut losses);
        assert!(sum.is_nan() && losses[2].is_nan());
        let softplus = (-3.0_f64).exp().ln_1p();
        check_close(&losses[..2], &[2.0_f64.ln(), softplus], 1e-6, 0.0, "losses");
        let share = 1.0 / (1.0 + 3.0_f64.exp());
        let wanted = [-0.5, 0.0, 0.5, share, -share, 0.0];
        check_close(&logits[..6], &wanted, 1e-6, 1e-7, "gradients");
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(82);
    let (rows, vocab) = (41, 3001);
    let logits = numbers(&mut rng, rows * vocab);
    let targets: Vec<usize> = (0..rows).map(|_| rng.random_range(0..vocab)).collect();
    check_threads("cross-entropy", || {
        let (mut dlogits, mut losses) = (logits.clone(), vec![0.0; rows]);
        CrossEntropy::new(&targets, vocab).gradient(&mut dlogits, 0.1, &mut losses);
        [dlogits, losses].concat()
    });
}
