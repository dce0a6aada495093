//! A forward pass run on a device without memory: what it would compute, operation by operation.
//!
//! It is the pass itself that runs, through whatever plugins the recipe names, so a plan needs no
//! formula of any of them.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Int, Tensor};
use burn_ir::{OperationIr, TensorId};
use menagerie_core::cache::KvCache;
use menagerie_core::network::Network;
use menagerie_core::recipe::Configured;
use menagerie_core::splice::{Padding, Splice};
use menagerie_core::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie_core::{Context, Recipe};

use super::error::PlanError;
use super::shape::{PassShape, RowShape};
use crate::train::loss::loss_sum;

/// What was recorded.
#[derive(Debug)]
pub(super) struct Record {
    /// The parameters, in the network's order.
    pub parameters: Vec<TensorId>,
    /// What is computed of them.
    pub operations: Vec<OperationIr>,
}

/// What is recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorder<'r> {
    pub recipe: &'r Recipe,
    pub configured: &'r Configured,
}

impl Recorder<'_> {
    /// A forward pass in training, up to the loss, which comes last.
    pub(super) fn pass(&self, shape: &PassShape) -> Result<Record, PlanError> {
        self.record(|network, device| {
            let images = self.pixels(shape.images(), device);
            let images = images.map(|pixels| network.encode(pixels));
            let rows: Vec<(Vec<i64>, Vec<i64>)> = shape.rows.iter().map(row_ids).collect();
            let rows: Vec<(&[i64], &[i64])> = rows
                .iter()
                .map(|(ids, labels)| (ids.as_slice(), labels.as_slice()))
                .collect();
            let visual = self.configured.projector_spec.visual_tokens;
            let (loss, _) = loss_sum(network, &rows, images, visual);
            drop(loss);
        })
    }

    /// Answers to prompts of these shapes, which show `distinct` images: the pass over the prompts,
    /// with a cache that holds `tokens` more.
    pub(super) fn answers(
        &self,
        shape: &PassShape,
        distinct: usize,
        tokens: usize,
    ) -> Result<Record, PlanError> {
        self.record(|network, device| {
            let images = self.pixels(distinct, device).map(|pixels| {
                let places = Tensor::<1, Int>::zeros([shape.images()], device);
                network.encode(pixels).select(0, places)
            });
            let rows: Vec<Vec<i64>> = shape.rows.iter().map(|row| row_ids(row).0).collect();
            let rows: Vec<&[i64]> = rows.iter().map(Vec::as_slice).collect();
            let visual = self.configured.projector_spec.visual_tokens;
            let splice = Splice::new(&rows, visual, Padding::Left);
            let layers = self.configured.llm_spec.num_layers;
            let cache = KvCache::new(layers, splice.width() + tokens);
            let mut context = Context::with_cache(&splice.rows, cache, device);
            let embeds = network.embed(&splice, images);
            let hidden = network.llm.forward(embeds, &mut context);
            let last = hidden.narrow(1, splice.width() - 1, 1);
            drop(network.llm.logits(last));
        })
    }

    fn pixels(&self, images: usize, device: &Device) -> Option<Tensor<4>> {
        let side = self.configured.vision_spec.image_size;
        let pixels = || Tensor::<4>::zeros([images, 3, side, side], (device, DType::F32));
        (images > 0).then(|| pixels().cast(DType::from(self.recipe.dtype)))
    }

    fn record(&self, work: impl FnOnce(&Network, &Device)) -> Result<Record, PlanError> {
        let device = Device::capture();
        let network = RefCell::new(None);
        let captured = catch_unwind(AssertUnwindSafe(|| {
            device.capture_scope(|scope| {
                let made = self.network(&device);
                if let Ok(made) = &made {
                    read_all(made);
                    work(made, &device);
                }
                *network.borrow_mut() = Some(made);
                scope.complete([], [])
            })
        }));
        let network = network.into_inner().transpose()?;
        match (captured, network) {
            (Ok(Ok(captured)), Some(network)) => {
                let count = menagerie_core::parameters::parameters(&network).len();
                Ok(Record::of(captured.graph.operations, count))
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
        Ok(network.map(&mut Fill(self.recipe.dtype.into())))
    }
}

impl Record {
    /// The first sum of each parameter ends the preparations.
    fn of(mut operations: Vec<OperationIr>, parameters: usize) -> Self {
        let is_sum = |operation: &OperationIr| {
            use burn_ir::NumericOperationIr::Sum;
            match operation {
                OperationIr::NumericFloat(_, Sum(sum)) => Some(sum.input.id),
                _ => None,
            }
        };
        let sums = operations.iter().enumerate();
        let sums = sums.filter_map(|(place, operation)| Some((place, is_sum(operation)?)));
        let sums: Vec<(usize, TensorId)> = sums.take(parameters).collect();
        let begin = sums.last().map_or(0, |(place, _)| place + 1);
        Self {
            parameters: sums.into_iter().map(|(_, id)| id).collect(),
            operations: operations.split_off(begin),
        }
    }
}

/// Reads every parameter, so that the record shows which tensor it is.
fn read_all<M: Module>(module: &M) {
    struct Reader;

    impl ModuleVisitor for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            drop(param.val().sum());
        }
    }

    module.visit(&mut Reader);
}

/// Token ids and labels of a row.
fn row_ids(row: &RowShape) -> (Vec<i64>, Vec<i64>) {
    let mut ids = vec![0; row.images + row.text];
    ids[..row.images].fill(IMAGE_TOKEN);
    let mut labels = vec![IGNORE; ids.len()];
    let learned = labels.len() - row.supervised.min(row.text);
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
