//! What all decoders here share around their blocks: embeddings, rotary positions, a last norm and an
//! output layer.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Int, Tensor};
use menagerie_core::attention::soft_cap;
use menagerie_core::nn::{Embedding, Linear};
use menagerie_core::{Context, Decoder, DecoderBlocks};

use crate::rope::Rope;
use crate::rotary::Rotary;
use crate::shape::Shape;

/// A block of a [`Transformer`], and the norm that follows the last one. The decoders here have theirs;
/// one elsewhere implements [`Decoder`] whole.
pub trait Block: Module + Sync {
    /// The norm after the last block.
    type Norm: Module + ModuleDisplay + Sync;

    /// Block `index`: `[batch, token, hidden]` -> the same
    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3>;

    /// The last norm: `[batch, token, hidden]` -> the same
    fn finish(norm: &Self::Norm, x: Tensor<3>) -> Tensor<3>;
}

/// A decoder of blocks `B`.
#[derive(Module, Debug)]
pub struct Transformer<B: Module + Block> {
    embed_tokens: Embedding,
    pub(crate) layers: Vec<B>,
    pub(crate) norm: B::Norm,
    /// None: the embedding table serves as the output layer.
    lm_head: Option<Linear>,
    #[module(skip)]
    pub(crate) rope: Rope,
    /// What embeddings are multiplied by.
    #[module(skip)]
    embed_scale: Option<f64>,
    /// The size that logits are held below.
    #[module(skip)]
    logit_cap: Option<f64>,
}

impl<B: Block> Transformer<B> {
    /// A decoder whose block `n` is `block(n)`.
    pub(crate) fn new(
        shape: &Shape,
        block: impl Fn(usize) -> B,
        norm: B::Norm,
        device: &Device,
    ) -> Self {
        let (hidden, vocab) = (shape.hidden_size, shape.vocab_size);
        let head = || shape.linear(hidden, vocab, shape.variant.head_bias, device);
        Self {
            embed_tokens: Embedding::new(vocab, hidden, shape.initializer_range, device),
            layers: (0..shape.num_layers).map(block).collect(),
            norm,
            lm_head: (!shape.tie_word_embeddings).then(head),
            rope: shape.rope(),
            embed_scale: shape.variant.embed_scale,
            logit_cap: shape.variant.logit_cap,
        }
    }
}

impl<B: Block> Decoder for Transformer<B> {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let embeds = self.embed_tokens.forward(ids);
        let Some(scale) = self.embed_scale else {
            return embeds;
        };
        // Rounded to the embeddings' dtype before it is applied, as transformers does.
        let scale = Tensor::<1>::from_data([scale], (&embeds.device(), embeds.dtype()));
        embeds * scale.unsqueeze()
    }

    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
        self.run(embeds, &mut |index, hidden| {
            self.block(index, hidden, context)
        })
    }

    fn blocks(&self) -> Option<&dyn DecoderBlocks> {
        Some(self)
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let logits = match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => self.embed_tokens.logits(hidden),
        };
        match self.logit_cap {
            Some(cap) => soft_cap(logits, cap),
            None => logits,
        }
    }
}

impl<B: Block> DecoderBlocks for Transformer<B> {
    fn count(&self) -> usize {
        self.layers.len()
    }

    fn block(&self, index: usize, hidden: Tensor<3>, context: &mut Context) -> Tensor<3> {
        let dtype = hidden.dtype();
        let rotary = context.shared(|context| self.rope.rotary(context, dtype));
        self.layers[index].forward(hidden, &rotary, index, context)
    }

    fn finish(&self, hidden: Tensor<3>) -> Tensor<3> {
        B::finish(&self.norm, hidden)
    }
}
