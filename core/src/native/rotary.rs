//! Rotary position embedding.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::Rotary;

use super::fused::{Fused, Input, f32s, run};
use super::memory::changed;

/// `x`, `[batch, heads, token, head_dim]`, turned by the angles whose `cos` and `sin` are `[batch, 1, token, dim / 2]`,
/// all of which [`fuses`](super::fuses) holds for. No gradient flows to the angles.
pub(crate) fn turn(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let [cos, sin] = [cos, sin].map(|angles| {
        let angles = angles.without_autodiff().try_into_primitive::<Flex>();
        angles.expect("it is the CPU's").to_contiguous()
    });
    run(Turn { cos, sin }, [Input::fused(x)])
}

#[derive(Debug, Clone)]
struct Turn {
    cos: FlexTensor,
    sin: FlexTensor,
}

impl Turn {
    fn rotary(&self, tokens: usize) -> Rotary<'_> {
        Rotary::new(f32s(&self.cos), f32s(&self.sin), tokens)
    }

    /// Queries and keys are views of a layer's result, in which a token's heads lie side by side; so do they
    /// stay.
    fn by_token(&self, x: FlexTensor, back: bool) -> FlexTensor {
        let swapped = x.layout().transpose(1, 2);
        let mut x = x.with_layout(swapped);
        if !x.is_contiguous() {
            x = x.to_contiguous();
        }
        let shape = x.layout().shape();
        let (tokens, heads) = (shape[0] * shape[1], shape[2]);
        let rotary = self.rotary(tokens);
        let rotary = if back { rotary.backward() } else { rotary };
        let turned = changed(
            x,
            |x| rotary.turn_in_place(x, heads),
            |x, y| rotary.turn(x, heads, y),
        );
        let layout = turned.layout().transpose(1, 2);
        turned.with_layout(layout)
    }
}

impl Fused<1> for Turn {
    type Saved = ();

    fn forward_saving(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.by_token(x, false), ())
    }

    fn backward(&self, (): (), dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.by_token(dy, true))]
    }
}
