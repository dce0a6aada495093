//! Which parameters learn: frozen ones leave the graph altogether.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use menagerie_core::parameters::PathStack;

/// `module` ready for a stage. A parameter that does not learn is a plain tensor: operations on
/// plain tensors alone record nothing, so that a frozen encoder keeps no activation. All others
/// require a gradient.
#[must_use]
pub fn for_stage<M: Module>(module: M, learns: impl Fn(&str) -> bool) -> M {
    module.map(&mut Marker {
        learns,
        path: PathStack::default(),
    })
}

/// `module` without any gradient, for use.
#[must_use]
pub fn none<M: Module>(module: M) -> M {
    module.map(&mut Marker {
        learns: |_: &str| false,
        path: PathStack::default(),
    })
}

struct Marker<F> {
    learns: F,
    path: PathStack,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Marker<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let learns = (self.learns)(&self.path.join());
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
