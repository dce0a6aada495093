//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as PyTorch computes it.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};
use menagerie_core::parameters::PathStack;

use super::gradients::GradientSet;

/// The hyper-parameters of a step, the learning rate apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Share of a weight removed in a step, times the learning rate; decoupled from the gradient.
    pub weight_decay: f64,
}

/// The optimizer. Its state is f32 and kept by parameter path, so that it can outlive a process.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    moments: HashMap<String, Moments>,
}

#[derive(Debug)]
struct Moments {
    /// The weight in f32, where the module holds a narrower type: small steps would be lost in it.
    master: Option<Tensor<1>>,
    first: Tensor<1>,
    second: Tensor<1>,
    /// Steps in which this parameter had a gradient.
    steps: i32,
}

impl AdamW {
    /// An optimizer without state.
    #[must_use]
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: HashMap::new(),
        }
    }

    /// Parameters it holds state for.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.moments.keys().map(String::as_str)
    }

    /// Updates of each parameter that it holds state for.
    #[must_use]
    pub fn steps(&self) -> BTreeMap<String, i32> {
        let moments = self.moments.iter();
        moments
            .map(|(path, moments)| (path.clone(), moments.steps))
            .collect()
    }

    /// Its tensors by name, `first.PATH`, `second.PATH` and, where there is one, `master.PATH`: of
    /// each its name, its shape and its values.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Tensor<1>)> {
        let mut tensors = Vec::new();
        for (path, moments) in &self.moments {
            let parts = [
                ("first", Some(&moments.first)),
                ("second", Some(&moments.second)),
                ("master", moments.master.as_ref()),
            ];
            for (part, tensor) in parts {
                if let Some(tensor) = tensor {
                    let shape = tensor.dims().to_vec();
                    tensors.push((format!("{part}.{path}"), shape, tensor.clone()));
                }
            }
        }
        tensors
    }

    /// Takes up what [`steps`](Self::steps) and [`tensors`](Self::tensors) gave.
    ///
    /// # Errors
    /// The name of the first tensor that is missing or of no parameter in `steps`.
    pub fn restore(
        &mut self,
        tensors: Vec<(String, Tensor<1>)>,
        steps: &BTreeMap<String, i32>,
    ) -> Result<(), String> {
        let mut tensors: HashMap<String, Tensor<1>> = tensors.into_iter().collect();
        let mut take = |part: &str, path: &str| tensors.remove(&format!("{part}.{path}"));
        for (path, &steps) in steps {
            let missing = |part: &str| format!("{part}.{path}");
            let moments = Moments {
                first: take("first", path).ok_or_else(|| missing("first"))?,
                second: take("second", path).ok_or_else(|| missing("second"))?,
                master: take("master", path),
                steps,
            };
            self.moments.insert(path.clone(), moments);
        }
        tensors.into_keys().min().map_or(Ok(()), Err)
    }

    /// One step. Parameters without a gradient stay untouched, bit for bit.
    #[must_use]
    pub fn step<M: Module>(&mut self, learning_rate: f64, module: M, gradients: &GradientSet) -> M {
        module.map(&mut Step {
            optimizer: self,
            learning_rate,
            gradients,
            path: PathStack::default(),
        })
    }

    /// The new values of a parameter.
    fn update(
        &mut self,
        path: String,
        weight: Tensor<1>,
        gradient: Tensor<1>,
        learning_rate: f64,
    ) -> Tensor<1> {
        let AdamWConfig {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = self.config;
        let dtype = weight.dtype();
        let moments = self.moments.entry(path).or_insert_with(|| Moments {
            master: None,
            first: gradient.zeros_like(),
            second: gradient.zeros_like(),
            steps: 0,
        });
        moments.steps += 1;
        let fresh = gradient.clone().mul_scalar(1.0 - beta1);
        moments
            .first
            .inplace(|first| first.mul_scalar(beta1) + fresh);
        let fresh = gradient.square().mul_scalar(1.0 - beta2);
        moments
            .second
            .inplace(|second| second.mul_scalar(beta2) + fresh);

        let correction1 = 1.0 - beta1.powi(moments.steps);
        let correction2 = 1.0 - beta2.powi(moments.steps);
        let root = moments.second.clone().sqrt();
        let scale = root.div_scalar(correction2.sqrt()).add_scalar(epsilon);
        let change = (moments.first.clone() / scale).mul_scalar(learning_rate / correction1);
        let weight = moments
            .master
            .take()
            .unwrap_or_else(|| weight.cast(DType::F32));
        let weight = if weight_decay == 0.0 {
            weight
        } else {
            weight.mul_scalar(1.0 - learning_rate * weight_decay)
        };
        let weight = weight - change;
        if dtype == DType::F32 {
            return weight;
        }
        moments.master = Some(weight.clone());
        weight.cast(dtype)
    }
}

struct Step<'a> {
    optimizer: &'a mut AdamW,
    learning_rate: f64,
    gradients: &'a GradientSet,
    path: PathStack,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join();
        let Some(gradient) = self.gradients.get(&path) else {
            return param;
        };
        param.map(|weight| {
            let shape = weight.shape();
            let weight = weight.without_autodiff().reshape([shape.num_elements()]);
            let weight = self
                .optimizer
                .update(path, weight, gradient.clone(), self.learning_rate);
            weight.reshape(shape).autodiff().require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use menagerie_core::testing::{Reference, assert_close};

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
            weight_decay: 0.1,
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
        let schedule = Schedule::new(Decay::Cosine, peak, 0.25, 12);
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
            let rate = schedule.rate(step);
            assert!(
                (rate - f64::from(rates[step])).abs() < 1e-8,
                "step {step}: rate {rate}"
            );
            gradients.clip(norm, 1.0);
            module = optimizer.step(rate, module, &gradients);
            let after = |name| format!("param.{step}.{name}");
            let (a, b) = (module.a.val().inner(), module.b.val().inner());
            assert_close(&after("a"), a, reference.tensor(&after("a")), 2e-6);
            assert_close(&after("b"), b, reference.tensor(&after("b")), 2e-6);
        }
    }

    #[test]
    fn a_parameter_without_a_gradient_stays_as_it_is() {
        let device = Device::flex().autodiff();
        let module = Parameters {
            a: Param::from_tensor(Tensor::ones([2, 2], &device)),
            b: Param::from_tensor(Tensor::ones([3], &device)),
        };
        let gradients = GradientSet::collect(&module, &module.a.val().sum().backward());
        let config = AdamWConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.5,
        };
        let mut optimizer = AdamW::new(config);
        let after = optimizer.step(0.1, module, &gradients);
        let b: Vec<f32> = after.b.val().into_data().try_to_vec().expect("f32");
        assert_eq!(b, [1.0, 1.0, 1.0]);
        assert_eq!(optimizer.paths().collect::<Vec<_>>(), ["a"]);
    }
}
