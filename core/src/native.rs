//! Tensors on the CPU as slices: the border between Burn and `menagerie-kernels`.
//!
//! Burn's CPU backend is Flex. What does not lie there is none of this room's business: functions here say
//! so, and their callers use Burn's own operations.

mod attention;
mod cache;
mod fused;
mod product;

pub(crate) use attention::{Attending, Sight, attention};
pub(crate) use cache::{copy_tokens, write_tokens};
pub(crate) use product::{product, rounds};

use burn::backend::flex::FlexTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{Device, Tensor, TensorData, bf16, f16};

/// Whether tensors of this device lie in the CPU's memory, where the kernels can read them.
pub(crate) fn is_cpu(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Flex(_)
    )
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

/// A tensor of these numbers on the CPU.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    let primitive = FlexTensor::from_data(TensorData::new(values, shape));
    Tensor::from_primitive::<Flex>(primitive)
}
