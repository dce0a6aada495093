//! Which parameters learn: frozen ones leave the graph altogether.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use menagerie_core::packed::unpacked;
use menagerie_core::parameters::{ParameterMapper, map_parameters};

/// `module` ready for a stage. A parameter that does not learn is a plain tensor: operations on
/// plain tensors alone record nothing, so that a frozen encoder keeps no activation. All others
/// require a gradient. Packed weights become plain ones.
#[must_use]
pub fn for_stage<M: Module>(module: M, learns: impl Fn(&str) -> bool) -> M {
    map_parameters(unpacked(module), &mut Marker { learns })
}

/// `module` without any gradient, for use.
#[must_use]
pub fn none<M: Module>(module: M) -> M {
    let learns = |_: &str| false;
    map_parameters(module, &mut Marker { learns })
}

struct Marker<F> {
    learns: F,
}

impl<F: Fn(&str) -> bool> ParameterMapper for Marker<F> {
    fn map<const D: usize>(&mut self, path: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let learns = (self.learns)(&path);
        param.map(|tensor| {
            let plain = tensor.without_autodiff();
            if learns {
                plain.autodiff().require_grad()
            } else {
                plain
            }
        })
    }
}
