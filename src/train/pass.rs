//! A forward and backward pass over a micro-batch.

use std::cell::RefCell;

use burn::tensor::Tensor;
use menagerie_core::image::Layout;
use menagerie_core::splice::{Padding, Splice};
use menagerie_core::{Context, Features, Images, Model, Network, SquareTokens};

use super::gradients::GradientSet;
use super::loss::Targets;
use super::tape::Tape;
use super::trainable;

/// What a pass saves memory by. The result is the same but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassOptions {
    /// Whether encoder and decoder keep the inputs of their blocks alone, and run each block again
    /// on the way back. Default: false.
    pub checkpoint_blocks: bool,
    /// Bytes of f32 logits that are held at a time, at most, or those of one token. Their softmax
    /// and gradients take as much again each. Default: 64 MiB, which is 524 tokens of a vocabulary
    /// of 32000: enough for full speed.
    pub logits_bytes: usize,
    /// How the samples are laid out in rows. Default: each in its own, padded on the right.
    pub padding: Padding,
}

impl Default for PassOptions {
    fn default() -> Self {
        Self {
            checkpoint_blocks: false,
            logits_bytes: 64 << 20,
            padding: Padding::Right,
        }
    }
}

impl PassOptions {
    /// Targets whose logits, of a vocabulary of this size, are held at a time.
    pub(super) fn targets_at_a_time(self, vocab_size: usize) -> usize {
        let row = size_of::<f32>() * vocab_size;
        (self.logits_bytes / row).max(1)
    }
}

/// Forward and backward passes through one state of a network.
#[derive(Debug)]
pub struct Pass<'a> {
    network: &'a Network,
    /// The same parameters without gradients, if blocks are checkpointed.
    plain: Option<Network>,
    square_tokens: SquareTokens,
    /// Targets whose logits are held at a time.
    chunk: usize,
    padding: Padding,
}

/// Squares before or behind the encoder.
enum Squares {
    /// `[square, channel, height, width]`
    Pixels(Tensor<4>),
    /// `[square, token, feature]`
    Features(Tensor<3>),
}

/// What a pass gave.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PassDone {
    /// Negative log-likelihoods of the supervised tokens, summed.
    pub loss_sum: f64,
    /// How many those are.
    pub supervised_tokens: usize,
    /// Of [`PassDone::loss_sum`]. None where nothing that learns took part.
    pub gradients: GradientSet,
}

impl<'a> Pass<'a> {
    /// Passes through `network`, a state of `model`'s, such as [`trainable::for_stage`] makes. Its
    /// parameters without autodiff get no gradient; if none has autodiff, only the loss is computed.
    #[must_use]
    pub fn new(model: &Model, network: &'a Network, options: PassOptions) -> Self {
        Self {
            network,
            plain: options
                .checkpoint_blocks
                .then(|| trainable::none(network.clone())),
            square_tokens: model.square_tokens(),
            chunk: options.targets_at_a_time(model.configured().llm_spec.vocab_size),
            padding: options.padding,
        }
    }

    /// One micro-batch. Gradients are those of the *sum* over its supervised tokens, so that
    /// micro-batches add up to the mean over all supervised tokens of an optimizer batch.
    ///
    /// `samples`: token ids with their labels. `images`: those of the samples, in their order.
    #[must_use]
    pub fn run(&self, samples: &[(&[i64], &[i64])], images: Option<Images>) -> PassDone {
        let images = images.map(|images| (images.layouts, Squares::Pixels(images.pixels)));
        self.pass(samples, images)
    }

    /// As [`Pass::run`], of images that the encoder has seen.
    #[must_use]
    pub fn run_seen(&self, samples: &[(&[i64], &[i64])], images: Option<Features>) -> PassDone {
        let images = images.map(|images| (images.layouts, Squares::Features(images.squares)));
        self.pass(samples, images)
    }

    /// `images`: how they lie, and their squares.
    fn pass(
        &self,
        samples: &[(&[i64], &[i64])],
        images: Option<(Vec<Layout>, Squares)>,
    ) -> PassDone {
        let ids: Vec<&[i64]> = samples.iter().map(|(ids, _)| *ids).collect();
        let layouts = images.as_ref().map_or(&[][..], |(layouts, _)| layouts);
        let counts = self.square_tokens.of_each(layouts);
        let splice = Splice::new(&ids, &counts, self.padding);
        let targets = Targets::new(samples, &counts, &splice);
        if targets.len() == 0 {
            return PassDone::default();
        }
        let context = RefCell::new(Context::new(&splice.rows, &self.network.device()));
        let mut tape = Tape::new(self.network, self.plain.as_ref());
        let images = images.map(|(layouts, squares)| {
            let features = match squares {
                Squares::Pixels(pixels) => self.features(&mut tape, pixels),
                Squares::Features(features) => features,
            };
            let squares = self.network.projector.forward(features);
            self.network.join(squares, &layouts, &self.square_tokens)
        });
        let embeds = self.network.embed(&splice, images);
        let hidden = self.hidden(&mut tape, embeds, &context);
        let loss_sum = self.loss(&mut tape, targets.rows(hidden), &targets);
        PassDone {
            loss_sum,
            supervised_tokens: targets.len(),
            gradients: tape.finish(),
        }
    }

    /// `[square, channel, height, width]` -> `[square, token, feature]`
    fn features(&self, tape: &mut Tape<'a>, pixels: Tensor<4>) -> Tensor<3> {
        let vision = &self.network.vision;
        let Some(blocks) = vision.blocks() else {
            return vision.forward(pixels);
        };
        let embedded = tape.keep(blocks.embed(pixels));
        blocks.run(embedded, &mut |index, hidden| {
            tape.block(hidden, move |network, hidden| {
                let blocks = network.vision.blocks().expect(SAME_BLOCKS);
                blocks.block(index, hidden)
            })
        })
    }

    /// `[batch, token, hidden]` -> the same
    fn hidden(
        &self,
        tape: &mut Tape<'a>,
        embeds: Tensor<3>,
        context: &'a RefCell<Context>,
    ) -> Tensor<3> {
        let llm = &self.network.llm;
        let Some(blocks) = llm.blocks() else {
            return llm.forward(embeds, &mut context.borrow_mut());
        };
        let embeds = tape.keep(embeds);
        blocks.run(embeds, &mut |index, hidden| {
            tape.block(hidden, move |network, hidden| {
                let blocks = network.llm.blocks().expect(SAME_BLOCKS);
                blocks.block(index, hidden, &mut context.borrow_mut())
            })
        })
    }

    /// Loss and backward pass of the output layer, chunk by chunk over `rows` (`[target, hidden]`),
    /// and then of all that is below.
    fn loss(&self, tape: &mut Tape<'a>, rows: Tensor<2>, targets: &Targets) -> f64 {
        let learns_below = rows.is_tracked();
        let count = targets.len();
        let chunk = count.div_ceil(count.div_ceil(self.chunk));
        let mut sum = 0.0;
        let mut incoming = Vec::new();
        for start in (0..count).step_by(chunk) {
            let part = rows.clone().without_autodiff();
            let mut part = part.narrow(0, start, chunk.min(count - start));
            if learns_below {
                part = part.autodiff().require_grad();
            }
            let loss = targets.loss(self.network, part.clone(), start);
            let value: f32 = loss.clone().into_scalar();
            sum += f64::from(value);
            if loss.is_tracked() {
                let gradients = loss.backward();
                tape.take(&gradients);
                incoming.extend(part.grad(&gradients));
            }
        }
        if learns_below {
            tape.backward(rows, Tensor::cat(incoming, 0));
        }
        sum
    }
}

const SAME_BLOCKS: &str = "a network and its copy have the same blocks";
