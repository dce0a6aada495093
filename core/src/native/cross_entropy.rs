//! The loss of next-token prediction.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::CrossEntropy;

use super::fused::{Fused, Input, run};
use super::memory::{changed, dense, own, values, values_mut, vector};

/// `−Σ ln softmax(logits)[target]` over the rows of `[…, vocab]`, one for each target, of logits that
/// [`fuses`](super::fuses) holds for. Their gradient is written over them.
pub(crate) fn cross_entropy<const D: usize>(logits: Tensor<D>, targets: Vec<usize>) -> Tensor<1> {
    let targets = Arc::new(targets);
    run(Loss { targets }, [Input::fused(logits)])
}

#[derive(Debug, Clone)]
struct Loss {
    targets: Arc<Vec<usize>>,
}

impl Loss {
    /// The kernel, and room for a loss of each row.
    fn of(&self, logits: &FlexTensor) -> (CrossEntropy<'_>, Vec<f32>) {
        let vocab = logits.layout().shape().last().copied().unwrap_or(1);
        let losses = vec![0.0_f32; self.targets.len()];
        (CrossEntropy::new(&self.targets, vocab), losses)
    }
}

#[allow(clippy::cast_possible_truncation)]
fn scalar(value: f64) -> FlexTensor {
    vector(vec![value as f32])
}

impl Fused<1> for Loss {
    /// The gradient of the logits.
    type Saved = FlexTensor;

    fn forward(&self, [logits]: [FlexTensor; 1]) -> FlexTensor {
        let logits = dense(logits);
        let (loss, mut losses) = self.of(&logits);
        scalar(loss.forward(values(&logits), &mut losses))
    }

    fn forward_saving(&self, [logits]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let mut gradient = own(dense(logits));
        let (loss, mut losses) = self.of(&gradient);
        let over = values_mut(&mut gradient).expect("nobody else holds it");
        let sum = loss.gradient(over, 1.0, &mut losses);
        (scalar(sum), gradient)
    }

    fn backward(
        &self,
        gradient: FlexTensor,
        incoming: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let factor = values(&incoming)[0];
        if factor == 1.0 {
            return [Some(gradient)];
        }
        let scaled = |x: &f32| x * factor;
        let scaled = changed(
            gradient,
            |gradient| gradient.iter_mut().for_each(|x| *x = scaled(x)),
            |gradient, out| {
                for (out, x) in out.iter_mut().zip(gradient) {
                    *out = scaled(x);
                }
            },
        );
        [Some(scaled)]
    }
}
