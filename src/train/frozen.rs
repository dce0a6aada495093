//! Proof that what is frozen did not move.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use menagerie_core::parameters::{ParameterVisitor, visit_parameters};

use crate::hash::fingerprint;

/// A number for each frozen parameter that changes when any bit of it does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<(String, u64)>);

impl Fingerprint {
    /// Of all parameters of `module` that do not learn.
    pub(super) fn of<M: Module>(module: &M, learns: impl Fn(&str) -> bool) -> Self {
        let mut reader = Reader {
            learns,
            found: Vec::new(),
        };
        visit_parameters(module, &mut reader);
        Self(reader.found)
    }

    /// The first parameter that differs.
    pub(super) fn moved(&self, later: &Self) -> Option<&str> {
        let pairs = self.0.iter().zip(&later.0);
        pairs
            .filter(|(before, after)| before != after)
            .map(|(before, _)| before.0.as_str())
            .next()
    }
}

struct Reader<F> {
    learns: F,
    found: Vec<(String, u64)>,
}

impl<F: Fn(&str) -> bool> ParameterVisitor for Reader<F> {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        if !(self.learns)(&path) {
            let data = param.val().without_autodiff().into_data();
            self.found.push((path, fingerprint(data.as_bytes())));
        }
    }
}
