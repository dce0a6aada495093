//! The types of number that a model holds and computes in.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};

use crate::native;
use crate::packed::{self, Format};
use crate::parameters::{Packable, ParameterMapper, map_parameters, parameters};
use crate::recipe::Dtype;

/// How a recipe's `dtype` is held on a device.
///
/// On a CPU products are what takes time and memory, and rounding anything else saves neither. So `bf16`, `q8` and
/// `q4` are there the types of the weights of linear layers and of embedding tables, which
/// [`Linear`](crate::nn::Linear) and [`Embedding`](crate::nn::Embedding) read, and all other parameters and
/// all activations are f32; products round activations as [`Format`] says. In `f32` too these weights lie packed while
/// the model is used: nothing is rounded, and a product need not put them in order each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Of activations, and of parameters that are none of [`Packable`].
    pub activations: DType,
    /// Of the weights of linear layers and embedding tables while they are plain tensors.
    pub weights: DType,
    /// What these weights are packed in for use, if they are.
    pub format: Option<Format>,
    /// Whether they are to be packed; a model that learns or is written holds plain tensors.
    pub is_packed: bool,
}

impl Numbers {
    /// Those of `dtype` on `device`. `None` if it is quantised and the device is no CPU.
    #[must_use]
    pub fn new(dtype: Dtype, device: &Device) -> Option<Self> {
        let same = Self::plain;
        let packed = |weights, format| Self {
            activations: DType::F32,
            weights,
            format: Some(format),
            is_packed: true,
        };
        let is_cpu = native::is_cpu(device);
        Some(match dtype {
            Dtype::F32 if is_cpu => packed(DType::F32, Format::F32),
            Dtype::F32 => same(DType::F32),
            Dtype::F16 => same(DType::F16),
            Dtype::Bf16 if is_cpu => packed(DType::BF16, Format::Bf16),
            Dtype::Bf16 => same(DType::BF16),
            Dtype::Q8 if is_cpu => packed(DType::F32, Format::Q8),
            Dtype::Q4 if is_cpu => packed(DType::F32, Format::Q4),
            Dtype::Q8 | Dtype::Q4 => return None,
        })
    }

    /// Those of a model that learns on a CPU.
    #[must_use]
    pub fn to_train(dtype: Dtype) -> Self {
        let numbers = Self::new(dtype, &Device::flex());
        numbers.expect("a CPU holds every type").unpacked()
    }

    /// All of one type, nothing packed.
    #[must_use]
    pub(crate) fn plain(number: DType) -> Self {
        Self {
            activations: number,
            weights: number,
            format: None,
            is_packed: false,
        }
    }

    /// The same for a model that learns or is written.
    #[must_use]
    pub fn unpacked(self) -> Self {
        Self {
            is_packed: false,
            ..self
        }
    }

    /// The same for a model that is used.
    #[must_use]
    pub fn packed(self) -> Self {
        Self {
            is_packed: self.format.is_some(),
            ..self
        }
    }

    /// What weights are packed in as they are loaded.
    pub(crate) fn packs(&self) -> Option<Format> {
        self.format.filter(|_| self.is_packed)
    }

    /// As a recipe states it.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match (self.format, self.activations) {
            (Some(Format::F32), _) => Dtype::F32,
            (Some(Format::Bf16), _) | (None, DType::BF16) => Dtype::Bf16,
            (Some(Format::Q4), _) => Dtype::Q4,
            (Some(_), _) => Dtype::Q8,
            (None, DType::F16) => Dtype::F16,
            (None, _) => Dtype::F32,
        }
    }

    /// What errors and reports call it: the type of the weights of linear layers.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.packs().map_or(self.weights.name(), Format::name)
    }

    /// Of keys and values that a cache keeps.
    #[must_use]
    pub fn cache(&self) -> DType {
        match self.format {
            None | Some(Format::F32) => self.activations,
            Some(_) => DType::BF16,
        }
    }

    /// Of a parameter while it is a plain tensor.
    #[must_use]
    pub fn of(&self, packable: Option<Packable>) -> DType {
        match packable {
            Some(_) => self.weights,
            None => self.activations,
        }
    }

    /// `module` with every parameter in its type, and packed if it should be. What is packed stays as it is.
    pub(crate) fn settle<M: Module>(&self, module: M) -> M {
        let module = self.cast(module);
        match self.packs() {
            Some(format) => packed::pack(module, format),
            None => module,
        }
    }

    fn cast<M: Module>(&self, module: M) -> M {
        let packed = packed::packed_paths(&module);
        let infos = parameters(&module).into_iter();
        let wanted = infos.filter(|info| !packed.contains(&info.path));
        let wanted = wanted
            .map(|info| (info.path, self.of(info.packable)))
            .collect();
        map_parameters(module, &mut Cast(wanted))
    }
}

/// Casts the parameters at these paths.
struct Cast(std::collections::HashMap<String, DType>);

impl ParameterMapper for Cast {
    fn map<const D: usize>(&mut self, path: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(&dtype) = self.0.get(&path) else {
            return param;
        };
        param.map(|tensor| {
            if tensor.dtype() == dtype {
                tensor
            } else {
                tensor.cast(dtype)
            }
        })
    }
}
