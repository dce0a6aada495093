//! Tensors on the CPU as slices: the border between Burn and `menagerie-kernels`.
//!
//! Burn's CPU backend is Flex. What does not lie there is none of this room's business: functions here say
//! so, and their callers use Burn's own operations.

mod activation;
mod attention;
mod bias;
mod cache;
mod cross_entropy;
mod flat;
mod fused;
mod memory;
mod norm;
mod product;
mod recorded;
mod rotary;
mod soft_cap;

pub(crate) use activation::{activate, gate};
pub(crate) use attention::{Attending, Sight, attention};
pub(crate) use bias::add_bias;
pub(crate) use cache::{copy_tokens, write_tokens};
pub(crate) use cross_entropy::cross_entropy;
pub use flat::{read, write_over};
pub(crate) use norm::{layer_norm, rms_norm};
pub(crate) use product::{product, rounds, thin};
pub(crate) use recorded::one_pass;
pub use recorded::{Mark, OnePass, recorded};
pub(crate) use rotary::turn;
pub(crate) use soft_cap::soft_cap;

use burn::backend::flex::FlexTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor, TensorData, bf16, f16};

/// Whether tensors of this device lie in the CPU's memory, where the kernels can read them.
pub(crate) fn is_cpu(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Flex(_)
    )
}

/// Whether the fused operations of this room compute with the tensor: f32 numbers in the CPU's memory, and of no graph
/// that is to make some of them again, for which Burn has a way of its own.
#[must_use]
pub fn fuses<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    let is_made_again = if let DispatchDevice::Autodiff(graph) = device.as_dispatch() {
        graph.gradient_checkpointing_strategy() != GradientCheckpointingStrategy::Disabled
    } else {
        false
    };
    tensor.dtype() == DType::F32 && !is_made_again && is_cpu(&device)
}

/// A float tensor's numbers in row-major order.
#[derive(Debug)]
pub(crate) struct Values(FlexTensor);

impl Values {
    /// Those of `tensor`, copied only if they lie in another order; nothing where they are not the CPU's,
    /// or belong to a graph.
    pub(crate) fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        let primitive = tensor.try_into_primitive::<Flex>().ok()?;
        Some(Self(primitive.to_contiguous()))
    }

    /// The numbers; nothing if their type has no kernels.
    pub(crate) fn numbers(&self) -> Option<Numbers<'_>> {
        let values = &self.0;
        let f32s = || values.as_slice().map(Numbers::F32);
        let bf16s = || values.as_slice().map(Numbers::Bf16);
        f32s()
            .or_else(bf16s)
            .or_else(|| values.as_slice().map(Numbers::F16))
    }
}

/// Numbers of one of the types that kernels read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
}

/// Whether a tensor is one number in all its places, as far as that shows: it does on the CPU and outside of a graph.
pub(crate) fn is_one_number<const D: usize>(tensor: Tensor<D>) -> bool {
    tensor.try_into_primitive::<Flex>().map_or(true, |values| {
        let layout = values.layout();
        let mut strides = layout.shape().iter().zip(layout.strides());
        strides.all(|(&size, &stride)| size == 1 || stride == 0)
    })
}

/// A tensor of these numbers on the CPU.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    let primitive = FlexTensor::from_data(TensorData::new(values, shape));
    Tensor::from_primitive::<Flex>(primitive)
}
