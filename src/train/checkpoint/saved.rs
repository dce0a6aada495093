//! Going on from a checkpoint.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use menagerie_core::parameters::{ParameterMapper, map_parameters};
use menagerie_core::weights::{Shards, WeightError};

use super::optimizer;
use super::snapshot::sum;
use super::standing::{FORMAT, Standing, parse_folder_name};
use super::{OPTIMIZER, RECIPE, STANDING, SUMS, WEIGHTS};
use crate::data::chain;
use crate::train::adamw::Moments;
use crate::train::error::TrainError;
use crate::train::files::{FileHash, read_error};

/// A checkpoint on disk that is whole.
#[derive(Debug)]
pub(in crate::train) struct Saved {
    pub folder: PathBuf,
    pub standing: Standing,
    /// The recipe that it was taken under, resolved.
    pub recipe: String,
    weights: Option<Shards>,
    optimizer: Option<Shards>,
}

/// Why a checkpoint is not gone on from.
#[derive(Debug)]
pub(in crate::train) enum Refusal {
    /// It is damaged, in words; the one before it may be whole.
    Damaged(String),
    /// It may well be whole, and nothing older may take its place.
    Unreadable(TrainError),
}

impl Refusal {
    /// The error of a command that wants the checkpoint in `folder` and no other.
    pub(in crate::train) fn of(self, folder: &Path) -> TrainError {
        match self {
            Self::Damaged(reason) => TrainError::Damaged {
                checkpoint: folder.to_owned(),
                reason,
            },
            Self::Unreadable(error) => error,
        }
    }

    fn from_io(path: &Path, error: io::Error) -> Self {
        if error.kind() == ErrorKind::PermissionDenied {
            return Self::Unreadable(read_error(path, error));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::Damaged(format!("{name}: {error}"))
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

impl Saved {
    /// Opens the checkpoint in `folder` and checks every byte of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::train) fn open(folder: &Path) -> Result<Self, Refusal> {
        let wanted = read(folder, SUMS)?;
        let names: Vec<&str> = wanted
            .lines()
            .filter_map(|line| Some(line.split_once("  ")?.1))
            .filter(|name| [STANDING, RECIPE, WEIGHTS, OPTIMIZER].contains(name))
            .collect();
        for name in &names {
            let sum =
                sum(folder, name).map_err(|error| Refusal::from_io(&folder.join(name), error))?;
            if !wanted.split_inclusive('\n').any(|line| line == sum) {
                return Err(format!("{name} is not what was written").into());
            }
        }
        let standing = standing(folder)?;
        // The sums must be those of all files, or a file would go unseen.
        if names != standing.files() || wanted.lines().count() != names.len() {
            return Err(format!("{SUMS} is not what was written").into());
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if parse_folder_name(&name) != Some((&standing.stage, standing.step)) {
            return Err(format!("{STANDING} is that of another checkpoint").into());
        }
        let open = |name: &str| {
            let listed = names.contains(&name);
            let opened = listed.then(|| Shards::open(&folder.join(name)));
            opened.transpose().map_err(|error| chain(&error))
        };
        Ok(Self {
            folder: folder.to_owned(),
            recipe: read(folder, RECIPE)?,
            weights: open(WEIGHTS)?,
            optimizer: open(OPTIMIZER)?,
            standing,
        })
    }

    /// The first of the files that the stage began with, of those in `run` that `counts`, that is not
    /// what it was.
    pub(in crate::train) fn changed_base(
        &self,
        run: &Path,
        counts: impl Fn(&Path) -> bool,
    ) -> Option<&FileHash> {
        let files = self.standing.base.iter();
        let mut files = files.filter(|file| counts(file.path()));
        files.find(|file| !file.holds(run).unwrap_or(false))
    }

    /// The paths of the parameters that are saved.
    pub(in crate::train) fn learned(&self) -> impl Iterator<Item = &str> {
        self.weights.iter().flat_map(Shards::names)
    }

    /// `module` with the saved values of what learns. All others stay.
    pub(in crate::train) fn restore<M: Module>(&self, module: M) -> Result<M, WeightError> {
        let Some(shards) = &self.weights else {
            return Ok(module);
        };
        let mut filler = Filler {
            shards,
            filled: 0,
            error: None,
        };
        let module = map_parameters(module, &mut filler);
        match filler.error {
            Some(error) => Err(error),
            None if filler.filled < shards.names().count() => Err(WeightError::NotFound {
                path: shards.path().to_owned(),
                problem: "it holds parameters that the model has not".to_owned(),
            }),
            None => Ok(module),
        }
    }

    /// What the optimizer kept, on `device`.
    pub(in crate::train) fn moments(
        &self,
        device: &Device,
    ) -> Result<Vec<(String, Moments)>, TrainError> {
        let Some(shards) = &self.optimizer else {
            return Ok(Vec::new());
        };
        let tensors = shards.names().map(|name| {
            let tensor = Tensor::from_data(shards.data(name)?, device);
            Ok((name.to_owned(), tensor))
        });
        let tensors = tensors.collect::<Result<_, WeightError>>()?;
        let moments = optimizer::moments(tensors, &self.standing.optimizer_steps);
        moments.map_err(|name| TrainError::Optimizer {
            checkpoint: self.folder.clone(),
            name,
        })
    }
}

fn read(folder: &Path, name: &str) -> Result<String, Refusal> {
    let path = folder.join(name);
    fs::read_to_string(&path).map_err(|error| Refusal::from_io(&path, error))
}

fn standing(folder: &Path) -> Result<Standing, Refusal> {
    let text = read(folder, STANDING)?;
    let invalid = |error| Refusal::Damaged(format!("{STANDING}: {error}"));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(invalid)?;
    match value["format"].as_u64() {
        Some(format) if format != u64::from(FORMAT) => {
            Err(Refusal::Unreadable(TrainError::CheckpointFormat {
                checkpoint: folder.to_owned(),
                format,
                known: FORMAT,
            }))
        }
        _ => serde_json::from_value(value).map_err(invalid),
    }
}

struct Filler<'a> {
    shards: &'a Shards,
    filled: usize,
    error: Option<WeightError>,
}

impl Filler<'_> {
    fn data(&self, name: &str, shape: &[usize]) -> Result<TensorData, WeightError> {
        let data = self.shards.data(name)?;
        if data.shape().as_slice() == shape {
            return Ok(data);
        }
        Err(WeightError::NotFound {
            path: self.shards.path().to_owned(),
            problem: format!("`{name}` has another shape than in the model"),
        })
    }
}

impl ParameterMapper for Filler<'_> {
    fn map<const D: usize>(&mut self, path: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.shards.get(&path).is_none() {
            return param;
        }
        match self.data(&path, &param.lazy_shape().to_vec()) {
            Ok(data) => {
                self.filled += 1;
                param.map(|tensor| {
                    let options = (&tensor.device(), tensor.dtype());
                    Tensor::from_data(data, options)
                })
            }
            Err(error) => {
                self.error.get_or_insert(error);
                param
            }
        }
    }
}
