//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as PyTorch computes it.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use menagerie_core::native;
use menagerie_core::parameters::{ParameterMapper, map_parameters};
use menagerie_kernels::AdamWStep;

use super::gradients::GradientSet;

/// The hyper-parameters that all parameters share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

/// The hyper-parameters of one parameter in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The learning rate.
    pub learning_rate: f64,
    /// Share of a weight removed in a step, times the learning rate; decoupled from the gradient.
    pub weight_decay: f64,
}

/// The optimizer. Its state is f32 and kept by parameter path, so that it can outlive a process.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    moments: BTreeMap<String, Moments>,
}

/// What the optimizer keeps of one parameter: flat, in f32, on the parameter's device.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The weight in f32, where the module holds a narrower type: small steps would be lost in it.
    pub master: Option<Tensor<1>>,
    /// Mean of the gradients.
    pub first: Tensor<1>,
    /// Mean of their squares.
    pub second: Tensor<1>,
    /// Steps since the first one in which it had a gradient, that one included.
    pub steps: i32,
}

impl AdamW {
    /// An optimizer without state.
    #[must_use]
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
        }
    }

    /// An optimizer that goes on where another's [`AdamW::state`] was taken, bit for bit.
    #[must_use]
    pub fn restored(
        config: AdamWConfig,
        state: impl IntoIterator<Item = (String, Moments)>,
    ) -> Self {
        Self {
            config,
            moments: state.into_iter().collect(),
        }
    }

    /// All that it holds, by parameter path, in the paths' order.
    pub fn state(&self) -> impl Iterator<Item = (&str, &Moments)> {
        let moments = self.moments.iter();
        moments.map(|(path, moments)| (path.as_str(), moments))
    }

    /// One step. `rates` tells what applies to the parameter at a path.
    ///
    /// A parameter that never had a gradient stays untouched, bit for bit. One that had some, and
    /// took no part in this step, has the gradient zero: its moments fade, and it moves by what is
    /// left of them. So PyTorch does where the original LLaVA shows the encoder a black image for
    /// the sake of a batch of text alone.
    #[must_use]
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &GradientSet,
        rates: impl Fn(&str) -> Rates,
    ) -> M {
        let mut step = Step {
            optimizer: self,
            gradients,
            rates,
        };
        map_parameters(module, &mut step)
    }

    /// The gradient to step with and what it is to be multiplied with, or none for a parameter to leave alone.
    fn gradient(&self, path: &str, gradients: &GradientSet) -> Option<(Tensor<1>, f64)> {
        let zeros = || Some((self.moments.get(path)?.first.zeros_like(), 1.0));
        gradients.unscaled(path).or_else(zeros)
    }

    /// The new values of a parameter.
    fn update(
        &mut self,
        path: String,
        weight: Tensor<1>,
        (gradient, gradient_scale): (Tensor<1>, f64),
        rates: Rates,
    ) -> Tensor<1> {
        let AdamWConfig {
            beta1,
            beta2,
            epsilon,
        } = self.config;
        let Rates {
            learning_rate,
            weight_decay,
        } = rates;
        let dtype = weight.dtype();
        // Taken out, so that nobody else holds what is written over.
        let moments = self.moments.remove(&path).unwrap_or_else(|| Moments {
            master: None,
            first: gradient.zeros_like(),
            second: gradient.zeros_like(),
            steps: 0,
        });
        let Moments { first, second, .. } = moments;
        let steps = moments.steps + 1;
        let weight = moments.master.unwrap_or_else(|| weight.cast(DType::F32));
        let step = AdamWStep {
            learning_rate,
            weight_decay,
            beta1,
            beta2,
            epsilon,
            step: steps,
            gradient_scale,
        };
        let [weight, first, second] = if native::fuses(&gradient) {
            native::write_over([weight, first, second], |[weight, first, second]| {
                native::read(&gradient, |gradient| {
                    step.apply(weight, first, second, gradient);
                });
            })
        } else {
            composed(step, [weight, first, second], gradient)
        };
        let is_narrow = dtype != DType::F32;
        let moments = Moments {
            master: is_narrow.then(|| weight.clone()),
            first,
            second,
            steps,
        };
        self.moments.insert(path, moments);
        weight.cast(dtype)
    }
}

/// Weight, mean of the gradients and mean of their squares after a step, by Burn's own operations.
fn composed(
    step: AdamWStep,
    [weight, first, second]: [Tensor<1>; 3],
    gradient: Tensor<1>,
) -> [Tensor<1>; 3] {
    let AdamWStep { beta1, beta2, .. } = step;
    let gradient = gradient.mul_scalar(step.gradient_scale);
    let fresh = gradient.clone().mul_scalar(1.0 - beta1);
    let first = first.mul_scalar(beta1) + fresh;
    let fresh = gradient.square().mul_scalar(1.0 - beta2);
    let second = second.mul_scalar(beta2) + fresh;

    let correction1 = 1.0 - beta1.powi(step.step);
    let correction2 = 1.0 - beta2.powi(step.step);
    let root = second.clone().sqrt();
    let scale = root.div_scalar(correction2.sqrt()).add_scalar(step.epsilon);
    let change = (first.clone() / scale).mul_scalar(step.learning_rate / correction1);
    let weight = if step.weight_decay == 0.0 {
        weight
    } else {
        weight.mul_scalar(1.0 - step.learning_rate * step.weight_decay)
    };
    [weight - change, first, second]
}

struct Step<'a, R> {
    optimizer: &'a mut AdamW,
    gradients: &'a GradientSet,
    rates: R,
}

impl<R: Fn(&str) -> Rates> ParameterMapper for Step<'_, R> {
    fn map<const D: usize>(&mut self, path: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.optimizer.gradient(&path, self.gradients) else {
            return param;
        };
        let rates = (self.rates)(&path);
        param.map(|weight| {
            let shape = weight.shape();
            let weight = weight.without_autodiff().reshape([shape.num_elements()]);
            let weight = self.optimizer.update(path, weight, gradient, rates);
            weight.reshape(shape).autodiff().require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use menagerie_core::testing::{Reference, assert_close, normal};

    use super::*;
    use crate::train::schedule::{Decay, Schedule};

    #[derive(Module, Debug)]
    struct Parameters {
        a: Param<Tensor<2>>,
        b: Param<Tensor<1>>,
    }

    /// A loss whose gradient is the given one.
    fn gradients(module: &Parameters, a: Tensor<2>, b: Tensor<1>) -> GradientSet {
        let loss = (module.a.val() * a).sum() + (module.b.val() * b).sum();
        GradientSet::collect(module, &loss.backward())
    }

    /// Twelve clipped steps with warm-up and cosine, as PyTorch did them.
    #[test]
    fn steps_norms_and_rates_equal_pytorch() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/adamw/expected.safetensors"
        );
        let reference = Reference::open(file);
        let device = Device::flex().autodiff();
        let on_device = |tensor: Tensor<1>| Tensor::<1>::from_data(tensor.into_data(), &device);
        let a: Tensor<2> = Tensor::from_data(reference.tensor::<2>("init.a").into_data(), &device);
        let mut module = Parameters {
            a: Param::from_tensor(a),
            b: Param::from_tensor(on_device(reference.tensor("init.b"))),
        };
        let mut optimizer = AdamW::new(AdamWConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        });
        let norms: Vec<f32> = reference
            .tensor::<1>("norm")
            .into_data()
            .try_to_vec()
            .expect("f32");
        let rates: Vec<f32> = reference
            .tensor::<1>("lr")
            .into_data()
            .try_to_vec()
            .expect("f32");
        let peak = f64::from(rates.iter().copied().fold(0.0, f32::max));
        let schedule = Schedule::new(Decay::Cosine, 0.25, 12);
        for step in 0..12 {
            let a = reference.tensor(&format!("grad.{step}.a"));
            let b = reference.tensor(&format!("grad.{step}.b"));
            let mut gradients = gradients(&module, a, b);
            let norm = gradients.norm();
            let relative = (norm / f64::from(norms[step]) - 1.0).abs();
            assert!(
                relative < 1e-6,
                "step {step}: norm {norm} for {}",
                norms[step]
            );
            let rate = peak * schedule.factor(step);
            assert!(
                (rate - f64::from(rates[step])).abs() < 1e-8,
                "step {step}: rate {rate}"
            );
            gradients.clip(norm, 1.0);
            module = optimizer.step(module, &gradients, |_| Rates {
                learning_rate: rate,
                weight_decay: 0.1,
            });
            let after = |name| format!("param.{step}.{name}");
            let (a, b) = (module.a.val().inner(), module.b.val().inner());
            assert_close(&after("a"), a, reference.tensor(&after("a")), 2e-6);
            assert_close(&after("b"), b, reference.tensor(&after("b")), 2e-6);
        }
    }

    #[test]
    fn a_step_in_one_pass_equals_its_formula() {
        let draw = || normal([1037]);
        for weight_decay in [0.0, 0.1] {
            let step = AdamWStep {
                learning_rate: 0.01,
                weight_decay,
                beta1: 0.9,
                beta2: 0.99,
                epsilon: 1e-8,
                step: 3,
                gradient_scale: 1.0,
            };
            let (held, gradient) = ([draw(), draw(), draw().square()], draw());
            let expected = composed(step, held.clone(), gradient.clone());
            let found = native::write_over(held, |[weight, first, second]| {
                native::read(&gradient, |gradient| {
                    step.apply(weight, first, second, gradient);
                });
            });
            let names = ["weight", "mean", "mean of squares"];
            for (name, (found, expected)) in names.iter().zip(found.into_iter().zip(expected)) {
                assert_close(name, found, expected, 1e-6);
            }
        }
    }

    const CONFIG: AdamWConfig = AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
    };

    fn rates(_path: &str) -> Rates {
        Rates {
            learning_rate: 0.1,
            weight_decay: 0.5,
        }
    }

    fn ones(dtype: DType) -> Parameters {
        let device = Device::flex().autodiff();
        Parameters {
            a: Param::from_tensor(Tensor::ones([2, 2], (&device, dtype))),
            b: Param::from_tensor(Tensor::ones([3], (&device, dtype))),
        }
    }

    fn values(parameter: &Param<Tensor<1>>) -> Vec<f32> {
        let data = parameter.val().cast(DType::F32).into_data();
        data.try_to_vec().expect("f32")
    }

    #[test]
    fn a_parameter_moves_from_its_first_gradient_on() {
        let module = ones(DType::F32);
        let of_a = GradientSet::collect(&module, &module.a.val().sum().backward());
        let of_b = GradientSet::collect(&module, &module.b.val().sum().backward());
        let mut optimizer = AdamW::new(CONFIG);
        let module = optimizer.step(module, &of_a, rates);
        assert_eq!(values(&module.b), [1.0; 3], "not even decayed");
        assert_eq!(
            optimizer.state().map(|(path, _)| path).collect::<Vec<_>>(),
            ["a"]
        );
        let module = optimizer.step(module, &of_b, rates);
        let before = values(&module.b)[0];
        let module = optimizer.step(module, &of_a, rates);
        // As PyTorch after the gradients 1 and 0: m = 0.09, v = 0.000999, of two steps.
        let change = (0.09 / 0.19) / (0.000_999_f64 / 0.001_999).sqrt();
        let expected = f64::from(before) * (1.0 - 0.1 * 0.5) - 0.1 * change;
        assert!((f64::from(values(&module.b)[0]) - expected).abs() < 1e-6);
    }

    /// Far below what bf16 can add to 1, step by step.
    #[test]
    fn small_steps_are_not_lost_in_bf16() {
        let mut module = ones(DType::BF16);
        let mut optimizer = AdamW::new(CONFIG);
        for _ in 0..100 {
            let gradients = GradientSet::collect(&module, &module.b.val().sum().backward());
            module = optimizer.step(module, &gradients, |_| Rates {
                learning_rate: 1e-3,
                weight_decay: 0.0,
            });
        }
        assert_eq!(module.b.val().dtype(), DType::BF16);
        assert!(
            (values(&module.b)[0] - 0.9).abs() < 2e-3,
            "{:?}",
            values(&module.b)
        );
    }

    #[test]
    fn a_restored_optimizer_goes_on_as_if_nothing_had_been() {
        let step = |optimizer: &mut AdamW, module: Parameters| {
            let loss =
                (module.a.val().square().sum() + module.b.val().exp().sum()).cast(DType::F32);
            let gradients = GradientSet::collect(&module, &loss.backward());
            optimizer.step(module, &gradients, rates)
        };
        let device = Device::flex();
        let copy = |tensor: &Tensor<1>| Tensor::from_data(tensor.to_data(), &device);
        let mut optimizer = AdamW::new(CONFIG);
        let mut module = ones(DType::BF16);
        for _ in 0..3 {
            module = step(&mut optimizer, module);
        }
        let state: Vec<_> = optimizer
            .state()
            .map(|(path, moments)| {
                let copied = Moments {
                    master: moments.master.as_ref().map(copy),
                    first: copy(&moments.first),
                    second: copy(&moments.second),
                    steps: moments.steps,
                };
                (path.to_owned(), copied)
            })
            .collect();
        let mut restored = AdamW::restored(CONFIG, state);
        let mut other = module.clone();
        for _ in 0..3 {
            module = step(&mut optimizer, module);
            other = step(&mut restored, other);
        }
        assert_eq!(values(&module.b), values(&other.b));
        for ((path, one), (_, other)) in optimizer.state().zip(restored.state()) {
            assert_eq!(one.steps, other.steps);
            let bits = |tensor: &Tensor<1>| tensor.to_data();
            assert_eq!(bits(&one.first), bits(&other.first), "{path}");
            assert_eq!(bits(&one.second), bits(&other.second), "{path}");
            assert_eq!(
                one.master.as_ref().map(bits),
                other.master.as_ref().map(bits),
                "{path}"
            );
        }
    }
}
