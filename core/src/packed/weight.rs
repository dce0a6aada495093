//! One packed weight.

use std::sync::Arc;

use burn::module::{Module, Reparameterization};
use burn::tensor::{DType, Tensor, TensorData, bf16, f16};
use menagerie_kernels::{Element, Format, Matrix, Packed};

use crate::native::{self, Numbers, Values};
use crate::parameters::Packable;

/// A weight of a linear layer, `[in, out]`, or of an embedding table, `[row, feature]`. Clones share it.
#[derive(Module, Debug)]
pub struct PackedWeight {
    #[module(skip)]
    weight: Arc<Packed>,
    #[module(skip)]
    kind: Packable,
}

impl PackedWeight {
    /// A weight that was packed, its outputs those of the layer or the rows of the table.
    pub(crate) fn new(weight: Packed, kind: Packable) -> Self {
        Self {
            weight: Arc::new(weight),
            kind,
        }
    }

    /// Packs `weight`, as it lies in its parameter, in a format that is made of floats.
    pub(super) fn of(format: Format, weight: Tensor<2>, kind: Packable) -> Self {
        let data = weight.without_autodiff().into_data();
        Self::new(quantised(format, &data, kind == Packable::Embedding), kind)
    }

    /// How it is stored.
    pub fn format(&self) -> Format {
        self.weight.format()
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// `x · weightᵀ`: `[…, in]` -> `[…, out]`, of the input's type of number. `None` where the input is not
    /// the CPU's, or belongs to a graph: the product is then one with [`Param::val`](burn::module::Param::val).
    pub fn multiply<const D: usize>(&self, x: Tensor<D>) -> Option<Tensor<D>> {
        let dtype = x.dtype();
        let mut shape = x.dims();
        shape[D - 1] = self.weight.outputs();
        let x = Values::of(x)?;
        let mut out = vec![0.0_f32; shape.iter().product()];
        match x.numbers()? {
            Numbers::F32(x) => self.weight.multiply(x, &mut out),
            Numbers::Bf16(x) => self.weight.multiply(x, &mut out),
            Numbers::F16(x) => self.weight.multiply(x, &mut out),
        }
        let out = native::tensor(out, shape);
        Some(if dtype == DType::F32 {
            out
        } else {
            out.cast(dtype)
        })
    }

    /// The rows of a table, in f32: `[row, feature]`
    pub(crate) fn rows(&self, rows: &[usize]) -> Tensor<2> {
        let width = self.weight.inputs();
        let mut out = vec![0.0_f32; rows.len() * width];
        self.weight.rows(rows, &mut out);
        native::tensor(out, [rows.len(), width])
    }
}

impl Reparameterization for PackedWeight {
    const NAME: &'static str = "packed";

    /// The weight that products use, of the type of number and on the device of `stand_in`.
    ///
    /// # Panics
    /// If the parameter is to learn: no gradient would reach the packed weight.
    fn apply<const D: usize>(&self, stand_in: Tensor<D>) -> Tensor<D> {
        assert!(
            !stand_in.is_require_grad(),
            "a packed weight cannot learn; assemble the model to train it, or unpack it"
        );
        let shape = [self.weight.outputs(), self.weight.inputs()];
        let data = TensorData::new(self.weight.dequantise(), shape);
        let weight = Tensor::<2>::from_data(data, (&stand_in.device(), DType::F32));
        let weight = match self.kind {
            Packable::Linear => weight.transpose(),
            Packable::Embedding => weight,
        };
        weight.cast(stand_in.dtype()).reshape(stand_in.shape())
    }
}

/// Floats packed in `format`: `[output, input]` or, if they lie by inputs, the transpose of it.
pub(crate) fn quantised(format: Format, data: &TensorData, lies_by_outputs: bool) -> Packed {
    let pack = Pack {
        format,
        shape: [data.shape()[0], data.shape()[1]],
        lies_by_outputs,
    };
    match data.dtype() {
        DType::BF16 => pack.of::<bf16>(data.as_slice().expect("it is bf16")),
        DType::F16 => pack.of::<f16>(data.as_slice().expect("it is f16")),
        DType::F32 => pack.of::<f32>(data.as_slice().expect("it is f32")),
        _ => {
            let data = data.clone().convert::<f32>();
            pack.of::<f32>(data.as_slice().expect("it was converted"))
        }
    }
}

struct Pack {
    format: Format,
    shape: [usize; 2],
    lies_by_outputs: bool,
}

impl Pack {
    fn of<E: Element>(&self, values: &[E]) -> Packed {
        let matrix = Matrix::new(values, self.shape[0], self.shape[1]);
        let matrix = if self.lies_by_outputs {
            matrix
        } else {
            matrix.transposed()
        };
        Packed::quantise(self.format, matrix).expect("a format that is made of floats")
    }
}
