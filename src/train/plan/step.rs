//! A training step on a tape: forward, backward, update.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::DType;
use menagerie_core::Numbers;
use menagerie_core::parameters::ParameterInfo;

use super::memory::{Held, fullest, resident};
use super::record::{Operation, Piece, Record};
use super::replay::{Ids, replay, size};
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
    /// Tensors of the network that are no parameters.
    others: Vec<Id>,
    /// All of them in the record.
    ids: Ids,
    passes: Range<usize>,
    update: Range<usize>,
}

/// How a step is made of passes like the one recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeats {
    /// Passes of a step.
    pub passes: usize,
    /// Losses of a pass, each of as many targets as were recorded.
    pub losses: usize,
    /// Whether blocks keep their input alone and are run again on the way back.
    pub checkpoint_blocks: bool,
}

/// What of a network its parameters' shapes do not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub numbers: Numbers,
    pub vocab_size: usize,
}

/// A piece of a forward pass, with the way back from it.
struct Done<'r> {
    /// Where on the tape its way back begins.
    place: usize,
    out: Id,
    /// The operations, if they were not noted and are to be run again.
    again: Option<&'r [Operation]>,
}

impl Step {
    /// The step that `record` is a pass of. `learns` says which parameters learn.
    pub(super) fn of(
        record: &Record,
        learns: impl Fn(&str) -> bool,
        about: About,
        repeats: Repeats,
    ) -> Self {
        let mut step = Self::begin(record, learns, about);
        let mut gradients = HashMap::new();
        for _ in 0..repeats.passes {
            step.pass(record, repeats, &mut gradients);
        }
        step.passes.end = step.tape.events.len();
        step.update(&gradients);
        step.update = step.passes.end..step.tape.events.len();
        step
    }

    /// The fullest moment of a forward pass like `record` where nothing learns, and what the process
    /// holds for it.
    pub(super) fn forward(record: &Record, about: About) -> (Held, u64) {
        let mut step = Self::begin(record, |_| false, about);
        replay(&mut step.tape, &mut step.ids, &record.operations);
        let weights = step.parameters.iter().map(|parameter| parameter.weight);
        step.tape.read(weights.chain(step.others.clone()).collect());
        let events = step.passes.start..step.tape.events.len();
        (fullest(&step.tape, events), resident(&step.tape))
    }

    /// Multiplications and additions of a forward pass like `record` where nothing learns.
    pub(super) fn forward_flops(record: &Record, about: About) -> f64 {
        let mut step = Self::begin(record, |_| false, about);
        replay(&mut step.tape, &mut step.ids, &record.operations);
        step.flops()
    }

    fn begin(record: &Record, learns: impl Fn(&str) -> bool, about: About) -> Self {
        let mut step = Self {
            tape: Tape::new(about.vocab_size),
            parameters: Vec::new(),
            others: Vec::new(),
            ids: HashMap::new(),
            passes: 0..0,
            update: 0..0,
        };
        for (info, id) in &record.parameters {
            let parameter =
                step.parameter(info, learns(&info.path), about.numbers.of(info.packable));
            step.ids.insert(*id, parameter.weight);
            step.parameters.push(parameter);
        }
        // What else there is of the network: quantised weights, tables.
        for tensor in record.outside() {
            let size = size(tensor);
            step.ids.entry(tensor.id).or_insert_with(|| {
                let id = step.tape.source(size, Kind::Weights, false);
                step.others.push(id);
                id
            });
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

    /// What the process holds for the step.
    pub(super) fn resident(&self) -> u64 {
        let fullest = self.passes().total().max(self.updates().total());
        resident(&self.tape).max(fullest)
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

    /// A pass as [`Pass`](crate::train::Pass) does it: forward in pieces, the loss and its way back
    /// for some targets after others, and the way back through the pieces.
    fn pass(&mut self, record: &Record, repeats: Repeats, gradients: &mut HashMap<Id, Id>) {
        let mut ids = self.ids.clone();
        let (mut done, mut rows): (Vec<Done<'_>>, Option<Id>) = (Vec::new(), None);
        let (mut cut, mut loss): (&[Operation], &[Operation]) = (&[], &[]);
        for (piece, range) in &record.pieces {
            let operations = &record.operations[range.clone()];
            match piece {
                Piece::Cut => cut = operations,
                Piece::Loss => loss = operations,
                Piece::Block | Piece::Between => {
                    let again = *piece == Piece::Block && repeats.checkpoint_blocks;
                    let again = again && rows.is_some_and(|rows| self.tape.is_tracked(rows));
                    if let Some(piece) = self.piece(&mut ids, operations, again) {
                        rows = Some(piece.out);
                        done.push(piece);
                    }
                }
            }
        }
        let Some(rows) = rows else { return };
        let mut fresh = HashMap::new();
        let mut incoming = Vec::new();
        for _ in 0..repeats.losses {
            incoming.extend(self.loss(&mut ids, cut, loss, &mut fresh));
        }
        if self.tape.is_tracked(rows) && !incoming.is_empty() {
            let size = self.tape.size(rows).clone();
            let own = self.tape.make(incoming, size.clone(), Place::New, 0.0);
            let product = self
                .tape
                .make(vec![rows, own], size.clone(), Place::Over, 0.0);
            self.tape.read(vec![product]);
            let seed = self.tape.make(vec![own], size, Place::Over, 0.0);
            fresh.insert(rows, seed);
            for piece in done.into_iter().rev() {
                self.back(&piece, &mut ids, &mut fresh);
            }
        }
        self.collect(&fresh, gradients);
    }

    /// Puts a piece of the forward pass onto the tape; nothing if it computes nothing.
    fn piece<'r>(
        &mut self,
        ids: &mut Ids,
        operations: &'r [Operation],
        again: bool,
    ) -> Option<Done<'r>> {
        let place = self.tape.place();
        if !again {
            let out = replay(&mut self.tape, ids, operations)?;
            return Some(Done {
                place,
                out,
                again: None,
            });
        }
        let out = self.tape.untracked(|tape| replay(tape, ids, operations))?;
        self.tape.track(out);
        Some(Done {
            place,
            out,
            again: Some(operations),
        })
    }

    /// Goes back through a piece.
    fn back(&mut self, piece: &Done<'_>, ids: &mut Ids, gradients: &mut HashMap<Id, Id>) {
        let mut place = piece.place;
        if let Some(operations) = piece.again {
            let Some(gradient) = gradients.remove(&piece.out) else {
                return;
            };
            place = self.tape.place();
            let known = ids.clone();
            if let Some(out) = replay(&mut self.tape, ids, operations) {
                // The sum of the products with the gradient is what is differentiated.
                let size = self.tape.size(out).clone();
                let product = self
                    .tape
                    .make(vec![out, gradient], size.clone(), Place::New, 0.0);
                self.tape.read(vec![product]);
                let seed = self.tape.make(vec![gradient], size, Place::Over, 0.0);
                gradients.insert(out, seed);
            }
            *ids = known;
        }
        self.tape.back_to(place, gradients);
    }

    /// The loss of some targets and the way back to their hidden states, whose gradient it gives.
    fn loss(
        &mut self,
        ids: &mut Ids,
        cut: &[Operation],
        loss: &[Operation],
        gradients: &mut HashMap<Id, Id>,
    ) -> Option<Id> {
        let tracked = cut.iter().flat_map(Operation::inputs);
        let tracked = tracked.filter_map(|tensor| ids.get(&tensor.id));
        let learns_below = tracked.into_iter().any(|id| self.tape.is_tracked(*id));
        let part = self.tape.untracked(|tape| replay(tape, ids, cut))?;
        if learns_below {
            self.tape.track(part);
        }
        let place = self.tape.place();
        let loss = replay(&mut self.tape, ids, loss)?;
        if !self.tape.is_tracked(loss) {
            return None;
        }
        let size = self.tape.size(loss).clone();
        let ones = self.tape.make(Vec::new(), size, Place::New, 0.0);
        gradients.insert(loss, ones);
        self.tape.back_to(place, gradients);
        gradients.remove(&part)
    }

    /// Takes a pass's gradients, in the network's order, and adds them to those of the passes before.
    fn collect(&mut self, fresh: &HashMap<Id, Id>, gradients: &mut HashMap<Id, Id>) {
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
                Some(&before) => self.tape.make(vec![before, flat], size, Place::Over, 0.0),
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
        kept.extend(&self.others);
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
                state.push(tape.make(reads, flat.clone(), Place::Over, 0.0));
            }
            let root = tape.make(vec![state[1]], flat.clone(), Place::New, 0.0);
            let change = tape.make(vec![root, state[0]], flat.clone(), Place::Over, 0.0);
            let weight = match parameter.state.get(2) {
                None => tape.make(vec![parameter.weight, change], size, Place::Over, 0.0),
                Some(master) => {
                    let master = tape.make(vec![*master, change], flat, Place::Over, 0.0);
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
