//! Going through the float parameters of a module, each with its path.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Looks at parameters.
pub trait ParameterVisitor {
    /// The parameter at `path`, for example `vision.layers.0.mlp.fc1.weight`.
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>);
}

/// Changes parameters.
pub trait ParameterMapper {
    /// What becomes of the parameter at `path`.
    fn map<const D: usize>(&mut self, path: String, param: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Shows `visitor` every float parameter of `module`, in the module's order.
pub fn visit_parameters<M: Module>(module: &M, visitor: &mut impl ParameterVisitor) {
    module.visit(&mut Walk::new(visitor));
}

/// `module` with every float parameter replaced as `mapper` says, in the module's order.
#[must_use]
pub fn map_parameters<M: Module>(module: M, mapper: &mut impl ParameterMapper) -> M {
    module.map(&mut Walk::new(mapper))
}

/// Keeps the path for who looks or changes.
struct Walk<'a, W> {
    path: PathStack,
    who: &'a mut W,
}

impl<'a, W> Walk<'a, W> {
    fn new(who: &'a mut W) -> Self {
        Self {
            path: PathStack::default(),
            who,
        }
    }
}

impl<V: ParameterVisitor> ModuleVisitor for Walk<'_, V> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.who.visit(self.path.join(), param);
    }
}

impl<M: ParameterMapper> ModuleMapper for Walk<'_, M> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.who.map(self.path.join(), param)
    }
}

/// Where a visitor or mapper stands.
#[derive(Debug, Default)]
pub(super) struct PathStack(Vec<String>);

impl PathStack {
    /// Goes into `name`.
    pub(super) fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// Goes out again.
    pub(super) fn exit(&mut self) {
        self.0.pop();
    }

    /// The path, dots between.
    pub(super) fn join(&self) -> String {
        self.0.join(".")
    }
}
