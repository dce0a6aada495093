use menagerie_kernels::SoftCap;

use crate::common::{numbers, seeded};
use crate::{check_close, levels, wide};

#[test]
fn numbers_are_capped_and_gradients_fade() {
    let mut rng = seeded(98);
    let cap = 3.0;
    for length in [0, 1, 17, 30_001] {
        let [x, dy] = [(); 2].map(|()| numbers(&mut rng, length));
        let wanted: Vec<f64> = wide(&x).iter().map(|x| 3.0 * (x / 3.0).tanh()).collect();
        let slopes = wanted.iter().map(|y| 1.0 - (y / 3.0).powi(2));
        let dx: Vec<f64> = slopes.zip(&dy).map(|(s, dy)| s * f64::from(*dy)).collect();
        for level in levels() {
            let what = format!("{level} {length}");
            let (mut y, mut found) = (x.clone(), dy.clone());
            SoftCap::new(cap).at(level).forward_in_place(&mut y);
            check_close(&y, &wanted, 1e-6, 0.0, &what);
            SoftCap::new(cap)
                .at(level)
                .backward_in_place(&y, &mut found);
            check_close(&found, &dx, 1e-6, 1e-5, &what);
        }
    }
}
