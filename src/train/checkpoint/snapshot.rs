//! Taking a checkpoint.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use menagerie_core::parameters::{ParameterVisitor, visit_parameters};
use menagerie_core::weights::save_tensors;

use super::standing::{Standing, folder_name};
use super::{OPTIMIZER, RECIPE, STANDING, SUMS, WEIGHTS};
use crate::hash::sha256;
use crate::train::error::TrainError;
use crate::train::files::{pretty_json, read_error, write_error};

/// A tensor's name, shape and values.
pub(in crate::train) type Named = (String, Vec<usize>, Tensor<1>);

/// A checkpoint in memory. It shares its tensors with the run until they change.
#[derive(Debug)]
pub(in crate::train) struct Snapshot {
    pub standing: Standing,
    /// The recipe, resolved.
    pub recipe: String,
    /// Name, shape and flat values.
    pub weights: Vec<Named>,
    /// As above, `first.PATH`, `second.PATH` and `master.PATH`.
    pub optimizer: Vec<Named>,
}

impl Snapshot {
    pub(in crate::train) fn folder_name(&self) -> String {
        folder_name(&self.standing.stage, self.standing.step)
    }

    /// Writes all files into `folder`, which is new, and the sums last.
    pub(super) fn write(mut self, folder: &Path) -> Result<(), TrainError> {
        let tensors = [(OPTIMIZER, self.optimizer), (WEIGHTS, self.weights)];
        let tensors = tensors
            .into_iter()
            .filter(|(_, tensors)| !tensors.is_empty());
        let tensors: Vec<_> = tensors.collect();
        self.standing.tensors = tensors.iter().map(|(name, _)| (*name).to_owned()).collect();
        let plain = [
            (STANDING, pretty_json(&self.standing)),
            (RECIPE, self.recipe.into_bytes()),
        ];
        for (name, bytes) in plain {
            write_synced(&folder.join(name), &bytes)?;
        }
        for (name, tensors) in tensors {
            save_tensors(tensors, &folder.join(name))?;
        }
        let mut sums = String::new();
        for name in self.standing.files() {
            let line = sum(folder, name);
            sums += &line.map_err(|source| read_error(&folder.join(name), source))?;
        }
        write_synced(&folder.join(SUMS), sums.as_bytes())
    }
}

/// The line of `SHA256SUMS` for a file: `HASH  NAME`.
pub(super) fn sum(folder: &Path, name: &str) -> io::Result<String> {
    Ok(format!("{}  {name}\n", sha256(&folder.join(name))?))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || -> io::Result<()> {
        fs::write(path, bytes)?;
        File::open(path)?.sync_all()
    };
    write().map_err(|source| write_error(path, source))
}

/// The parameters of `module` that `learns` says, by path.
pub(in crate::train) fn learning<M: Module>(
    module: &M,
    learns: impl Fn(&str) -> bool,
) -> Vec<Named> {
    struct Collector<F> {
        learns: F,
        found: Vec<Named>,
    }

    impl<F: Fn(&str) -> bool> ParameterVisitor for Collector<F> {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            if (self.learns)(&path) {
                let tensor = param.val().without_autodiff();
                let shape = tensor.dims().to_vec();
                let flat = tensor.reshape([shape.iter().product::<usize>()]);
                self.found.push((path, shape, flat));
            }
        }
    }

    let mut collector = Collector {
        learns,
        found: Vec::new(),
    };
    visit_parameters(module, &mut collector);
    collector.found
}
