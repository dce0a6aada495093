//! What a CPU does in one pass, where passes are recorded and not computed.
//!
//! A device that records has no memory that a kernel could read. Burn's own operations are recorded in its place,
//! between two marks, so that whoever reads the record can take them for one.

use std::cell::Cell;

use burn::tensor::{DType, Int, Tensor, TensorData};

/// What is done in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnePass {
    /// A function of every number.
    Activation,
    /// A soft cap, whose gradient reads its result.
    SoftCap,
    /// `f(gate) · x`, of the gate and `x`.
    Gate,
    /// A norm, of rows and its parameters.
    Norm,
    /// Rotary positions, of queries or keys and of angles.
    Rotary,
    /// The loss, of logits and of tokens.
    Loss,
    /// Attention, of queries, keys and values.
    Attention,
}

/// The two ends of what is done in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mark {
    Begin(OnePass),
    End,
}

const ALL: [OnePass; 7] = [
    OnePass::Activation,
    OnePass::SoftCap,
    OnePass::Gate,
    OnePass::Norm,
    OnePass::Rotary,
    OnePass::Loss,
    OnePass::Attention,
];

/// The first number of a mark. No pass computes with it.
const SIGN: i64 = 0x6f6e_6520_7061_7373;

thread_local! {
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which computes on a device that records, for a CPU.
pub fn recorded<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            RECORDS.set(self.0);
        }
    }

    let _before = Before(RECORDS.replace(true));
    work()
}

/// What `composed` computes of `x` and others, between marks where that is [`recorded`] and a CPU would do it in one pass.
pub(crate) fn one_pass<const D: usize, const E: usize>(
    what: OnePass,
    x: Tensor<D>,
    composed: impl FnOnce(Tensor<D>) -> Tensor<E>,
) -> Tensor<E> {
    if !RECORDS.get() || x.dtype() != DType::F32 {
        return composed(x);
    }
    let device = x.device().inner();
    let mark = |number: i64| {
        let values = TensorData::new(vec![SIGN, number], [2]);
        drop(Tensor::<1, Int>::from_data(values, (&device, DType::I64)));
    };
    mark(what as i64);
    let out = composed(x);
    mark(-1);
    out
}

impl Mark {
    /// The mark that a recorded tensor of these values is.
    #[must_use]
    pub fn of(data: &TensorData) -> Option<Self> {
        if data.dtype() != DType::I64 || data.shape().as_slice() != [2] {
            return None;
        }
        match data.iter::<i64>().collect::<Vec<i64>>().as_slice() {
            [SIGN, -1] => Some(Self::End),
            [SIGN, number] => {
                let what = ALL.get(usize::try_from(*number).ok()?)?;
                Some(Self::Begin(*what))
            }
            _ => None,
        }
    }
}
