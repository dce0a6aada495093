//! A backward pass in pieces: what happens inside a block is not kept but computed once more.

use burn::tensor::{Gradients, Tensor};
use menagerie_core::Network;

use super::gradients::GradientSet;

/// The pieces of a forward pass, and the gradients of its backward pass as they come.
///
/// Where the pass is cut, what lies above sees a leaf in place of the value from below. On the way
/// back each leaf's gradient is handed to what made the value, which is run again if it was not
/// kept.
pub(super) struct Tape<'a> {
    network: &'a Network,
    /// The same parameters without gradients, if blocks are to be run twice.
    plain: Option<&'a Network>,
    cuts: Vec<Cut<'a>>,
    gradients: GradientSet,
}

struct Cut<'a> {
    leaf: Tensor<3>,
    /// Sum of what has come from above.
    gradient: Option<Tensor<3>>,
    /// The value with the graph below it, down to the leaves of the cuts before.
    value: Box<dyn FnOnce() -> Tensor<3> + 'a>,
}

impl<'a> Tape<'a> {
    /// A tape for passes through `network`. With `plain`, its parameters without gradients, blocks
    /// keep their inputs alone.
    pub(super) fn new(network: &'a Network, plain: Option<&'a Network>) -> Self {
        Self {
            network,
            plain,
            cuts: Vec::new(),
            gradients: GradientSet::default(),
        }
    }

    /// Runs a block on what [`Tape::keep`] or another block gave.
    pub(super) fn block(
        &mut self,
        hidden: Tensor<3>,
        block: impl Fn(&Network, Tensor<3>) -> Tensor<3> + 'a,
    ) -> Tensor<3> {
        let network = self.network;
        match self.plain {
            Some(plain) if hidden.is_tracked() => {
                let value = block(plain, hidden.clone().without_autodiff());
                self.cut(value, move || block(network, hidden))
            }
            // Nothing below learns. A frozen block records nothing; the lowest that learns keeps
            // its graph, as only running it shows that it learns.
            _ => {
                let value = block(network, hidden);
                self.keep(value)
            }
        }
    }

    /// Cuts above a value whose graph is kept, if there is one and blocks are run twice.
    pub(super) fn keep(&mut self, value: Tensor<3>) -> Tensor<3> {
        if self.plain.is_none() || !value.is_tracked() {
            return value;
        }
        self.cut(value.clone().without_autodiff(), move || value)
    }

    fn cut(&mut self, value: Tensor<3>, again: impl FnOnce() -> Tensor<3> + 'a) -> Tensor<3> {
        let leaf = value.autodiff().require_grad();
        self.cuts.push(Cut {
            leaf: leaf.clone(),
            gradient: None,
            value: Box::new(again),
        });
        leaf
    }

    /// Takes the gradients of a graph above all cuts.
    pub(super) fn take(&mut self, gradients: &Gradients) {
        self.gradients
            .add(GradientSet::collect(self.network, gradients));
        for cut in &mut self.cuts {
            let Some(gradient) = cut.leaf.grad(gradients) else {
                continue;
            };
            cut.gradient = Some(match cut.gradient.take() {
                None => gradient,
                Some(sum) => sum + gradient,
            });
        }
    }

    /// Goes back from `value`, whose gradient is `gradient`, through all cuts to the bottom.
    pub(super) fn backward<const D: usize>(&mut self, value: Tensor<D>, gradient: Tensor<D>) {
        self.take(&pull(value, gradient));
        while let Some(cut) = self.cuts.pop() {
            if let Some(gradient) = cut.gradient {
                self.take(&pull((cut.value)(), gradient));
            }
        }
    }

    /// The parameters' gradients.
    pub(super) fn finish(self) -> GradientSet {
        self.gradients
    }
}

/// The gradients below `value`, given its own.
fn pull<const D: usize>(value: Tensor<D>, gradient: Tensor<D>) -> Gradients {
    // The derivative of this sum by `value` is `gradient`, to the bit.
    (value * gradient).sum().backward()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use burn::tensor::{Device, Int};
    use menagerie_core::plugin;

    use super::*;
    use crate::train::trainable;

    /// Nothing but the decoder's embeddings learns.
    fn network() -> Network {
        let device = Device::flex();
        let vision = plugin::encoder("clip").expect("clip");
        let vision = vision.configure(vision.info.tiny()).expect("options");
        let llm = plugin::decoder("llama").expect("llama");
        let llm = llm.configure(llm.info.tiny()).expect("options");
        let projector = plugin::projector("linear").expect("linear");
        let projector = projector.configure(projector.info.tiny()).expect("options");
        let sizes = (vision.spec().expect("sizes"), llm.spec().expect("sizes"));
        let projector = projector.init(&sizes.0, &sizes.1, &device);
        let network = Network {
            vision: vision.init(&device).expect("an encoder"),
            projector: projector.expect("a projector"),
            llm: llm.init(&device).expect("a decoder"),
        };
        let frozen = [
            "vision",
            "projector",
            "llm.layers",
            "llm.norm",
            "llm.lm_head",
        ];
        trainable::for_stage(network, |path| {
            !frozen.iter().any(|part| path.starts_with(part))
        })
    }

    #[test]
    fn only_blocks_above_the_lowest_that_learns_are_run_again() {
        let network = network();
        let plain = trainable::none(network.clone());
        let learns = [false, false, true, false, true];
        for (plain, expected) in [(Some(&plain), [1, 1, 1, 2, 2]), (None, [1; 5])] {
            let runs = [const { Cell::new(0) }; 5];
            let mut tape = Tape::new(&network, plain);
            let ids: Tensor<2, Int> = Tensor::from_ints([[0, 1]], &Device::flex());
            let mut hidden = network.llm.embed(ids.clone()).without_autodiff();
            for (learns, runs) in learns.iter().zip(&runs) {
                let ids = ids.clone();
                hidden = tape.block(hidden, move |network, hidden| {
                    runs.set(runs.get() + 1);
                    if *learns {
                        hidden + network.llm.embed(ids.clone())
                    } else {
                        hidden.mul_scalar(2.0)
                    }
                });
            }
            let gradient = hidden.clone().without_autodiff().ones_like();
            let [_, tokens, size] = gradient.dims();
            tape.backward(hidden, gradient);
            assert_eq!(runs.each_ref().map(Cell::get), expected);
            let gradients = tape.finish();
            let embed = gradients
                .get("llm.embed_tokens.weight")
                .expect("a gradient");
            let sum: f32 = embed.clone().sum().into_scalar();
            // Doubled by one block above, and by none.
            assert_eq!(sum, (tokens * size) as f32 * (2.0 + 1.0));
        }
    }
}
