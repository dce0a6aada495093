//! Operations of our own with a gradient of their own.

use std::fmt::Debug;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;

/// An operation on `N` tensors of the CPU.
pub(crate) trait Fused<const N: usize>: Debug + Send + Clone + 'static {
    /// What the way back reads.
    type Saved: Debug + Send + Clone + 'static;

    /// The result, where nobody goes back.
    fn forward(&self, inputs: [FlexTensor; N]) -> FlexTensor {
        self.forward_saving(inputs).0
    }

    /// The result, and what the way back reads.
    fn forward_saving(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved);

    /// The gradients of the inputs that want one, from that of the result.
    fn backward(
        &self,
        saved: Self::Saved,
        gradient: FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// A tensor that an operation reads.
#[derive(Debug)]
pub(crate) enum Input {
    Plain(FlexTensor),
    Graph(FloatTensor<Autodiff<Flex>>),
}

impl Input {
    /// Nothing where the tensor is not the CPU's.
    pub(crate) fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        if tensor.is_autodiff() {
            let tensor = tensor.try_into_primitive::<Autodiff<Flex>>();
            return tensor.ok().map(Self::Graph);
        }
        tensor.try_into_primitive::<Flex>().ok().map(Self::Plain)
    }

    /// Of a tensor that [`fuses`](super::fuses) holds for.
    pub(super) fn fused<const D: usize>(tensor: Tensor<D>) -> Self {
        Self::of(tensor).expect("it is the CPU's")
    }
}

/// Runs `operation`, and records it where an input belongs to a graph.
// An operation is a few numbers, and the graph keeps it.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn run<F: Fused<N>, const N: usize, const D: usize>(
    operation: F,
    inputs: [Input; N],
) -> Tensor<D> {
    if inputs.iter().all(|input| matches!(input, Input::Plain(_))) {
        let inputs = inputs.map(|input| match input {
            Input::Plain(tensor) => tensor,
            Input::Graph(_) => unreachable!("all of them are plain"),
        });
        return Tensor::from_primitive::<Flex>(operation.forward(inputs));
    }
    let inputs = inputs.map(|input| match input {
        Input::Plain(tensor) => FloatTensor::<Autodiff<Flex>>::new(tensor),
        Input::Graph(tensor) => tensor,
    });
    let nodes = inputs.each_ref().map(FloatTensor::<Autodiff<Flex>>::node);
    let inputs = inputs.map(FloatTensor::<Autodiff<Flex>>::into_primitive);
    let prepared = Step(operation.clone()).prepare::<NoCheckpointing>(nodes);
    let out = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (out, saved) = operation.forward_saving(inputs);
            prepared.finish(saved, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operation.forward(inputs)),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(out)
}

/// An operation as a step of the graph.
#[derive(Debug)]
struct Step<F>(F);

impl<F: Fused<N>, const N: usize> Backward<Flex, N> for Step<F> {
    type State = F::Saved;

    fn backward(
        self,
        ops: Ops<F::Saved, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let parents = ops.parents.each_ref();
        let ids: [Option<NodeId>; N] = parents.map(|parent| parent.as_ref().map(|node| node.id));
        let wanted = ids.map(|id| id.is_some());
        let found = self.0.backward(ops.state, gradient, wanted);
        for (id, gradient) in ids.into_iter().zip(found) {
            if let (Some(id), Some(gradient)) = (id, gradient) {
                gradients.register::<Flex>(id, gradient);
            }
        }
    }
}

/// The numbers of an f32 tensor that lies in order.
pub(crate) fn f32s(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("f32, in order")
}
