use menagerie_kernels::{Rotary, bf16};
use rand::RngExt;

use crate::common::{check_bits, numbers, seeded};
use crate::{check_close, check_threads, levels};

/// Tokens, heads, features of a head, features that are turned.
const SIZES: [(usize, usize, usize, usize); 7] = [
    (0, 3, 8, 8),
    (1, 1, 2, 2),
    (5, 3, 10, 6),
    (7, 4, 64, 64),
    (3, 2, 80, 32),
    (11, 5, 66, 66),
    (600, 4, 32, 20),
];

#[test]
fn features_turn_with_those_half_a_head_away() {
    let mut rng = seeded(71);
    for (tokens, heads, head_dim, turned) in SIZES {
        let half = turned / 2;
        let x = numbers(&mut rng, tokens * heads * head_dim);
        let angles: Vec<f32> = (0..tokens * half)
            .map(|_| rng.random_range(-3.0..3.0))
            .collect();
        let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
        let wanted: Vec<f64> = (0..x.len())
            .map(|place| {
                let (feature, token) = (place % head_dim, place / (heads * head_dim));
                if feature >= turned {
                    return f64::from(x[place]);
                }
                let at = token * half + feature % half;
                let (cos, sin) = (f64::from(cos[at]), f64::from(sin[at]));
                let number = f64::from(x[place]);
                if feature < half {
                    number * cos - f64::from(x[place + half]) * sin
                } else {
                    number * cos + f64::from(x[place - half]) * sin
                }
            })
            .collect();
        for level in levels() {
            let what = format!("{level} {tokens} {heads} {head_dim} {turned}");
            let rotary = Rotary::new(&cos, &sin, tokens).at(level);
            let mut y = vec![f32::NAN; x.len()];
            rotary.turn(&x, heads, &mut y);
            check_close(&y, &wanted, 1e-6, 2e-6, &what);
            let mut same = x.clone();
            rotary.turn_in_place(&mut same, heads);
            check_bits(&same, &y, &what);

            let mut narrow = vec![bf16::NAN; x.len()];
            rotary.turn_bf16(&x, heads, &mut narrow);
            let rounded: Vec<bf16> = y.iter().map(|y| bf16::from_f32(*y)).collect();
            assert!(narrow == rounded, "{what}");

            // A rotation's transpose is its inverse.
            rotary.backward().turn_in_place(&mut y, heads);
            check_close(&y, &crate::wide(&x), 1e-6, 3e-6, &what);
        }
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(72);
    let (tokens, heads, head_dim) = (301, 5, 66);
    let x = numbers(&mut rng, tokens * heads * head_dim);
    let [cos, sin] = [(); 2].map(|()| numbers(&mut rng, tokens * 32));
    check_threads("rotary", || {
        let mut y = x.clone();
        Rotary::new(&cos, &sin, tokens).turn_in_place(&mut y, heads);
        y
    });
}
