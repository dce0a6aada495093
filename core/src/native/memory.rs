//! f32 numbers of tensors as they lie in memory.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::TensorData;

/// The tensor, copied unless its numbers lie side by side and those of a row, along the last axis, in order. The other
/// axes may lie in any order.
pub(super) fn dense(tensor: FlexTensor) -> FlexTensor {
    if is_dense(tensor.layout()) {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The same of tensors of one shape, so that numbers at one place of memory belong together.
pub(super) fn together<const N: usize>(tensors: [FlexTensor; N]) -> [FlexTensor; N] {
    let first = tensors[0].layout().clone();
    let alike = |tensor: &FlexTensor| lie_alike(tensor.layout(), &first);
    if is_dense(&first) && tensors.iter().all(alike) {
        tensors
    } else {
        tensors.map(|tensor| tensor.to_contiguous())
    }
}

/// The numbers of a tensor that [`dense`] or [`together`] gave, in the order of memory.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    let layout = tensor.layout();
    let values: &[f32] = tensor.storage();
    &values[layout.start_offset()..][..layout.num_elements()]
}

/// The same to write over, if nobody else holds them.
pub(super) fn values_mut(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let (start, count) = (
        tensor.layout().start_offset(),
        tensor.layout().num_elements(),
    );
    let values: &mut [f32] = tensor.try_storage_mut()?;
    Some(&mut values[start..][..count])
}

/// A tensor that lies as `like` does, of numbers that `write` writes.
pub(super) fn filled(like: &FlexTensor, write: impl FnOnce(&mut [f32])) -> FlexTensor {
    let layout = like.layout();
    let mut out = vec![0.0_f32; layout.num_elements()];
    write(&mut out);
    let out = FlexTensor::from_data(TensorData::new(out, layout.shape().clone()));
    out.with_layout(Layout::new(
        layout.shape().clone(),
        layout.strides().to_vec(),
        0,
    ))
}

/// What becomes of a tensor that [`dense`] or [`together`] gave: changed where it lies, if nobody else holds it, or
/// else written anew.
pub(super) fn changed(
    mut tensor: FlexTensor,
    change: impl FnOnce(&mut [f32]),
    write: impl FnOnce(&[f32], &mut [f32]),
) -> FlexTensor {
    if let Some(values) = values_mut(&mut tensor) {
        change(values);
        return tensor;
    }
    filled(&tensor, |out| write(values(&tensor), out))
}

/// The same tensor in memory that nobody else holds.
pub(super) fn own(mut tensor: FlexTensor) -> FlexTensor {
    if values_mut(&mut tensor).is_some() {
        tensor
    } else {
        filled(&tensor, |copy| copy.copy_from_slice(values(&tensor)))
    }
}

/// A tensor of one axis.
pub(super) fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = [values.len()];
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Axes along which there is something to step, the smallest steps first.
fn steps(layout: &Layout) -> Vec<(isize, usize)> {
    let axes = layout.strides().iter().copied();
    let axes = axes.zip(layout.shape().iter().copied());
    axes.filter(|&(_, count)| count != 1).collect()
}

fn is_dense(layout: &Layout) -> bool {
    let mut steps = steps(layout);
    let rows_lie_in_order = match layout.shape().last() {
        Some(1) | None => true,
        Some(_) => steps.last().is_some_and(|&(step, _)| step == 1),
    };
    steps.sort_unstable();
    let mut next = 1;
    rows_lie_in_order
        && steps.into_iter().all(|(step, count)| {
            let follows = step == next;
            next *= count.cast_signed();
            follows
        })
}

fn lie_alike(one: &Layout, other: &Layout) -> bool {
    steps(one) == steps(other)
}
