//! A module's parameters as a GGUF file holds them, packed weights in their blocks.

use std::collections::HashMap;

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::{DType, Tensor};
use menagerie_kernels::Format;

use super::WeightError;
use super::ggml::Type;
use super::interleave::to_pairs;
use super::save::lay;
use super::write_gguf::GgufTensor;
use crate::checkpoint::{Spelling, Storage};
use crate::packed::{PackedWeight, packed_weights};
use crate::parameters::{Packable, ParameterVisitor, visit_parameters};

/// The parameters of `module` under the names of this spelling, in the module's order and in the types that
/// they have, but for vectors, which llama.cpp wants in f32. Packed weights keep their blocks; rows that are no whole
/// blocks become the f32 that the packed ones stand for, and packing those gives the same again.
pub(crate) fn gguf_tensors<M: Module>(
    module: &M,
    component: &str,
    spelling: &Spelling,
) -> Result<Vec<GgufTensor>, WeightError> {
    let mut collector = Collector {
        packed: packed_weights(module),
        spelling,
        component,
        tensors: Vec::new(),
        error: None,
    };
    visit_parameters(module, &mut collector);
    match collector.error {
        Some(error) => Err(error),
        None => Ok(collector.tensors),
    }
}

struct Collector<'a> {
    packed: HashMap<String, PackedWeight>,
    spelling: &'a Spelling,
    component: &'a str,
    tensors: Vec<GgufTensor>,
    error: Option<WeightError>,
}

impl ParameterVisitor for Collector<'_> {
    fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
        let Some((name, storage)) = self.spelling.key(&path) else {
            self.error = Some(WeightError::Unnamed {
                component: self.component.to_owned(),
                parameter: path,
            });
            return;
        };
        let packed = self.packed.remove(&path);
        let blocks = packed
            .as_ref()
            .and_then(|packed| blocks(packed, storage, self.spelling, &name));
        let tensor = blocks.unwrap_or_else(|| plain(param, packed, storage, name));
        self.tensors.push(tensor);
    }
}

/// A packed weight as it lies, if rows of the file are its outputs.
fn blocks(
    packed: &PackedWeight,
    storage: Storage,
    spelling: &Spelling,
    name: &str,
) -> Option<GgufTensor> {
    let storage = match packed.format() {
        Format::F32 | Format::Bf16 => storage,
        _ => spelling.of_blocks(storage, packed.kind()),
    };
    let by_outputs = (packed.kind() == Packable::Linear) == (storage != Storage::AsIs);
    if !by_outputs || !packed.has_whole_blocks() {
        return None;
    }
    let shape = packed.shape();
    let packed = packed.clone();
    Some(GgufTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        kind: packed.format().into(),
        bytes: Box::new(move || {
            let bytes = packed.to_blocks();
            match storage {
                Storage::Interleaved { heads } => to_pairs(&bytes, shape[0], heads),
                Storage::AsIs | Storage::Transposed => bytes,
            }
        }),
    })
}

/// A parameter as numbers one by one; a packed weight becomes them when its turn comes, and not before.
fn plain<const D: usize>(
    param: &Param<Tensor<D>>,
    packed: Option<PackedWeight>,
    storage: Storage,
    name: String,
) -> GgufTensor {
    let param = param.clone();
    let shape = param.lazy_shape();
    let dtype = if D <= 1 {
        DType::F32
    } else {
        param.base().dtype()
    };
    let mut shape = shape.to_vec();
    if storage != Storage::AsIs {
        shape.reverse();
    }
    let stored = shape.clone();
    GgufTensor {
        name,
        shape,
        kind: Type::Plain(dtype),
        bytes: Box::new(move || {
            let tensor = match &packed {
                Some(packed) => packed.apply(param.base()),
                None => param.val().without_autodiff(),
            };
            lay(
                tensor.cast(dtype).into_data().as_bytes(),
                &stored,
                storage,
                dtype,
            )
        }),
    }
}
