//! A pass through an encoder or a decoder in its parts.
//!
//! A trainer that is told `checkpoint_blocks = true` keeps what goes into each block and nothing of
//! what happens inside: on the way back it runs one block after another once more. So a block's
//! result must follow from its input alone, however often it is run. A plugin that offers no blocks
//! is run, and kept, as a whole.
//!
//! A plugin with blocks need not write its pass twice: its `forward` is
//! `self.run(embedded, &mut |index, hidden| self.block(index, hidden))`.

use burn::tensor::Tensor;

use crate::context::Context;

/// How a pass runs block `index`: `[batch, token, hidden]` -> the same.
pub type RunBlock<'a> = &'a mut dyn FnMut(usize, Tensor<3>) -> Tensor<3>;

/// The parts of an encoder's pass. Hidden state 0 is the embeddings, and block `index` makes state
/// `index + 1` of state `index`.
pub trait EncoderBlocks {
    /// Blocks that a pass runs: those after the last state that is read are not among them.
    fn count(&self) -> usize;

    /// `[batch, channel, height, width]` -> `[batch, token, hidden]`
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3>;

    /// `[batch, token, hidden]` -> the same
    fn block(&self, index: usize, hidden: Tensor<3>) -> Tensor<3>;

    /// The hidden states that the features are made of, each at most [`EncoderBlocks::count`].
    /// Default: the last.
    fn states(&self) -> Vec<usize> {
        vec![self.count()]
    }

    /// The states that [`EncoderBlocks::states`] names, in its order, each `[batch, token, hidden]`
    /// -> `[batch, token, feature]`
    fn finish(&self, states: Vec<Tensor<3>>) -> Tensor<3>;

    /// A whole pass over [`EncoderBlocks::embed`]'s result, in which `block` runs the blocks:
    /// `[batch, token, hidden]` -> `[batch, token, feature]`
    fn run(&self, embedded: Tensor<3>, block: RunBlock<'_>) -> Tensor<3> {
        let states = self.states();
        let mut read: Vec<Option<Tensor<3>>> = vec![None; states.len()];
        let mut hidden = embedded;
        for index in 0..=self.count() {
            if index > 0 {
                hidden = block(index - 1, hidden);
            }
            for (place, _) in states.iter().enumerate().filter(|(_, s)| **s == index) {
                read[place] = Some(hidden.clone());
            }
        }
        self.finish(read.into_iter().flatten().collect())
    }
}

/// The parts of a decoder's pass.
pub trait DecoderBlocks {
    /// Blocks.
    fn count(&self) -> usize;

    /// `[batch, token, hidden]` -> the same.
    ///
    /// What all blocks read and no block changes, such as the angles of rotary positions, goes into
    /// [`Context::shared`].
    fn block(&self, index: usize, hidden: Tensor<3>, context: &mut Context) -> Tensor<3>;

    /// What follows the last block, a norm as a rule: `[batch, token, hidden]` -> the same
    fn finish(&self, hidden: Tensor<3>) -> Tensor<3>;

    /// A whole pass, in which `block` runs the blocks: `[batch, token, hidden]` -> the same
    fn run(&self, embeds: Tensor<3>, block: RunBlock<'_>) -> Tensor<3> {
        let hidden = (0..self.count()).fold(embeds, |hidden, index| block(index, hidden));
        self.finish(hidden)
    }
}
