//! Mappers across a `dyn` border.

use std::any::Any;

use burn::module::{Flag, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor};

/// The kind of tensor a parameter holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Float,
    Int,
    Bool,
}

/// Turns a rank known at run time into a constant. Burn modules hold parameters of rank 1 to 6.
macro_rules! with_rank {
    ($rank:expr, $d:ident => $body:expr) => {
        match $rank {
            1 => {
                const $d: usize = 1;
                $body
            }
            2 => {
                const $d: usize = 2;
                $body
            }
            3 => {
                const $d: usize = 3;
                $body
            }
            4 => {
                const $d: usize = 4;
                $body
            }
            5 => {
                const $d: usize = 5;
                $body
            }
            6 => {
                const $d: usize = 6;
                $body
            }
            rank => unreachable!("a parameter of rank {rank}"),
        }
    };
}
pub(super) use with_rank;

type Parameter = Box<dyn Any + Send>;

/// A [`ModuleMapper`] without generics.
pub(super) trait DynMapper {
    fn parameter(&mut self, kind: Kind, rank: usize, parameter: Parameter) -> Parameter;
    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag>;
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
}

fn typed<T: 'static>(parameter: Parameter) -> T {
    *parameter
        .downcast()
        .expect("a parameter travels with its own kind and rank")
}

/// What a plugin's module sees: a mapper that erases.
pub(super) struct ToDynMapper<'a>(pub &'a mut dyn DynMapper);

impl ModuleMapper for ToDynMapper<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        typed(self.0.parameter(Kind::Float, D, Box::new(param)))
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        typed(self.0.parameter(Kind::Int, D, Box::new(param)))
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        typed(self.0.parameter(Kind::Bool, D, Box::new(param)))
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.flag(flag)
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.0.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.0.exit(name, container_type);
    }
}

/// The caller's mapper behind the border: restores kind and rank.
pub(super) struct FromDynMapper<'a, M>(pub &'a mut M);

impl<M: ModuleMapper> DynMapper for FromDynMapper<'_, M> {
    fn parameter(&mut self, kind: Kind, rank: usize, parameter: Parameter) -> Parameter {
        with_rank!(rank, D => match kind {
            Kind::Float => Box::new(self.0.map_float::<D>(typed(parameter))),
            Kind::Int => Box::new(self.0.map_int::<D>(typed(parameter))),
            Kind::Bool => Box::new(self.0.map_bool::<D>(typed(parameter))),
        })
    }

    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.map_flag(flag)
    }

    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}
