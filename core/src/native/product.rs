//! Products of f32 activations with weights that are not packed, in bf16 or f32.

use burn::backend::Flex;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{DType, Tensor, TensorData, bf16};
use menagerie_kernels::{Addends, Element, Matrix, thin_product};

use super::fused::{Fused, Input, f32s, run};

/// `x · weight`, of f32 `[…, in]` and bf16 or f32 `[in, out]`; with bf16, `x` is rounded to it, sums are f32, and so are
/// both gradients, whose products round the same way. Between other types of number, or off the CPU, `x` is cast to the
/// weight's type and the product back.
pub(crate) fn product<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    let dtype = x.dtype();
    let is_known = match weight.dtype() {
        DType::BF16 => dtype == DType::F32,
        _ => super::fuses(&x) && super::fuses(&weight),
    };
    if is_known && let (Some(x), Some(weight)) = (Input::of(x.clone()), Input::of(weight.clone())) {
        return run(Product, [x, weight]);
    }
    let x = x.cast(weight.dtype());
    burn::tensor::module::linear(x, weight, None).cast(dtype)
}

/// Whether [`product`] with this weight rounds activations.
pub(crate) fn rounds(weight: &Tensor<2>) -> bool {
    weight.dtype() == DType::BF16 && super::is_cpu(&weight.device())
}

/// Rows whose product with f32 weights takes the time of reading these.
const FEW: usize = 8;

/// `x · weight + bias`, of f32 `[…, in]`, `[in, out]` and `[out]`, where the rows are few and belong to no graph, as in
/// generation; else nothing.
pub(crate) fn thin<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<D>> {
    let [input, output] = weight.dims();
    let mut shape = x.dims();
    let rows = shape.iter().product::<usize>() / input.max(1);
    let fuses = super::fuses(x) && super::fuses(weight) && bias.is_none_or(super::fuses);
    if rows > FEW || !fuses {
        return None;
    }
    let weight = weight.clone().try_into_primitive::<Flex>().ok()?;
    if !weight.is_contiguous() && !lies_by_columns(&weight) {
        return None;
    }
    let x = x.clone().try_into_primitive::<Flex>().ok()?.to_contiguous();
    let bias = match bias {
        Some(bias) => Some(
            bias.clone()
                .try_into_primitive::<Flex>()
                .ok()?
                .to_contiguous(),
        ),
        None => None,
    };
    let addends = Addends {
        bias: bias.as_ref().map(f32s),
        residual: None,
    };
    let mut out = vec![0.0_f32; rows * output];
    let weight = matrix::<f32>(weight.layout(), weight.storage());
    thin_product(f32s(&x), weight, addends, &mut out);
    shape[D - 1] = output;
    Some(super::tensor(out, shape))
}

#[derive(Debug, Clone)]
struct Product;

impl Fused<2> for Product {
    /// Activations and weight.
    type Saved = [FlexTensor; 2];

    fn forward_saving(&self, [x, weight]: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, weight) = (x.to_contiguous(), by_rows_or_columns(weight));
        let mut shape = x.layout().shape().clone();
        let [rows, input, output] = sizes(&x, &weight);
        let out = times(Matrix::new(f32s(&x), rows, input), &weight, Way::Forward);
        let last = shape.num_dims() - 1;
        shape[last] = output;
        let out = FlexTensor::from_data(TensorData::new(out, shape));
        (out, [x, weight])
    }

    fn backward(
        &self,
        [x, weight]: [FlexTensor; 2],
        gradient: FlexTensor,
        [of_x, of_weight]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [rows, input, output] = sizes(&x, &weight);
        let gradient = gradient.to_contiguous();
        let dy = Matrix::new(f32s(&gradient), rows, output);
        let dx = of_x.then(|| {
            let dx = times(dy, &weight, Way::Back);
            FlexTensor::from_data(TensorData::new(dx, x.layout().shape().clone()))
        });
        let dw = of_weight.then(|| {
            let x = Matrix::new(f32s(&x), rows, input).transposed();
            let dw = match weight.dtype() {
                DType::BF16 => menagerie_kernels::product(x, dy),
                _ => menagerie_kernels::product_f32(x, dy),
            };
            FlexTensor::from_data(TensorData::new(dw, [input, output]))
        });
        [dx, dw]
    }
}

#[derive(Clone, Copy)]
enum Way {
    /// With the weight.
    Forward,
    /// With its transpose.
    Back,
}

impl Way {
    fn turn<E: Element>(self, weight: Matrix<'_, E>) -> Matrix<'_, E> {
        match self {
            Self::Forward => weight,
            Self::Back => weight.transposed(),
        }
    }
}

/// Rows times a weight `[in, out]` of bf16 or f32.
fn times(rows: Matrix<f32>, weight: &FlexTensor, way: Way) -> Vec<f32> {
    let layout = weight.layout();
    if weight.dtype() == DType::BF16 {
        let weight = matrix::<bf16>(layout, weight.storage());
        menagerie_kernels::product(rows, way.turn(weight))
    } else {
        let weight = matrix::<f32>(layout, weight.storage());
        menagerie_kernels::product_f32(rows, way.turn(weight))
    }
}

/// Rows, features in and features out.
fn sizes(x: &FlexTensor, weight: &FlexTensor) -> [usize; 3] {
    let shape = weight.layout().shape();
    let rows = x.layout().shape().num_elements() / shape[0].max(1);
    [rows, shape[0], shape[1]]
}

/// The weight, copied unless its rows or its columns lie in order.
fn by_rows_or_columns(weight: FlexTensor) -> FlexTensor {
    if lies_by_columns(&weight) {
        weight
    } else {
        weight.to_contiguous()
    }
}

fn lies_by_columns(weight: &FlexTensor) -> bool {
    let layout = weight.layout();
    let rows = isize::try_from(layout.shape()[0]).unwrap_or(isize::MAX);
    layout.strides() == [1, rows]
}

/// A weight `[in, out]` whose rows or columns lie in order, in its memory.
fn matrix<'a, E: Element>(layout: &Layout, memory: &'a [E]) -> Matrix<'a, E> {
    let [input, output] = [layout.shape()[0], layout.shape()[1]];
    let values = &memory[layout.start_offset()..][..input * output];
    if layout.is_contiguous() {
        Matrix::new(values, input, output)
    } else {
        Matrix::new(values, output, input).transposed()
    }
}
