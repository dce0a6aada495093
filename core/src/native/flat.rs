//! Flat tensors, as an optimizer has them.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::memory::{dense, own, values, values_mut};

/// What `work` makes of the numbers of a tensor that [`fuses`](super::fuses) holds for.
pub fn read<T>(tensor: &Tensor<1>, work: impl FnOnce(&[f32]) -> T) -> T {
    work(values(&flat(tensor.clone())))
}

/// Tensors that [`fuses`](super::fuses) holds for, with what `work` writes over their numbers. It is written where they
/// lie, unless somebody else holds them.
pub fn write_over<const N: usize>(
    tensors: [Tensor<1>; N],
    work: impl FnOnce([&mut [f32]; N]),
) -> [Tensor<1>; N] {
    let mut tensors = tensors.map(|tensor| own(flat(tensor)));
    work(
        tensors
            .each_mut()
            .map(|tensor| values_mut(tensor).expect("nobody else holds it")),
    );
    tensors.map(Tensor::from_primitive::<Flex>)
}

fn flat(tensor: Tensor<1>) -> FlexTensor {
    let tensor = tensor.without_autodiff().try_into_primitive::<Flex>();
    dense(tensor.expect("it is the CPU's"))
}
