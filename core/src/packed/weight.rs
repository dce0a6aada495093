//! One packed weight.

use std::cell::RefCell;
use std::sync::Arc;

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::{DType, Tensor, TensorData, bf16, f16};
use menagerie_kernels::{Addends, Element, Format, Matrix, Packed};

use crate::native::{self, Numbers, Values};
use crate::parameters::Packable;

/// Neighbours that share a scale in q8 and q4.
const BLOCK: usize = 32;

/// A weight of a linear layer, `[in, out]`, or of an embedding table, `[row, feature]`. Clones share it.
#[derive(Module, Debug)]
pub struct PackedWeight {
    #[module(skip)]
    weight: Arc<Packed>,
    #[module(skip)]
    kind: Packable,
}

thread_local! {
    /// The weights whose values were asked for, while [`PackedWeight::asked_for`] listens on this thread.
    static ASKED: RefCell<Option<Vec<PackedWeight>>> = const { RefCell::new(None) };
}

impl PackedWeight {
    /// The weights whose values `ask` asks for on this thread, in its order; it gets their stand-ins. Burn shows a
    /// visitor the parameter and not what hangs on it.
    pub(super) fn asked_for(ask: impl FnOnce()) -> Vec<Self> {
        struct Listening;

        impl Drop for Listening {
            fn drop(&mut self) {
                ASKED.set(None);
            }
        }

        let _listening = Listening;
        ASKED.set(Some(Vec::new()));
        ask();
        ASKED.take().unwrap_or_default()
    }

    /// That of a parameter, if it is packed.
    ///
    /// # Panics
    /// If the parameter holds anything but its stand-in: somebody changed it, and the packed weight is as it was.
    pub(crate) fn at<const D: usize>(param: &Param<Tensor<D>>) -> Option<&Self> {
        let packed = param.reparameterization()?;
        assert!(
            native::is_one_number(param.base()),
            "a packed weight cannot be changed, and its parameter was; assemble the model to train it, or unpack it"
        );
        Some(packed)
    }

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

    /// What it is in its layer.
    pub(crate) fn kind(&self) -> Packable {
        self.kind
    }

    /// `[out, in]` of a linear layer, `[row, feature]` of a table.
    pub(crate) fn shape(&self) -> [usize; 2] {
        [self.weight.outputs(), self.weight.inputs()]
    }

    /// Whether its rows are whole blocks, as files hold them.
    pub(crate) fn has_whole_blocks(&self) -> bool {
        match self.format() {
            Format::Q8 | Format::Q4 => self.weight.inputs().is_multiple_of(BLOCK),
            // Others were made of blocks, or are numbers one by one.
            _ => true,
        }
    }

    /// Its blocks, row after row.
    ///
    /// # Panics
    /// If its rows are no whole blocks.
    pub(crate) fn to_blocks(&self) -> Vec<u8> {
        self.weight.to_blocks().expect("rows of whole blocks")
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// `x · weightᵀ + bias`: `[…, in]` -> `[…, out]`, of the input's type of number; the bias is `[out]`. `None` where
    /// they are not the CPU's, or belong to a graph: the product is then one with
    /// [`Param::val`](burn::module::Param::val).
    pub fn multiply<const D: usize>(
        &self,
        x: Tensor<D>,
        bias: Option<Tensor<1>>,
    ) -> Option<Tensor<D>> {
        let dtype = x.dtype();
        let mut shape = x.dims();
        shape[D - 1] = self.weight.outputs();
        let x = Values::of(x)?;
        let bias = match bias {
            Some(bias) => Some(Values::of(bias.cast(DType::F32))?),
            None => None,
        };
        let bias = match bias.as_ref().and_then(Values::numbers) {
            Some(Numbers::F32(bias)) => Some(bias),
            _ => None,
        };
        let addends = Addends {
            bias,
            residual: None,
        };
        let rows = shape[..D - 1].iter().product();
        let inputs = self.weight.inputs();
        let out = match x.numbers()? {
            Numbers::F32(x) => self.weight.product(Matrix::new(x, rows, inputs), addends),
            Numbers::Bf16(x) => self.weight.product(Matrix::new(x, rows, inputs), addends),
            Numbers::F16(x) => self.weight.product(Matrix::new(x, rows, inputs), addends),
        };
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
        let is_heard = ASKED.with_borrow_mut(|asked| {
            let asked = asked.as_mut();
            asked.map(|asked| asked.push(self.clone())).is_some()
        });
        if is_heard {
            return stand_in;
        }
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
