//! Writing a module's parameters.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Dtype, View};

use super::WeightError;
use super::atomic::write_whole;
use super::interleave::to_pairs;
use super::transpose::transpose;
use crate::checkpoint::{Checkpoint, Spelling, Storage};
use crate::packed::unpacked;
use crate::parameters::{ParameterVisitor, visit_parameters};

/// Writes every parameter of `module` to one safetensors file, named and laid out as the
/// component's checkpoints are.
///
/// The file appears whole or not at all: it is written beside its place, synced and renamed.
///
/// # Errors
/// A parameter without a name in the table, or a file that cannot be written.
pub fn save<M: Module>(
    module: &M,
    component: &str,
    checkpoint: &Checkpoint,
    path: &Path,
) -> Result<(), WeightError> {
    let spelling = checkpoint.spellings.first();
    let spelling = spelling.expect("a checkpoint states at least one spelling");
    write(stored(module, component, spelling, None)?, path)
}

/// Writes values by name to a safetensors file, as [`save`] does.
///
/// # Errors
/// The file cannot be written.
pub fn save_data(
    tensors: &[(impl AsRef<str>, TensorData)],
    path: &Path,
) -> Result<(), WeightError> {
    let stored = tensors.iter().map(|(name, data)| {
        let data = data.clone();
        Stored {
            name: name.as_ref().to_owned(),
            dtype: data.dtype(),
            shape: data.shape().to_vec(),
            bytes: Box::new(move || data.as_bytes().to_vec()),
        }
    });
    write(stored.collect(), path)
}

/// Writes tensors to a safetensors file, as [`save`] does: of each its name, its shape and its values,
/// flat. Values are fetched one tensor at a time.
///
/// # Errors
/// The file cannot be written.
pub fn save_tensors(
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
    path: &Path,
) -> Result<(), WeightError> {
    let stored = tensors.into_iter().map(|(name, shape, tensor)| Stored {
        name,
        dtype: tensor.dtype(),
        shape,
        bytes: Box::new(move || tensor.clone().into_data().as_bytes().to_vec()),
    });
    write(stored.collect(), path)
}

/// A tensor as a file will hold it. Its bytes are fetched when its turn to be written comes.
pub(crate) struct Stored {
    /// Its name in the file.
    pub name: String,
    /// Its type of number.
    pub dtype: DType,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Its bytes, little-endian, in row-major order.
    pub bytes: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl Stored {
    /// Bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

/// The parameters of `module` as files of this spelling hold them, in the module's order, cast to
/// `dtype` if one is given.
pub(crate) fn stored<M: Module>(
    module: &M,
    component: &str,
    spelling: &Spelling,
    dtype: Option<DType>,
) -> Result<Vec<Stored>, WeightError> {
    stored_where(module, component, spelling, dtype, &|_| true)
}

/// As [`stored`], of the parameters alone whose path in `module` is wanted.
pub(crate) fn stored_where<M: Module>(
    module: &M,
    component: &str,
    spelling: &Spelling,
    dtype: Option<DType>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Stored>, WeightError> {
    let module = unpacked(module.clone());
    let mut collector = Collector {
        spelling,
        component,
        dtype,
        wanted,
        tensors: Vec::new(),
        error: None,
    };
    visit_parameters(&module, &mut collector);
    match collector.error {
        Some(error) => Err(error),
        None => Ok(collector.tensors),
    }
}

/// Writes a safetensors file, whole or not at all.
pub(crate) fn write(tensors: Vec<Stored>, path: &Path) -> Result<(), WeightError> {
    // transformers refuses a file that does not say which framework's layout it has.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor));
    write_whole(path, |temporary| {
        safetensors::serialize_to_file(tensors, Some(metadata), temporary)
            .map_err(|error| io::Error::other(error.to_string()))
    })
    .map_err(|source| WeightError::Io {
        path: path.to_owned(),
        source,
    })
}

struct Collector<'a> {
    spelling: &'a Spelling,
    component: &'a str,
    dtype: Option<DType>,
    wanted: &'a dyn Fn(&str) -> bool,
    tensors: Vec<Stored>,
    error: Option<WeightError>,
}

impl ParameterVisitor for Collector<'_> {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        if !(self.wanted)(&path) {
            return;
        }
        let Some((name, storage)) = self.spelling.key(&path) else {
            self.error = Some(WeightError::Unnamed {
                component: self.component.to_owned(),
                parameter: path,
            });
            return;
        };
        let tensor = param.transform_for_save().val().without_autodiff();
        let dtype = self.dtype.unwrap_or(tensor.dtype());
        let mut shape = tensor.dims().to_vec();
        if storage != Storage::AsIs {
            shape.reverse();
        }
        let stored_shape = shape.clone();
        let bytes = move || {
            let tensor = tensor.clone();
            let cast = if tensor.dtype() == dtype {
                tensor
            } else {
                tensor.cast(dtype)
            };
            lay(cast.into_data().as_bytes(), &stored_shape, storage, dtype)
        };
        self.tensors.push(Stored {
            name,
            dtype,
            shape,
            bytes: Box::new(bytes),
        });
    }
}

/// A parameter's bytes as the file holds them.
pub(super) fn lay(bytes: &[u8], stored: &[usize], storage: Storage, dtype: DType) -> Vec<u8> {
    let laid = match (storage, stored) {
        (Storage::Transposed | Storage::Interleaved { .. }, &[rows, columns]) => {
            transpose(bytes, columns, rows, dtype.size())
        }
        _ => bytes.to_vec(),
    };
    match storage {
        Storage::Interleaved { heads } => to_pairs(&laid, stored[0], heads),
        _ => laid,
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F64 => Dtype::F64,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::I64 => Dtype::I64,
            DType::I32 => Dtype::I32,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (self.bytes)().into()
    }

    fn data_len(&self) -> usize {
        self.len()
    }
}
