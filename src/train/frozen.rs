//! Proof that what is frozen did not move.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use menagerie_core::parameters::{ParameterVisitor, visit_parameters};

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

/// Each word is mixed in by an exclusive or and a multiplication with an odd number, both of which
/// can be undone; so two inputs that differ in one word never give the same number.
fn fingerprint(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let hash = words
        .iter()
        .fold(ODD, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}
