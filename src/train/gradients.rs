//! Gradients by parameter, and their global norm.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use burn::module::{Module, Param};
use burn::tensor::{DType, Gradients, Tensor};
use menagerie_core::native;
use menagerie_core::parameters::{ParameterVisitor, visit_parameters};
use menagerie_kernels::sum_of_squares;

/// The gradient of every trainable parameter that got one, flat and in f32, in the module's order.
///
/// The order is the module's, whatever the order in which gradients came, so that sums over it are
/// the same in every run.
#[derive(Debug)]
pub struct GradientSet {
    /// By the parameter's place.
    gradients: BTreeMap<usize, (String, Tensor<1>)>,
    /// What they are still to be multiplied with: the optimizer does it on its way through them.
    factor: f64,
}

impl Default for GradientSet {
    fn default() -> Self {
        Self::of(BTreeMap::new())
    }
}

impl GradientSet {
    fn of(gradients: BTreeMap<usize, (String, Tensor<1>)>) -> Self {
        Self {
            gradients,
            factor: 1.0,
        }
    }

    /// Takes the gradients of `module` out of a backward pass.
    #[must_use]
    pub fn collect<M: Module>(module: &M, gradients: &Gradients) -> Self {
        struct Collector<'a> {
            gradients: &'a Gradients,
            /// Parameters visited.
            place: usize,
            set: BTreeMap<usize, (String, Tensor<1>)>,
        }

        impl ParameterVisitor for Collector<'_> {
            fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
                if let Some(gradient) = param.val().grad(self.gradients) {
                    let elements = gradient.shape().num_elements();
                    let gradient = gradient.reshape([elements]).cast(DType::F32);
                    self.set.insert(self.place, (path, gradient));
                }
                self.place += 1;
            }
        }

        let mut collector = Collector {
            gradients,
            place: 0,
            set: BTreeMap::new(),
        };
        visit_parameters(module, &mut collector);
        Self::of(collector.set)
    }

    /// The gradient of the parameter at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Tensor<1>> {
        let (gradient, factor) = self.unscaled(path)?;
        Some(scaled(gradient, factor))
    }

    /// The same as a gradient and what it is to be multiplied with.
    pub(super) fn unscaled(&self, path: &str) -> Option<(Tensor<1>, f64)> {
        let named = self.gradients.values().find(|(name, _)| name == path);
        named.map(|(_, gradient)| (gradient.clone(), self.factor))
    }

    /// Adds gradients of another pass through the same module, or another part of one. A parameter
    /// may have one in either alone.
    pub fn add(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        for (place, added) in other.gradients {
            match self.gradients.entry(place) {
                Entry::Occupied(mut held) => held.get_mut().1.inplace(|sum| sum + added.1),
                Entry::Vacant(free) => {
                    free.insert(added);
                }
            }
        }
    }

    /// Square root of the sum of all squares.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let gradients = self.gradients.values();
        let squares = gradients.map(|(_, gradient)| squares(gradient));
        squares.sum::<f64>().sqrt() * self.factor.abs()
    }

    /// Scales all gradients so that their norm is at most `max_norm`, by the formula of
    /// `torch.nn.utils.clip_grad_norm_`. `norm` is [`GradientSet::norm`].
    pub fn clip(&mut self, norm: f64, max_norm: f64) {
        let scale = max_norm / (norm + 1e-6);
        if scale < 1.0 {
            self.scale(scale);
        }
    }

    /// Multiplies all gradients.
    pub fn scale(&mut self, factor: f64) {
        self.factor *= factor;
    }

    fn settle(&mut self) {
        let factor = std::mem::replace(&mut self.factor, 1.0);
        for (_, gradient) in self.gradients.values_mut() {
            gradient.inplace(|gradient| scaled(gradient, factor));
        }
    }
}

fn scaled(gradient: Tensor<1>, factor: f64) -> Tensor<1> {
    if factor == 1.0 {
        gradient
    } else {
        gradient.mul_scalar(factor)
    }
}

/// Numbers that the backend sums at a time. The CPU's adds up more than four million in an order that
/// the threads fall into, another one each time.
const AT_A_TIME: usize = 1 << 20;

fn squares(values: &Tensor<1>) -> f64 {
    if native::fuses(values) {
        return native::read(values, sum_of_squares);
    }
    let [len] = values.dims();
    let rows = len / AT_A_TIME;
    let mut sums = Vec::new();
    if rows > 0 {
        let whole = values.clone().narrow(0, 0, rows * AT_A_TIME);
        let by_row = whole.reshape([rows, AT_A_TIME]).square().sum_dim(1);
        let by_row = by_row.into_data().try_into_vec::<f32>();
        sums = by_row.expect("gradients are f32");
    }
    let rest = len - rows * AT_A_TIME;
    if rest > 0 {
        let rest = values.clone().narrow(0, len - rest, rest);
        sums.push(rest.square().sum().into_scalar());
    }
    sums.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use menagerie_core::testing::normal;

    use super::*;

    #[derive(Module, Debug)]
    struct Parameters {
        all: Vec<Param<Tensor<1>>>,
    }

    #[test]
    fn the_order_is_the_modules_whatever_comes_first() {
        let device = Device::flex().autodiff();
        let values = [1.0, 1e-4, 3e-5, 2e4, 7.0];
        let module = Parameters {
            all: values
                .map(|value| Param::from_tensor(Tensor::from_floats([value], &device)))
                .to_vec(),
        };
        let norm = |order: [usize; 5]| {
            let mut set = GradientSet::default();
            for place in order {
                let loss = module.all[place].val().square().sum();
                set.add(GradientSet::collect(&module, &loss.backward()));
            }
            set.norm().to_bits()
        };
        assert_eq!(norm([4, 3, 2, 1, 0]), norm([0, 1, 2, 3, 4]));
        assert_eq!(norm([3, 0, 4, 2, 1]), norm([0, 1, 2, 3, 4]));
    }

    #[test]
    fn a_factor_counts_in_what_is_read_summed_and_measured() {
        let set = |factor: f64| {
            let values = Tensor::from_floats([3.0, -4.0], &Device::flex());
            let mut set = GradientSet::of(BTreeMap::from([(0, ("weight".to_owned(), values))]));
            set.scale(factor);
            set
        };
        let numbers = |set: &GradientSet| -> Vec<f32> {
            let gradient = set.get("weight").expect("it is there");
            gradient.into_data().try_into_vec().expect("f32")
        };
        let mut sum = set(-2.0);
        assert_eq!((numbers(&sum), sum.norm()), (vec![-6.0, 8.0], 10.0));
        sum.add(set(0.5));
        assert_eq!((numbers(&sum), sum.norm()), (vec![-4.5, 6.0], 7.5));
        sum.clip(7.5, 1.5);
        assert!((sum.norm() - 1.5).abs() < 1e-6);
    }

    #[test]
    fn the_norm_of_a_large_gradient_is_the_same_whatever_the_number_of_threads() {
        let values = normal([9 << 20]);
        let norm =
            || GradientSet::of(BTreeMap::from([(0, ("weight".to_owned(), values.clone()))])).norm();
        let first = norm();
        assert!((first - f64::from(9 << 20).sqrt()).abs() < 10.0, "{first}");
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let again = pool.expect("threads").install(norm);
            assert_eq!(again.to_bits(), first.to_bits(), "{threads} threads");
        }
    }
}
