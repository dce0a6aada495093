//! Checks that every plugin must pass, for its author to run, and comparison with reference values.
//!
//! ```ignore
//! #[test]
//! fn keeps_the_contract() {
//!     menagerie_core::testing::check_encoder("acme");
//! }
//! ```
//!
//! A check panics with what does not hold, as an assertion does.

mod benchmark;
mod decoder;
mod encoder;
mod projector;
mod reference;

pub use benchmark::check_benchmark;
pub use decoder::check_decoder;
pub use encoder::check_encoder;
pub use projector::check_projector;
pub use reference::{Reference, assert_close};

use std::cell::Cell;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Distribution, Tensor};

use serde_json::Value;
use toml::Table;

use crate::checkpoint::Checkpoint;
use crate::component::Component;
use crate::error::BuildError;
use crate::hf::HfParts;
use crate::parameters::{draw, parameters, seeded};
use crate::plugin;
use crate::weights::{self, Shards};

/// Runs the checks of every plugin linked in.
///
/// # Panics
/// If a plugin breaks its contract, or two share a name.
pub fn check_all() {
    for info in plugin::list().expect("plugins have names of their own") {
        match info.component {
            Component::Vision => check_encoder(info.name),
            Component::Projector => check_projector(info.name),
            Component::Llm => check_decoder(info.name),
        }
    }
    for plugin in plugin::benchmarks().expect("benchmarks have names of their own") {
        check_benchmark(plugin.name);
    }
}

/// Weights that are all different from zero and one, so that a mistake shows.
fn widened<M: Module>(module: M) -> M {
    struct Widen;

    impl ModuleMapper for Widen {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let noise = tensor.random_like(Distribution::Normal(0.0, 0.2));
                tensor + noise
            })
        }
    }

    draw(&module, 1);
    seeded(&Device::flex(), 2, || module.map(&mut Widen))
}

/// Numbers on the CPU drawn from `N(0, 1)`: others at each call of a thread, and so of a test, and the same in every run.
/// [`Tensor::random`] takes them from the generator that all tests of a process share, and takes them from one that has
/// set a seed.
#[must_use]
pub fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
    }
    let seed = CALLS.replace(CALLS.get() + 1);
    let device = Device::flex();
    let normal = Distribution::Normal(0.0, 1.0);
    seeded(&device, seed, || Tensor::random(shape, normal, &device))
}

/// Options written as a recipe states them and read again are the same options.
fn check_options(
    name: &str,
    options: &Table,
    read: impl FnOnce(Table) -> Result<Table, BuildError>,
) {
    let again = read(options.clone()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        again, *options,
        "`{name}`: its options change when they are written and read"
    );
}

/// What a plugin writes to a Hugging Face config, alone or as the table `nested` of a whole model's,
/// says what its options said.
fn check_hf(
    name: &str,
    options: &Table,
    parts: Option<HfParts>,
    nested: &str,
    read: impl Fn(&Value) -> Result<Table, BuildError>,
) {
    let Some(parts) = parts else { return };
    assert!(
        parts.config.contains_key("model_type"),
        "`{name}`: its config names no model type"
    );
    let alone = Value::Object(parts.config.clone());
    for config in [alone, parts.whole(nested)] {
        let again = read(&config).unwrap_or_else(|error| panic!("{error}"));
        for (key, value) in again {
            let before = options.get(&key).unwrap_or(&value);
            assert_eq!(
                &value, before,
                "`{name}`: `{key}` changes on its way through a config.json"
            );
        }
    }
}

/// Saved and loaded again, under its first spelling, a module holds the same values; no two of its
/// parameters share a key.
fn check_round_trip<M: Module>(name: &str, module: &M, fresh: M, checkpoint: &Checkpoint) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model.safetensors");
    weights::save(module, name, checkpoint, &file)
        .unwrap_or_else(|error| panic!("`{name}` cannot be saved: {error}"));
    let shards = Shards::open(&file).expect("what was saved can be opened");
    let names = shards.names().count();
    let wanted = parameters(module).len();
    assert_eq!(
        names, wanted,
        "`{name}`: {wanted} parameters went into {names} tensors; two share a key"
    );
    let (loaded, report) = weights::load(fresh, name, checkpoint, &shards, DType::F32)
        .unwrap_or_else(|error| panic!("`{name}` cannot load what it saved: {error}"));
    assert_eq!(report.loaded, wanted);
    for (before, after) in values(module).into_iter().zip(values(&loaded)) {
        assert_eq!(
            before, after,
            "`{name}`: a parameter changed between saving and loading"
        );
    }
}

fn values<M: Module>(module: &M) -> Vec<Vec<f32>> {
    struct Values(Vec<Vec<f32>>);

    impl burn::module::ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().without_autodiff().try_to_vec_as::<f32>();
            self.0.push(values.expect("a parameter's values"));
        }
    }

    let mut values = Values(Vec::new());
    module.visit(&mut values);
    values.0
}
