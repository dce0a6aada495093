//! Gradients by parameter, and their global norm.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor};
use menagerie_core::parameters::PathStack;

/// The gradient of every trainable parameter that got one, flat and in f32, in the module's order.
///
/// The order is the module's and not a map's, so that sums over it are the same in every run.
#[derive(Debug, Default)]
pub struct GradientSet(Vec<(String, Tensor<1>)>);

impl GradientSet {
    /// Takes the gradients of `module` out of a backward pass.
    #[must_use]
    pub fn collect<M: Module>(module: &M, gradients: &Gradients) -> Self {
        struct Collector<'a> {
            gradients: &'a Gradients,
            path: PathStack,
            set: Vec<(String, Tensor<1>)>,
        }

        impl ModuleVisitor for Collector<'_> {
            fn enter_module(&mut self, name: &str, _container_type: &str) {
                self.path.enter(name);
            }

            fn exit_module(&mut self, _name: &str, _container_type: &str) {
                self.path.exit();
            }

            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = param.val().grad(self.gradients) {
                    let elements = gradient.shape().num_elements();
                    let gradient = gradient.reshape([elements]).cast(DType::F32);
                    self.set.push((self.path.join(), gradient));
                }
            }
        }

        let mut collector = Collector {
            gradients,
            path: PathStack::default(),
            set: Vec::new(),
        };
        module.visit(&mut collector);
        Self(collector.set)
    }

    /// The gradient of the parameter at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Tensor<1>> {
        self.0
            .iter()
            .find(|(name, _)| name == path)
            .map(|(_, gradient)| gradient)
    }

    /// Adds another micro-batch's gradients. A parameter may have one in either alone.
    pub fn add(&mut self, other: Self) {
        if self.0.is_empty() {
            self.0 = other.0;
            return;
        }
        for (path, gradient) in other.0 {
            match self.0.iter_mut().find(|(name, _)| *name == path) {
                Some((_, sum)) => sum.inplace(|sum| sum + gradient),
                None => self.0.push((path, gradient)),
            }
        }
    }

    /// Square root of the sum of all squares.
    #[must_use]
    pub fn norm(&self) -> f64 {
        let squares = self.0.iter().map(|(_, gradient)| sum_of_squares(gradient));
        squares.sum::<f64>().sqrt()
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
        for (_, gradient) in &mut self.0 {
            gradient.inplace(|gradient| gradient.mul_scalar(factor));
        }
    }
}

/// Numbers that the backend sums at a time. The CPU's adds up more than four million in an order that
/// the threads fall into, another one each time.
const AT_A_TIME: usize = 1 << 20;

fn sum_of_squares(values: &Tensor<1>) -> f64 {
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
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn the_norm_of_a_large_gradient_is_the_same_whatever_the_number_of_threads() {
        let device = Device::flex();
        let values = Tensor::random([9 << 20], Distribution::Normal(0.0, 1.0), &device);
        let norm = || GradientSet(vec![("weight".to_owned(), values.clone())]).norm();
        let first = norm();
        assert!((first - f64::from(9 << 20).sqrt()).abs() < 10.0, "{first}");
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let again = pool.expect("threads").install(norm);
            assert_eq!(again.to_bits(), first.to_bits(), "{threads} threads");
        }
    }
}
