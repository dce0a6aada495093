//! The parameters of a module by path, and how fresh ones are drawn.

use std::sync::Mutex;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A parameter, known without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ParameterInfo {
    /// Path in the module, for example `vision.layers.0.mlp.fc1.weight`.
    pub path: String,
    /// Shape in the module.
    pub shape: Vec<usize>,
    /// Burn's identity of it in this process.
    #[serde(skip)]
    pub id: ParamId,
}

impl ParameterInfo {
    /// A parameter that no module has yet.
    #[must_use]
    pub fn planned(path: String, shape: Vec<usize>) -> Self {
        Self {
            path,
            shape,
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
        found: Vec<ParameterInfo>,
    }

    impl ModuleVisitor for Lister {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push(ParameterInfo {
                path: self.path.join(),
                shape: param.lazy_shape().to_vec(),
                id: param.id,
            });
        }
    }

    let mut lister = Lister {
        path: PathStack::default(),
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
        path: PathStack,
        seed: u64,
    }

    impl ModuleVisitor for Drawer {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_initialized() {
                return;
            }
            param
                .lazy_device()
                .seed(seed_of(self.seed, &self.path.join()));
            param.val();
        }
    }

    let guard = GENERATOR.lock();
    let mut drawer = Drawer {
        path: PathStack::default(),
        seed,
    };
    module.visit(&mut drawer);
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

/// Where a visitor or mapper stands.
#[derive(Debug, Default)]
pub struct PathStack(Vec<String>);

impl PathStack {
    /// Goes into `name`.
    pub fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// Goes out again.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// The path, dots between.
    #[must_use]
    pub fn join(&self) -> String {
        self.0.join(".")
    }
}
