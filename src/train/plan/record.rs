//! A forward pass run on a device without memory: what it would compute, operation by operation.
//!
//! The network itself runs, whatever plugins the recipe names, so a plan needs no formula of any of
//! them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{CapturedGraph, DType, Device, Int, Tensor, TensorData, TensorId};
use burn_ir::{NumericOperationIr, OperationIr, TensorIr};
use menagerie_core::cache::KvCache;
use menagerie_core::image::Layout;
use menagerie_core::lora::{self, Form, Passes, Target};
use menagerie_core::native::{self, Mark, OnePass};
use menagerie_core::network::Network;
use menagerie_core::parameters::{ParameterInfo, parameters};
use menagerie_core::recipe::{Configured, LoraTable};
use menagerie_core::splice::Splice;
use menagerie_core::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie_core::{Context, Numbers, Recipe};

use super::error::PlanError;
use super::shape::{PassShape, SampleShape};
use crate::train::loss::Targets;

/// What was recorded.
#[derive(Debug)]
pub(super) struct Record {
    /// The parameters, in the network's order. One that only stands for a quantised weight has the
    /// single number that it holds.
    pub parameters: Vec<(ParameterInfo, TensorId)>,
    /// What is computed of them.
    pub operations: Vec<Operation>,
    /// Its pieces, in order.
    pub pieces: Vec<(Piece, Range<usize>)>,
}

/// Something that is computed.
#[derive(Debug)]
// Nearly all are of the large variant.
#[allow(clippy::large_enum_variant)]
pub(super) enum Operation {
    One(OperationIr),
    /// What a CPU does in one pass.
    OnePass(OnePass, Vec<OperationIr>),
}

/// A piece of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A block of encoder or decoder, which may be run again on the way back.
    Block,
    /// What is between blocks.
    Between,
    /// The hidden states of some targets, cut out of all.
    Cut,
    /// The loss of those.
    Loss,
}

const PIECES: [Piece; 4] = [Piece::Block, Piece::Between, Piece::Cut, Piece::Loss];
/// The first value of the tensor that marks where a piece begins. No pass computes with it.
const SIGN: i64 = 0x6d61_726b_6d61_726b;

/// What is recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorder<'r> {
    pub recipe: &'r Recipe,
    pub configured: &'r Configured,
    /// The adapter of the stage, and the weights that it lies on.
    pub lora: Option<(&'r LoraTable, &'r [Target])>,
}

impl Recorder<'_> {
    /// A forward pass in training, as [`Pass`](crate::train::Pass) does it, and the loss of the first
    /// `targets` targets.
    pub(super) fn pass(&self, shape: &PassShape, targets: usize) -> Result<Record, PlanError> {
        self.record(|network, device| {
            let rows: Vec<(Vec<i64>, Vec<i64>)> = shape.samples.iter().map(ids).collect();
            let rows: Vec<(&[i64], &[i64])> = rows
                .iter()
                .map(|(ids, labels)| (ids.as_slice(), labels.as_slice()))
                .collect();
            let ids: Vec<&[i64]> = rows.iter().map(|(ids, _)| *ids).collect();
            let layouts = shape.layouts();
            let counts = shape.square.of_each(&layouts);
            let splice = Splice::new(&ids, &counts, shape.padding);
            let all = Targets::new(&rows, &counts, &splice);
            let mut context = Context::new(&splice.rows, device);
            let images = self.pixels(shape.squares(), device).map(|pixels| {
                let squares = network.projector.forward(features(network, pixels));
                network.join(squares, &layouts, &shape.square)
            });
            let embeds = network.embed(&splice, images);
            let hidden = all.rows(hidden(network, embeds, &mut context));
            begin(Piece::Cut, device);
            let part = hidden.narrow(0, 0, targets.min(all.len()));
            begin(Piece::Loss, device);
            drop(all.loss(network, part, 0));
        })
    }

    /// The features of a square.
    pub(super) fn square(&self) -> Result<Record, PlanError> {
        self.record(|network, device| {
            let pixels = self.pixels(1, device).expect("a square has pixels");
            drop(network.vision.forward(pixels));
        })
    }

    /// Answers to prompts of these shapes, which show `distinct` images, at each mark the one of its
    /// place: the pass over the prompts, with a cache that holds `tokens` more.
    pub(super) fn answers(
        &self,
        shape: &PassShape,
        (distinct, places): (&[Layout], &[usize]),
        tokens: usize,
    ) -> Result<Record, PlanError> {
        self.record(|network, device| {
            let squares = distinct.iter().map(Layout::squares).sum();
            let images = self.pixels(squares, device).map(|pixels| {
                let squares = network.encode(pixels);
                network
                    .join(squares, distinct, &shape.square)
                    .choose(places)
            });
            let rows: Vec<Vec<i64>> = shape.samples.iter().map(|sample| ids(sample).0).collect();
            let rows: Vec<&[i64]> = rows.iter().map(Vec::as_slice).collect();
            let counts = shape.square.of_each(&shape.layouts());
            let splice = Splice::new(&rows, &counts, shape.padding);
            let layers = self.configured.llm_spec.num_layers;
            let cache = KvCache::new(layers, splice.width() + tokens);
            let mut context = Context::with_cache(&splice.rows, cache, device);
            let embeds = network.embed(&splice, images);
            let hidden = network.llm.forward(embeds, &mut context);
            let last = hidden.narrow(1, splice.width() - 1, 1);
            drop(network.llm.logits(last));
        })
    }

    fn pixels(&self, squares: usize, device: &Device) -> Option<Tensor<4>> {
        let side = self.configured.vision_spec.image_size;
        let pixels = || Tensor::<4>::zeros([squares, 3, side, side], (device, DType::F32));
        (squares > 0).then(|| pixels().cast(self.activations()))
    }

    /// The type of number that passes compute in. Narrower weights are multiplied as they are, so that none of
    /// their type shows in what is recorded.
    fn activations(&self) -> DType {
        Numbers::to_train(self.recipe.dtype).activations
    }

    fn record(&self, work: impl FnOnce(&Network, &Device)) -> Result<Record, PlanError> {
        let device = Device::capture();
        let network = RefCell::new(None);
        let captured = catch_unwind(AssertUnwindSafe(|| {
            device.capture_scope(|scope| {
                let made = self.network(&device);
                if let Ok(made) = &made {
                    read_all(made);
                    begin(Piece::Between, &device);
                    native::recorded(|| work(made, &device));
                }
                *network.borrow_mut() = Some(made);
                scope.complete([], [])
            })
        }));
        let network = network.into_inner().transpose()?;
        match (captured, network) {
            (Ok(Ok(captured)), Some(network)) => {
                Ok(Record::of(captured, self.parameters(&network)))
            }
            (Ok(Err(error)), _) => Err(PlanError::Recording(error.to_string())),
            (Ok(Ok(_)), None) => Err(PlanError::Recording(String::new())),
            (Err(panic), _) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Err(PlanError::Recording(text.unwrap_or_default()))
            }
        }
    }

    /// The network with its weights, which take no memory here.
    fn network(&self, device: &Device) -> Result<Network, PlanError> {
        let network = self.recipe.network(self.configured, device)?;
        let dtype = self.activations();
        let network = network.map(&mut Fill(dtype));
        let Some((table, targets)) = self.lora else {
            return Ok(network);
        };
        let form = Form {
            table,
            quantize: table.quantize,
            dtype,
            seed: self.recipe.seed,
            passes: Passes::default(),
        };
        Ok(lora::sketch(network, targets, &form))
    }

    fn parameters(&self, network: &Network) -> Vec<ParameterInfo> {
        let quantised = self.lora.filter(|(table, _)| table.quantize.is_some());
        let targets = quantised.map_or(&[][..], |(_, targets)| targets);
        let targets: HashSet<&str> = targets.iter().map(|target| target.path.as_str()).collect();
        let held = |info: ParameterInfo| {
            if targets.contains(info.path.as_str()) {
                ParameterInfo::planned(info.path, vec![1])
            } else {
                info
            }
        };
        parameters(network).into_iter().map(held).collect()
    }
}

/// `[image, channel, height, width]` -> `[image, token, feature]`
fn features(network: &Network, pixels: Tensor<4>) -> Tensor<3> {
    let Some(blocks) = network.vision.blocks() else {
        return network.vision.forward(pixels);
    };
    let embedded = blocks.embed(pixels);
    blocks.run(embedded, &mut |index, hidden| {
        as_block(hidden, |hidden| blocks.block(index, hidden))
    })
}

/// `[batch, token, hidden]` -> the same
fn hidden(network: &Network, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
    let Some(blocks) = network.llm.blocks() else {
        return network.llm.forward(embeds, context);
    };
    blocks.run(embeds, &mut |index, hidden| {
        as_block(hidden, |hidden| blocks.block(index, hidden, context))
    })
}

fn as_block(hidden: Tensor<3>, block: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
    let device = hidden.device();
    begin(Piece::Block, &device);
    let hidden = block(hidden);
    begin(Piece::Between, &device);
    hidden
}

/// Marks where a piece begins.
fn begin(piece: Piece, device: &Device) {
    let values = TensorData::new(vec![SIGN, piece as i64], [2]);
    drop(Tensor::<1, Int>::from_data(values, (device, DType::I64)));
}

impl Record {
    /// What the operations read and did not make.
    pub(super) fn outside(&self) -> Vec<&TensorIr> {
        let mut made: HashSet<TensorId> = HashSet::new();
        let mut found = Vec::new();
        for operation in &self.operations {
            let inputs = operation.inputs().into_iter();
            found.extend(inputs.filter(|tensor| !made.contains(&tensor.id)));
            made.extend(operation.outputs().map(|tensor| tensor.id));
        }
        found
    }

    fn of(captured: CapturedGraph, parameters: Vec<ParameterInfo>) -> Self {
        let (mut operations, values) = (captured.graph.operations, captured.values);
        // The first sum of each parameter ends the preparations.
        let sums = operations.iter().enumerate();
        let sums = sums.filter_map(|(place, operation)| match operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Sum(sum)) => {
                Some((place, sum.input.id))
            }
            _ => None,
        });
        let sums: Vec<(usize, TensorId)> = sums.take(parameters.len()).collect();
        let first = sums.last().map_or(0, |(place, _)| place + 1);
        let operations = one_passes(operations.split_off(first), &values);
        let marks = operations.iter().enumerate();
        let marks =
            marks.filter_map(|(place, operation)| Some((place, piece(operation, &values)?)));
        let marks: Vec<(usize, Piece)> = marks.collect();
        let ends = marks.iter().skip(1).map(|(place, _)| *place);
        let pieces = marks.iter().zip(ends.chain([operations.len()]));
        Self {
            parameters: parameters
                .into_iter()
                .zip(sums.into_iter().map(|(_, id)| id))
                .collect(),
            pieces: pieces
                .map(|(&(start, piece), end)| (piece, start + 1..end))
                .collect(),
            operations,
        }
    }
}

impl Operation {
    /// What is read of what others made.
    pub(super) fn inputs(&self) -> Vec<&TensorIr> {
        let operations = match self {
            Self::One(operation) => return operation.inputs().collect(),
            Self::OnePass(_, operations) => operations,
        };
        let mut made: HashSet<TensorId> = HashSet::new();
        let mut found: Vec<&TensorIr> = Vec::new();
        for operation in operations {
            for tensor in operation.inputs() {
                let is_known =
                    made.contains(&tensor.id) || found.iter().any(|before| before.id == tensor.id);
                if !is_known {
                    found.push(tensor);
                }
            }
            made.extend(operation.outputs().map(|tensor| tensor.id));
        }
        found
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = &TensorIr> {
        let last = match self {
            Self::One(operation) => Some(operation),
            Self::OnePass(_, operations) => operations.last(),
        };
        last.into_iter().flat_map(OperationIr::outputs)
    }
}

/// Operations, those between marks as one.
fn one_passes(
    operations: Vec<OperationIr>,
    values: &BTreeMap<TensorId, TensorData>,
) -> Vec<Operation> {
    let mut open: Option<(OnePass, Vec<OperationIr>)> = None;
    let mut found = Vec::new();
    for operation in operations {
        let made = match &operation {
            OperationIr::Init(init) => values.get(&init.out.id),
            _ => None,
        };
        match (made.and_then(Mark::of), &mut open) {
            (Some(Mark::Begin(what)), _) => open = Some((what, Vec::new())),
            (Some(Mark::End), _) => {
                let done = open.take();
                found.extend(done.map(|(what, within)| Operation::OnePass(what, within)));
            }
            (None, Some((_, within))) => within.push(operation),
            (None, None) => found.push(Operation::One(operation)),
        }
    }
    found
}

/// The piece that `operation` marks the beginning of.
fn piece(operation: &Operation, values: &BTreeMap<TensorId, TensorData>) -> Option<Piece> {
    let Operation::One(OperationIr::Init(init)) = operation else {
        return None;
    };
    let data = values.get(&init.out.id)?;
    if data.dtype() != DType::I64 || data.shape().as_slice() != [2] {
        return None;
    }
    let numbers: Vec<i64> = data.iter::<i64>().collect();
    match numbers.as_slice() {
        [SIGN, number] => PIECES.get(usize::try_from(*number).ok()?).copied(),
        _ => None,
    }
}

/// Reads every parameter, so that the record shows which tensor it is.
fn read_all<M: Module>(module: &M) {
    struct Reader;

    impl ModuleVisitor for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            drop(param.base().sum());
        }
    }

    module.visit(&mut Reader);
}

/// Token ids and labels of a sample.
fn ids(sample: &SampleShape) -> (Vec<i64>, Vec<i64>) {
    let images = sample.images.len();
    let mut ids = vec![0; images + sample.text];
    ids[..images].fill(IMAGE_TOKEN);
    let mut labels = vec![IGNORE; ids.len()];
    let learned = labels.len() - sample.supervised.min(sample.text);
    labels[learned..].fill(0);
    (ids, labels)
}

/// Makes every weight, in this dtype.
struct Fill(DType);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}
