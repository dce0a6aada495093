//! Recorded operations put onto a tape, as Burn computes them where gradients flow.

use std::collections::HashMap;

use burn_ir::{
    ActivationOperationIr, BaseOperationIr, FloatOperationIr, ModuleOperationIr,
    NumericOperationIr, OperationIr, TensorId, TensorIr,
};
use menagerie_core::native::OnePass;

use super::flops::product_flops;
use super::record::Operation;
use super::tape::{Id, Kind, Place, Size, Tape};

/// Which tensor of a record is which of the tape.
pub(super) type Ids = HashMap<TensorId, Id>;

/// Puts operations onto a tape.
pub(super) struct Replay<'t> {
    tape: &'t mut Tape,
    ids: &'t mut Ids,
}

/// Puts `operations` onto `tape`, notes their results in `ids`, and gives the last.
pub(super) fn replay(tape: &mut Tape, ids: &mut Ids, operations: &[Operation]) -> Option<Id> {
    let mut replay = Replay { tape, ids };
    let made = operations.iter().map(|operation| match operation {
        Operation::One(one) => replay.one(one),
        Operation::OnePass(what, within) => replay.one_pass(*what, within, operation),
    });
    made.last().flatten()
}

impl Replay<'_> {
    /// The tape's tensor. One that was made before the record begins is as large as it is here.
    fn id(&mut self, tensor: &TensorIr) -> Id {
        if let Some(id) = self.ids.get(&tensor.id) {
            return *id;
        }
        let id = self.tape.source(size(tensor), Kind::Activations, false);
        self.ids.insert(tensor.id, id);
        id
    }

    /// Its first result.
    fn one(&mut self, operation: &OperationIr) -> Option<Id> {
        let inputs: Vec<Id> = operation.inputs().map(|tensor| self.id(tensor)).collect();
        let outputs: Vec<TensorIr> = operation.outputs().cloned().collect();
        let out = outputs.first()?;
        let made = self.result(operation, &inputs, size(out));
        self.ids.insert(out.id, made);
        for more in &outputs[1..] {
            let made = self.tape.make(inputs.clone(), size(more), Place::New, 0.0);
            self.ids.insert(more.id, made);
        }
        Some(made)
    }

    /// What a CPU does in one pass. Marks that hide keys take no memory there.
    fn one_pass(
        &mut self,
        what: OnePass,
        within: &[OperationIr],
        operation: &Operation,
    ) -> Option<Id> {
        let inputs = operation.inputs().into_iter();
        let inputs = inputs.filter(|tensor| tensor.dtype.is_float());
        let inputs: Vec<Id> = inputs.map(|tensor| self.id(tensor)).collect();
        let out = operation.outputs().next()?;
        let flops = within.iter().map(product_flops).sum();
        let made = self.tape.one_pass(what, &inputs, size(out), flops);
        self.ids.insert(out.id, made);
        Some(made)
    }

    fn result(&mut self, operation: &OperationIr, inputs: &[Id], out: Size) -> Id {
        match operation {
            OperationIr::BaseFloat(base)
            | OperationIr::BaseInt(base)
            | OperationIr::BaseBool(base) => self.base(base, inputs, out),
            OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
                self.numeric(numeric, inputs, out)
            }
            OperationIr::Float(_, float) => self.float(float, operation, inputs, out),
            OperationIr::Activation(activation) => self.activation(activation, inputs, out),
            OperationIr::Module(module) => self.module(module, operation, inputs, out),
            _ => self.tape.unknown(inputs, out, product_flops(operation)),
        }
    }

    fn base(&mut self, base: &BaseOperationIr, inputs: &[Id], out: Size) -> Id {
        use BaseOperationIr as Base;
        let tape = &mut *self.tape;
        match base {
            Base::Reshape(_) => tape.view(inputs[0], out, Place::Reshaped),
            Base::SwapDims(_) | Base::Permute(_) | Base::Flip(_) | Base::Expand(_) => {
                tape.view(inputs[0], out, Place::View)
            }
            Base::Cast(cast) if cast.input.dtype == cast.out.dtype => {
                tape.view(inputs[0], out, Place::Reshaped)
            }
            Base::Cast(_) => tape.scale(inputs[0], &[], out, Place::New),
            Base::Slice(_) | Base::Unfold(_) => tape.choose(inputs[0], &[], out, Place::View),
            Base::Select(_) | Base::Gather(_) | Base::GatherNd(_) => {
                tape.choose(inputs[0], &inputs[1..], out, Place::New)
            }
            Base::MaskFill(_) => tape.scale(inputs[0], &inputs[1..], out, Place::Over),
            Base::SliceAssign(_) if !tape.is_tracked(inputs[0]) && !tape.is_tracked(inputs[1]) => {
                tape.make(inputs.to_vec(), out, Place::Over, 0.0)
            }
            Base::Cat(_) if inputs.len() == 1 => tape.view(inputs[0], out, Place::Reshaped),
            Base::Cat(_) => tape.join(inputs, out),
            _ => tape.unknown(inputs, out, 0.0),
        }
    }

    fn numeric(&mut self, numeric: &NumericOperationIr, inputs: &[Id], out: Size) -> Id {
        use NumericOperationIr as Numeric;
        let tape = &mut *self.tape;
        match numeric {
            Numeric::Add(_) | Numeric::Sub(_) => tape.add(inputs, out),
            Numeric::Mul(_) => tape.multiply(inputs, out),
            Numeric::Div(_) => tape.divide(inputs, out),
            Numeric::AddScalar(_)
            | Numeric::SubScalar(_)
            | Numeric::MulScalar(_)
            | Numeric::DivScalar(_)
            | Numeric::Neg(_) => tape.scale(inputs[0], &[], out, Place::Over),
            Numeric::PowiScalar(power) if is_two(&power.rhs) => {
                tape.multiply(&[inputs[0], inputs[0]], out)
            }
            Numeric::PowiScalar(_)
            | Numeric::Abs(_)
            | Numeric::Clamp(_)
            | Numeric::ClampMin(_)
            | Numeric::ClampMax(_) => tape.function(inputs[0], out),
            Numeric::MeanDim(_)
            | Numeric::Mean(_)
            | Numeric::Sum(_)
            | Numeric::SumDim(_)
            | Numeric::SumDims(_) => tape.sum(inputs[0], out),
            Numeric::Full(_) => tape.make(Vec::new(), out, Place::New, 0.0),
            _ => tape.unknown(inputs, out, 0.0),
        }
    }

    fn float(
        &mut self,
        float: &FloatOperationIr,
        operation: &OperationIr,
        inputs: &[Id],
        out: Size,
    ) -> Id {
        use FloatOperationIr as Float;
        let tape = &mut *self.tape;
        match float {
            Float::Matmul(_) => tape.matmul(inputs, out, product_flops(operation)),
            Float::Exp(_)
            | Float::Log(_)
            | Float::Log1p(_)
            | Float::Erf(_)
            | Float::PowfScalar(_)
            | Float::Sqrt(_)
            | Float::Cos(_)
            | Float::Sin(_)
            | Float::Tanh(_)
            | Float::Recip(_) => tape.function(inputs[0], out),
            _ => tape.unknown(inputs, out, product_flops(operation)),
        }
    }

    /// Softmax and its logarithm are one pass where no gradient flows, and else are computed in
    /// parts.
    fn activation(&mut self, activation: &ActivationOperationIr, inputs: &[Id], out: Size) -> Id {
        use ActivationOperationIr as Activation;
        let flows = self.tape.is_tracked(inputs[0]);
        let tape = &mut *self.tape;
        match activation {
            Activation::Softmax(_) if flows => {
                let shifted = shifted(tape, inputs[0], &out);
                let exponentials = tape.function(shifted, out.clone());
                let sum = tape.sum(exponentials, row(&out));
                tape.divide(&[exponentials, sum], out)
            }
            Activation::LogSoftmax(_) => {
                let shifted = shifted(tape, inputs[0], &out);
                let exponentials = tape.function(shifted, out.clone());
                let sum = tape.sum(exponentials, row(&out));
                let logarithm = tape.function(sum, row(&out));
                tape.add(&[shifted, logarithm], out)
            }
            Activation::Softmax(_) => tape.make(inputs.to_vec(), out, Place::New, 0.0),
            Activation::Relu(_)
            | Activation::Gelu(_)
            | Activation::Sigmoid(_)
            | Activation::LogSigmoid(_) => tape.function(inputs[0], out),
            _ => tape.unknown(inputs, out, 0.0),
        }
    }

    fn module(
        &mut self,
        module: &ModuleOperationIr,
        operation: &OperationIr,
        inputs: &[Id],
        out: Size,
    ) -> Id {
        use ModuleOperationIr as Module;
        let flops = product_flops(operation);
        match module {
            Module::Linear(_) => self.tape.linear(inputs, out, flops),
            Module::Embedding(_) => {
                let tape = &mut *self.tape;
                tape.choose(inputs[0], &inputs[1..], out, Place::New)
            }
            Module::LayerNorm(_) => self.layer_norm(inputs, out),
            _ => self.tape.unknown(inputs, out, flops),
        }
    }

    /// `(x − mean) / √(mean((x − mean)²) + ε) · gamma + beta`, in parts.
    fn layer_norm(&mut self, inputs: &[Id], out: Size) -> Id {
        let tape = &mut *self.tape;
        let mean = tape.sum(inputs[0], row(&out));
        let centered = tape.add(&[inputs[0], mean], out.clone());
        let square = tape.multiply(&[centered, centered], out.clone());
        let variance = tape.sum(square, row(&out));
        let variance = tape.scale(variance, &[], row(&out), Place::Over);
        let deviation = tape.function(variance, row(&out));
        let normed = tape.divide(&[centered, deviation], out.clone());
        let scaled = tape.multiply(&[normed, inputs[1]], out.clone());
        match inputs.get(2) {
            Some(beta) => tape.add(&[scaled, *beta], out),
            None => scaled,
        }
    }
}

/// `x` less its largest number, which no gradient flows through.
fn shifted(tape: &mut Tape, x: Id, size: &Size) -> Id {
    let largest = tape.make(vec![x], row(size), Place::New, 0.0);
    tape.add(&[x, largest], size.clone())
}

/// One number a row.
fn row(size: &Size) -> Size {
    let mut row = size.clone();
    if let Some(last) = row.shape.last_mut() {
        *last = 1;
    }
    row
}

fn is_two(power: &burn_ir::ScalarIr) -> bool {
    use burn_ir::ScalarIr;
    match power {
        ScalarIr::Int(power) => *power == 2,
        ScalarIr::UInt(power) => *power == 2,
        ScalarIr::Float(power) => *power == 2.0,
        ScalarIr::Bool(_) => false,
    }
}

pub(super) fn size(tensor: &TensorIr) -> Size {
    Size {
        shape: tensor.shape.as_slice().to_vec(),
        dtype: tensor.dtype,
    }
}
