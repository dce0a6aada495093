//! A training step on a tape: forward, backward, update.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::DType;
use burn_ir::TensorId;
use menagerie_core::parameters::ParameterInfo;

use super::memory::{Held, fullest};
use super::record::Record;
use super::replay::Replay;
use super::tape::{Id, Kind, Place, Size, Tape};

/// What a parameter has on the tape.
struct Parameter {
    weight: Id,
    /// Its gradient's means, and the weight in f32 where that is narrower. Nothing if it is frozen.
    state: Vec<Id>,
}

/// A step, computed without numbers.
pub(super) struct Step {
    tape: Tape,
    parameters: Vec<Parameter>,
    /// The parameters in the record.
    ids: HashMap<TensorId, Id>,
    passes: Range<usize>,
    update: Range<usize>,
}

impl Step {
    /// The step that takes `passes` passes like `record`. `all` are the parameters in the record's
    /// order, and `learns` says which of them learn.
    pub(super) fn of(
        record: &Record,
        all: &[ParameterInfo],
        learns: impl Fn(&str) -> bool,
        dtype: DType,
        vocab_size: usize,
        passes: usize,
    ) -> Self {
        let mut step = Self::begin(record, all, learns, dtype, vocab_size);
        let mut gradients: HashMap<Id, Id> = HashMap::new();
        for _ in 0..passes {
            step.pass(record, &mut gradients);
        }
        step.passes.end = step.tape.events.len();
        step.update(&gradients);
        step.update = step.passes.end..step.tape.events.len();
        step
    }

    /// The fullest moment of a forward pass like `record` where nothing learns.
    pub(super) fn forward(
        record: &Record,
        all: &[ParameterInfo],
        dtype: DType,
        vocab_size: usize,
    ) -> Held {
        let mut step = Self::begin(record, all, |_| false, dtype, vocab_size);
        Replay::run(&mut step.tape, step.ids.clone(), &record.operations);
        let weights = step.parameters.iter().map(|parameter| parameter.weight);
        step.tape.read(weights.collect());
        fullest(&step.tape, step.passes.start..step.tape.events.len())
    }

    fn begin(
        record: &Record,
        all: &[ParameterInfo],
        learns: impl Fn(&str) -> bool,
        dtype: DType,
        vocab_size: usize,
    ) -> Self {
        let mut step = Self {
            tape: Tape::new(vocab_size),
            parameters: Vec::new(),
            ids: HashMap::new(),
            passes: 0..0,
            update: 0..0,
        };
        for (info, id) in all.iter().zip(&record.parameters) {
            let parameter = step.parameter(info, learns(&info.path), dtype);
            step.ids.insert(*id, parameter.weight);
            step.parameters.push(parameter);
        }
        step.passes.start = step.tape.events.len();
        step
    }

    /// The fullest moment of the passes.
    pub(super) fn passes(&self) -> Held {
        fullest(&self.tape, self.passes.clone())
    }

    /// The fullest moment of the update.
    pub(super) fn updates(&self) -> Held {
        fullest(&self.tape, self.update.clone())
    }

    /// Multiplications and additions of matrix products.
    pub(super) fn flops(&self) -> f64 {
        self.tape.events.iter().map(|event| event.flops).sum()
    }

    fn parameter(&mut self, info: &ParameterInfo, learns: bool, dtype: DType) -> Parameter {
        let shape = info.shape.clone();
        let own = Size { shape, dtype };
        let flat = Size {
            shape: vec![info.len()],
            dtype: DType::F32,
        };
        let kinds = match (learns, dtype) {
            (false, _) => 0,
            (true, DType::F32) => 2,
            (true, _) => 3,
        };
        let weight = self.tape.source(own, Kind::Weights, learns);
        let state = (0..kinds).map(|_| self.tape.source(flat.clone(), Kind::Optimizer, false));
        Parameter {
            weight,
            state: state.collect(),
        }
    }

    fn pass(&mut self, record: &Record, gradients: &mut HashMap<Id, Id>) {
        let loss = Replay::run(&mut self.tape, self.ids.clone(), &record.operations);
        let fresh = loss.map(|loss| self.tape.backward(loss)).unwrap_or_default();
        // In the network's order, as they are collected.
        for parameter in &self.parameters {
            let Some(&gradient) = fresh.get(&parameter.weight) else {
                continue;
            };
            let size = Size {
                shape: vec![self.tape.size(gradient).count()],
                dtype: DType::F32,
            };
            let place = match self.tape.size(gradient).dtype {
                DType::F32 => Place::Reshaped,
                _ => Place::New,
            };
            let flat = self.tape.make(vec![gradient], size.clone(), place, 0.0);
            self.tape.set_kind(flat, Kind::Gradients);
            let sum = match gradients.get(&parameter.weight) {
                None => flat,
                Some(&before) => self.tape.make(vec![before, flat], size, Place::InPlace, 0.0),
            };
            self.tape.set_kind(sum, Kind::Gradients);
            gradients.insert(parameter.weight, sum);
        }
        let kept = gradients.values().copied().collect();
        self.tape.read(kept);
    }

    /// As [`AdamW`](crate::train::AdamW) does it. Gradients stay to the end of the step.
    fn update(&mut self, gradients: &HashMap<Id, Id>) {
        let tape = &mut self.tape;
        for parameter in &self.parameters {
            let Some(&gradient) = gradients.get(&parameter.weight) else {
                continue;
            };
            let flat = tape.size(gradient).clone();
            let square = tape.make(vec![gradient], flat.clone(), Place::New, 0.0);
            tape.read(vec![square]);
        }
        let mut kept: Vec<Id> = gradients.values().copied().collect();
        for parameter in &self.parameters {
            let size = tape.size(parameter.weight).clone();
            let Some(&gradient) = gradients.get(&parameter.weight) else {
                kept.push(parameter.weight);
                kept.extend(&parameter.state);
                continue;
            };
            let flat = tape.size(gradient).clone();
            let mut state = Vec::new();
            for moment in &parameter.state[..2] {
                let fresh = tape.make(vec![gradient], flat.clone(), Place::New, 0.0);
                let reads = vec![*moment, fresh];
                state.push(tape.make(reads, flat.clone(), Place::InPlace, 0.0));
            }
            let root = tape.make(vec![state[1]], flat.clone(), Place::New, 0.0);
            let change = tape.make(vec![root, state[0]], flat.clone(), Place::InPlace, 0.0);
            let weight = match parameter.state.get(2) {
                None => tape.make(vec![parameter.weight, change], size, Place::InPlace, 0.0),
                Some(master) => {
                    let master = tape.make(vec![*master, change], flat, Place::InPlace, 0.0);
                    state.push(master);
                    tape.make(vec![master, parameter.weight], size, Place::New, 0.0)
                }
            };
            tape.set_kind(weight, Kind::Weights);
            kept.push(weight);
            kept.extend(state);
        }
        tape.read(kept);
    }
}
