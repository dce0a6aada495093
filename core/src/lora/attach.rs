//! Putting adapters on a module's weights, and taking them off again.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, Param, Reparameterizer};
use burn::tensor::{DType, Device, Distribution, Tensor};

use super::dropout::Dropout;
use super::{LowRank, Passes, Quantized, Target, weight_of};
use crate::parameters::{
    ParameterMapper, ParameterVisitor, map_parameters, seed_of, seeded, visit_parameters,
};
use crate::recipe::{LoraTable, Quantize};

/// Factors by the path of their weight: A `[in, rank]` and B `[rank, out]`.
pub type Factors = BTreeMap<String, [Tensor<2>; 2]>;

/// What adapters are like.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    /// Their table.
    pub table: &'a LoraTable,
    /// How the weights under them are kept. It need not be the table's way.
    pub quantize: Option<Quantize>,
    /// Type of number of the factors.
    pub dtype: DType,
    /// Seed of the factors that are drawn.
    pub seed: u64,
    /// Who tells them of passes.
    pub passes: Passes,
}

/// `module` with an adapter on every weight of `targets`: with the factors given, or else, as PEFT
/// begins, A drawn evenly from ±`1/√in` and B of zeros, so that the module computes what it did.
///
/// `module` carries no adapter yet.
#[must_use]
pub fn attach<M: Module>(module: M, targets: &[Target], form: &Form<'_>, factors: &Factors) -> M {
    module.apply_reparameterization(Attach {
        targets: by_path(targets),
        form,
        factors,
        is_sketch: false,
    })
}

/// As [`attach`], on a device that computes nothing, for a plan: adapters are as large as they would
/// be and hold nothing, no weight is read and no seed is set. Every pass drops features.
#[must_use]
pub fn sketch<M: Module>(module: M, targets: &[Target], form: &Form<'_>) -> M {
    module.apply_reparameterization(Attach {
        targets: by_path(targets),
        form,
        factors: &Factors::new(),
        is_sketch: true,
    })
}

fn by_path(targets: &[Target]) -> HashMap<&str, &Target> {
    let targets = targets.iter();
    targets
        .map(|target| (target.path.as_str(), target))
        .collect()
}

struct Attach<'a> {
    targets: HashMap<&'a str, &'a Target>,
    form: &'a Form<'a>,
    factors: &'a Factors,
    /// Whether all of it is of no value.
    is_sketch: bool,
}

impl Attach<'_> {
    /// Fresh factors: A drawn evenly, B of zeros.
    fn fresh(&self, target: &Target, device: &Device) -> [Tensor<2>; 2] {
        let rank = self.form.table.rank;
        let zeros = |shape: [usize; 2]| Tensor::zeros(shape, (device, DType::F32));
        let a = if self.is_sketch {
            zeros([target.input, rank])
        } else {
            // PEFT's `kaiming_uniform_(a=sqrt(5))`.
            let bound = (target.input as f64).powf(-0.5);
            let seed = seed_of(self.form.seed, &format!("{}.lora.a", target.path));
            seeded(device, seed, || {
                let evenly = Distribution::Uniform(-bound, bound);
                Tensor::random([target.input, rank], evenly, (device, DType::F32))
            })
        };
        let b = zeros([rank, target.output]);
        [a, b].map(|factor| super::as_dtype(factor, self.form.dtype))
    }
}

impl Reparameterizer for Attach<'_> {
    type Reparam = LowRank;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LowRank>) {
        let Some(target) = self.targets.get(path) else {
            return (param, None);
        };
        let table = self.form.table;
        let given = self.factors.get(path).cloned();
        let [a, b] = given.unwrap_or_else(|| self.fresh(target, &param.lazy_device()));
        let dropout = (table.dropout > 0.0).then(|| Dropout {
            probability: table.dropout,
            path: path.to_owned(),
            passes: self.form.passes.clone(),
            is_sketch: self.is_sketch,
        });
        let base = self.form.quantize.map(|kind| {
            let weight = param.base().reshape([target.input, target.output]);
            if self.is_sketch {
                Quantized::sketch(&weight, kind)
            } else {
                Quantized::of(weight, kind)
            }
        });
        let param = if base.is_some() {
            param.map(|weight| stand_in(&weight))
        } else {
            param
        };
        let low_rank = LowRank {
            a: Param::from_tensor(a),
            b: Param::from_tensor(b),
            base,
            scale: table.scale(),
            dropout,
        };
        (param, Some(low_rank))
    }
}

/// A tensor of the weight's shape that takes the memory of one number.
fn stand_in<const D: usize>(weight: &Tensor<D>) -> Tensor<D> {
    let one = Tensor::<D>::zeros([1; D], (&weight.device(), weight.dtype()));
    one.expand(weight.shape())
}

/// The factors that `module` carries, free of gradients.
pub fn factors<M: Module>(module: &M) -> Factors {
    struct Collector {
        found: BTreeMap<String, Vec<Tensor<2>>>,
    }

    impl ParameterVisitor for Collector {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            let Some(weight) = weight_of(&path) else {
                return;
            };
            let factor = param.val().without_autodiff();
            let [rows, columns] = [0, 1].map(|axis| factor.shape()[axis]);
            let found = self.found.entry(weight.to_owned()).or_default();
            found.push(factor.reshape([rows, columns]));
        }
    }

    let mut collector = Collector {
        found: BTreeMap::new(),
    };
    visit_parameters(module, &mut collector);
    let found = collector.found.into_iter();
    found
        .filter_map(|(path, factors)| Some((path, factors.try_into().ok()?)))
        .collect()
}

/// `into`, a module of the same make without adapters, with the parameters of `from` but for those
/// that `stays` names, and without adapters.
#[must_use]
pub fn carry<M: Module>(from: &M, into: M, stays: impl Fn(&str) -> bool) -> M {
    struct Reader<F> {
        stays: F,
        values: HashMap<String, Box<dyn Any>>,
    }

    impl<F: Fn(&str) -> bool> ParameterVisitor for Reader<F> {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            if !(self.stays)(&path) {
                let value: Tensor<D> = param.val().without_autodiff();
                self.values.insert(path, Box::new(value));
            }
        }
    }

    struct Writer {
        values: HashMap<String, Box<dyn Any>>,
    }

    impl ParameterMapper for Writer {
        fn map<const D: usize>(
            &mut self,
            path: String,
            param: Param<Tensor<D>>,
        ) -> Param<Tensor<D>> {
            let value = self.values.remove(&path);
            match value.and_then(|value| value.downcast::<Tensor<D>>().ok()) {
                Some(value) => {
                    let id = param.id;
                    param.transform_for_load(*value, id)
                }
                None => param,
            }
        }
    }

    let mut reader = Reader {
        stays,
        values: HashMap::new(),
    };
    visit_parameters(from, &mut reader);
    let mut writer = Writer {
        values: reader.values,
    };
    map_parameters(into, &mut writer)
}

/// `module` with every adapter summed into its weight.
#[must_use]
pub fn merge<M: Module>(module: M) -> M {
    module.materialize()
}
