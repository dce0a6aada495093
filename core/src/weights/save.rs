//! Writing a module's parameters.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use safetensors::tensor::{Dtype, View};

use super::WeightError;
use super::interleave::to_pairs;
use super::transpose::transpose;
use crate::checkpoint::{Checkpoint, Spelling, Storage};
use crate::parameters::PathStack;

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
    let mut collector = Collector {
        spelling: spelling.expect("a checkpoint states at least one spelling"),
        component,
        path: PathStack::default(),
        tensors: Vec::new(),
        error: None,
    };
    module.visit(&mut collector);
    if let Some(error) = collector.error {
        return Err(error);
    }
    // transformers refuses a file that does not say which framework's layout it has.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let io_error = |source: std::io::Error| WeightError::Io {
        path: path.to_owned(),
        source,
    };
    safetensors::serialize_to_file(collector.tensors, Some(metadata), path)
        .map_err(|error| io_error(std::io::Error::other(error.to_string())))?;
    let file = File::open(path).map_err(io_error)?;
    file.sync_all().map_err(io_error)?;
    share(path).map_err(io_error)
}

/// Gives a file the permissions of any new file: safetensors writes it for its owner alone.
#[cfg(unix)]
fn share(path: &Path) -> std::io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let any = builder
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    std::fs::set_permissions(path, any.as_file().metadata()?.permissions())
}

#[cfg(not(unix))]
fn share(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

struct Collector<'a> {
    spelling: &'a Spelling,
    component: &'a str,
    path: PathStack,
    tensors: Vec<(String, Parameter)>,
    error: Option<WeightError>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join();
        let Some((key, storage)) = self.spelling.key(&path) else {
            self.error = Some(WeightError::Unnamed {
                component: self.component.to_owned(),
                parameter: path,
            });
            return;
        };
        let tensor = param.transform_for_save().val().without_autodiff();
        let mut shape = tensor.dims().to_vec();
        if storage != Storage::AsIs {
            shape.reverse();
        }
        self.tensors.push((
            key,
            Parameter {
                dtype: tensor.dtype(),
                shape,
                storage,
                bytes: Box::new(move || tensor.to_data().as_bytes().to_vec()),
            },
        ));
    }
}

/// A parameter whose bytes are fetched when its turn to be written comes.
struct Parameter {
    dtype: DType,
    shape: Vec<usize>,
    storage: Storage,
    bytes: Box<dyn Fn() -> Vec<u8>>,
}

impl View for Parameter {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F64 => Dtype::F64,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = (self.bytes)();
        if let (Storage::Transposed | Storage::Interleaved { .. }, &[rows, columns]) =
            (self.storage, self.shape.as_slice())
        {
            bytes = transpose(&bytes, columns, rows, self.dtype.size());
        }
        if let Storage::Interleaved { heads } = self.storage {
            bytes = to_pairs(&bytes, self.shape[0], heads);
        }
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}
