//! Visitors across a `dyn` border.

use std::any::Any;

use burn::module::{Flag, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};

use super::mapper::{Kind, with_rank};

/// A [`ModuleVisitor`] without generics: a parameter travels with its kind and rank.
pub(super) trait DynVisitor {
    fn parameter(&mut self, kind: Kind, rank: usize, parameter: &dyn Any);
    fn flag(&mut self, flag: &Param<Flag>);
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
}

/// What a plugin's module sees: a visitor that erases.
pub(super) struct ToDynVisitor<'a>(pub &'a mut dyn DynVisitor);

impl ModuleVisitor for ToDynVisitor<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.parameter(Kind::Float, D, param);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.0.parameter(Kind::Int, D, param);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.0.parameter(Kind::Bool, D, param);
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.flag(flag);
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.0.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.0.exit(name, container_type);
    }
}

/// The caller's visitor behind the border: restores kind and rank.
pub(super) struct FromDynVisitor<'a, V>(pub &'a mut V);

impl<V: ModuleVisitor> DynVisitor for FromDynVisitor<'_, V> {
    fn parameter(&mut self, kind: Kind, rank: usize, parameter: &dyn Any) {
        fn typed<T: 'static>(parameter: &dyn Any) -> &T {
            parameter
                .downcast_ref()
                .expect("a parameter travels with its own kind and rank")
        }
        with_rank!(rank, D => match kind {
            Kind::Float => self.0.visit_float::<D>(typed(parameter)),
            Kind::Int => self.0.visit_int::<D>(typed(parameter)),
            Kind::Bool => self.0.visit_bool::<D>(typed(parameter)),
        });
    }

    fn flag(&mut self, flag: &Param<Flag>) {
        self.0.visit_flag(flag);
    }

    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}
