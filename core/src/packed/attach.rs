//! Packing a module's weights, and unpacking them.

use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleVisitor, Param, Reparameterization, Reparameterizer};
use burn::tensor::{DType, Tensor};
use menagerie_kernels::Format;

use super::PackedWeight;
use crate::lora::weight_of;
use crate::parameters::{Packable, parameters};

/// `module` with the weights of its linear layers and its embedding tables packed in `format`, one that is made
/// of floats. Weights that are packed already stay as they are, and so do those that carry an adapter.
#[must_use]
pub fn pack<M: Module>(module: M, format: Format) -> M {
    let packed = packed_paths(&module);
    let all = parameters(&module);
    let adapted: HashSet<&str> = all
        .iter()
        .filter_map(|info| weight_of(&info.path))
        .collect();
    let kinds = all
        .iter()
        .filter(|info| !packed.contains(&info.path) && !adapted.contains(info.path.as_str()))
        .filter_map(|info| Some((info.path.clone(), info.packable?)))
        .collect();
    module.apply_reparameterization(Pack { kinds, format })
}

struct Pack {
    kinds: HashMap<String, Packable>,
    format: Format,
}

impl Reparameterizer for Pack {
    type Reparam = PackedWeight;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<PackedWeight>) {
        let Some(&kind) = self.kinds.get(path) else {
            return (param, None);
        };
        let weight = param.base();
        let shape = [weight.shape()[0], weight.shape()[1]];
        let dtype = stand_in_dtype(self.format);
        let packed = PackedWeight::of(self.format, weight.reshape(shape), kind);
        (stand_in(param, dtype), Some(packed))
    }
}

/// The type of number that a weight packed so is read as: bf16 is one, and what is quantised becomes f32.
pub(crate) fn stand_in_dtype(format: Format) -> DType {
    match format {
        Format::Bf16 => DType::BF16,
        _ => DType::F32,
    }
}

/// The parameter with a tensor of its shape that takes the memory of one number. It is NaN, so that whoever
/// takes it for the weight finds out.
pub(crate) fn stand_in<const D: usize>(param: Param<Tensor<D>>, dtype: DType) -> Param<Tensor<D>> {
    let (shape, device, id) = (param.lazy_shape(), param.lazy_device(), param.id);
    let one = Tensor::<D>::full([1; D], f32::NAN, (&device, dtype));
    param.transform_for_load(one.expand(shape), id)
}

/// The paths of the weights that are packed.
#[must_use]
pub fn packed_paths<M: Module>(module: &M) -> HashSet<String> {
    paths_in_order(module).into_iter().collect()
}

/// The weights that are packed, by their paths.
#[must_use]
pub fn packed_weights<M: Module>(module: &M) -> HashMap<String, PackedWeight> {
    let paths = paths_in_order(module);
    // What makes a plain module asks each weight for its value, in the module's order.
    let weights = PackedWeight::asked_for(|| drop(module.clone().materialize()));
    assert_eq!(paths.len(), weights.len(), "each packed weight is asked");
    paths.into_iter().zip(weights).collect()
}

fn paths_in_order<M: Module>(module: &M) -> Vec<String> {
    #[derive(Default)]
    struct Finder {
        path: Vec<String>,
        found: Vec<String>,
    }

    impl ModuleVisitor for Finder {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            if container_type == "Reparameterization" && name == PackedWeight::NAME {
                self.found.push(self.path.join("."));
            }
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
    }

    let mut finder = Finder::default();
    module.visit(&mut finder);
    finder.found
}

/// `module` with its packed weights as plain tensors: bf16 to the bit, and what was quantised in f32. One that
/// has none stays as it is, adapters and all; none carries both.
#[must_use]
pub fn unpacked<M: Module>(module: M) -> M {
    if packed_paths(&module).is_empty() {
        module
    } else {
        module.materialize()
    }
}
