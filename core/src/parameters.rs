//! The parameters of a module by path, and how fresh ones are drawn.

mod visit;

use std::sync::Mutex;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use sha2::{Digest, Sha256};

use visit::PathStack;
pub use visit::{ParameterMapper, ParameterVisitor, map_parameters, visit_parameters};

/// A parameter, known without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ParameterInfo {
    /// Path in the module, for example `vision.layers.0.mlp.fc1.weight`.
    pub path: String,
    /// Shape in the module.
    pub shape: Vec<usize>,
    /// What it is in its layer.
    #[serde(skip)]
    pub kind: ParameterKind,
    /// What reads it, if that can read it packed too.
    #[serde(skip)]
    pub packable: Option<Packable>,
    /// Burn's identity of it in this process.
    #[serde(skip)]
    pub id: ParamId,
}

/// A weight that may be held packed (see [`crate::packed`]), by the layer that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packable {
    /// [`Linear`](crate::nn::Linear)'s, `[in, out]`.
    Linear,
    /// [`Embedding`](crate::nn::Embedding)'s, `[row, feature]`.
    Embedding,
}

impl Packable {
    /// Of the parameter called `name` in a struct that Burn's visitors call `container`.
    fn of(name: &str, container: &str) -> Option<Self> {
        match (name, container) {
            ("weight", "Struct:PackableLinear") => Some(Self::Linear),
            ("weight", "Struct:PackableEmbedding") => Some(Self::Embedding),
            _ => None,
        }
    }
}

/// What a parameter is in its layer, as far as weight decay treats it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterKind {
    /// A parameter of a norm: one that lies in a struct whose name ends in `Norm`, whatever its own
    /// name is.
    Norm,
    /// A bias outside a norm: `bias`, or a name that ends in `_bias`.
    Bias,
    /// All others: matrices, kernels and embeddings, those of one vector included.
    Weight,
}

impl ParameterKind {
    /// Of the parameter called `name` in a struct that Burn's visitors call `container`.
    fn of(name: &str, container: &str) -> Self {
        if container.ends_with("Norm") {
            Self::Norm
        } else if name == "bias" || name.ends_with("_bias") {
            Self::Bias
        } else {
            Self::Weight
        }
    }
}

impl ParameterInfo {
    /// A weight that no module has yet.
    #[must_use]
    pub fn planned(path: String, shape: Vec<usize>) -> Self {
        Self {
            path,
            shape,
            kind: ParameterKind::Weight,
            packable: None,
            id: ParamId::new(),
        }
    }

    /// Numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All float parameters of `module` in its own order. Draws no lazy weight.
pub fn parameters<M: Module>(module: &M) -> Vec<ParameterInfo> {
    struct Lister {
        path: PathStack,
        kinds: Vec<(ParameterKind, Option<Packable>)>,
        found: Vec<ParameterInfo>,
    }

    impl ModuleVisitor for Lister {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.path.enter(name);
            let kind = ParameterKind::of(name, container_type);
            self.kinds.push((kind, Packable::of(name, container_type)));
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
            self.kinds.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let fallback = (ParameterKind::Weight, None);
            let (kind, packable) = self.kinds.last().copied().unwrap_or(fallback);
            self.found.push(ParameterInfo {
                path: self.path.join(),
                shape: param.lazy_shape().to_vec(),
                kind,
                packable,
                id: param.id,
            });
        }
    }

    let mut lister = Lister {
        path: PathStack::default(),
        kinds: Vec::new(),
        found: Vec::new(),
    };
    module.visit(&mut lister);
    lister.found
}

/// Burn's CPU backend has one random generator for the whole process.
static GENERATOR: Mutex<()> = Mutex::new(());

/// What `draw` takes from the device's generator once that is set to `seed`. Nobody else draws
/// meanwhile.
pub fn seeded<T>(device: &Device, seed: u64, draw: impl FnOnce() -> T) -> T {
    let guard = GENERATOR.lock();
    device.seed(seed);
    let drawn = draw();
    drop(guard);
    drawn
}

/// Draws every weight that is still lazy, each from a seed made of `seed` and its path: a
/// parameter's first values do not depend on what else the model holds.
pub fn draw<M: Module>(module: &M, seed: u64) {
    struct Drawer {
        seed: u64,
    }

    impl ParameterVisitor for Drawer {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            if param.is_initialized() {
                return;
            }
            param.lazy_device().seed(seed_of(self.seed, &path));
            param.val();
        }
    }

    let guard = GENERATOR.lock();
    visit_parameters(module, &mut Drawer { seed });
    drop(guard);
}

/// A seed for the use called `name` under the run's seed.
#[must_use]
pub fn seed_of(seed: u64, name: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(name.as_bytes());
    let digest = hasher.finalize();
    let (words, _) = digest.as_chunks::<8>();
    u64::from_le_bytes(words[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_known_by_their_type_and_biases_by_their_name() {
        for (name, container, kind) in [
            ("gamma", "Struct:LayerNorm", ParameterKind::Norm),
            ("beta", "Struct:LayerNorm", ParameterKind::Norm),
            ("weight", "Struct:RmsNorm", ParameterKind::Norm),
            ("bias", "Struct:Linear", ParameterKind::Bias),
            ("in_proj_bias", "Struct:Pooling", ParameterKind::Bias),
            ("weight", "Struct:Linear", ParameterKind::Weight),
            ("class_embedding", "Struct:Clip", ParameterKind::Weight),
            ("normalizer", "Struct:Normalizer", ParameterKind::Weight),
        ] {
            assert_eq!(
                ParameterKind::of(name, container),
                kind,
                "{container}, {name}"
            );
        }
    }
}
