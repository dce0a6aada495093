//! Operations that the mathematics of a model needs, whatever a program does: a multiplication and an
//! addition are two. Products alone count. The encoder's last block does not, as its second to last hidden
//! state is read.

use super::Size;

impl Size {
    /// Of a work: `encode`, `prefill:TOKENS`, `decode:TOKENSxROWS`, or a step of the stage `align` or
    /// `finetune`.
    ///
    /// # Panics
    /// It is none of these.
    pub fn flops(&self, work: &str) -> f64 {
        let number = |text: &str| -> f64 { text.parse().expect("a number") };
        let [hidden, ..] = self.llm.map(|size| size as f64);
        let head = hidden * self.vocab_size as f64;
        match work.split_once(':') {
            None if work == "encode" => 2.0 * (self.vision() + self.projector()),
            Some(("prefill", tokens)) => {
                let tokens = number(tokens);
                2.0 * (self.blocks(tokens)
                    + self.attention(tokens, f64::midpoint(tokens, 1.0))
                    + head)
            }
            Some(("decode", place)) => {
                let (tokens, rows) = place.split_once('x').unwrap_or((place, "1"));
                let one = self.blocks(1.0) + self.attention(1.0, number(tokens) + 1.0) + head;
                2.0 * number(rows) * one
            }
            None => self.step(work),
            _ => panic!("no work is called {work:?}"),
        }
    }

    /// Forward and backward. A product that learns needs two more for its gradients, and one that only
    /// hands a gradient on needs one; attention has no weights and always needs two. The encoder is frozen.
    fn step(&self, stage: &str) -> f64 {
        let learned = match stage {
            "align" => 2.0,
            "finetune" => 3.0,
            _ => panic!("no stage is called {stage:?}"),
        };
        let [hidden, ..] = self.llm.map(|size| size as f64);
        let tokens = self.width() as f64;
        // The image is no target.
        let head = self.text as f64 * hidden * self.vocab_size as f64;
        let attention = self.attention(tokens, f64::midpoint(tokens, 1.0));
        let llm = learned * (self.blocks(tokens) + head) + 3.0 * attention;
        // Nothing before its first layer wants a gradient.
        let [vision, ..] = self.vision.map(|size| size as f64);
        let projector = 3.0 * self.projector() - self.visual_tokens() as f64 * vision * hidden;
        2.0 * self.batch as f64 * (self.vision() + projector + llm)
    }

    /// Multiply-adds of an image in the encoder.
    fn vision(&self) -> f64 {
        let [width, blocks, _] = self.vision.map(|size| size as f64);
        let patches = self.visual_tokens() as f64;
        let tokens = patches + 1.0;
        let block = tokens * 12.0 * width * width + 2.0 * tokens * tokens * width;
        patches * 3.0 * 14.0 * 14.0 * width + (blocks - 1.0) * block
    }

    /// Multiply-adds of an image in the projector's two layers.
    fn projector(&self) -> f64 {
        let [vision, ..] = self.vision.map(|size| size as f64);
        let [hidden, ..] = self.llm.map(|size| size as f64);
        self.visual_tokens() as f64 * (vision * hidden + hidden * hidden)
    }

    /// Multiply-adds of tokens in the linear layers of all blocks.
    fn blocks(&self, tokens: f64) -> f64 {
        let [hidden, blocks, _, intermediate] = self.llm.map(|size| size as f64);
        tokens * blocks * (4.0 * hidden * hidden + 3.0 * hidden * intermediate)
    }

    /// Multiply-adds of tokens that attend to so many each.
    fn attention(&self, tokens: f64, context: f64) -> f64 {
        let [hidden, blocks, ..] = self.llm.map(|size| size as f64);
        tokens * blocks * 2.0 * context * hidden
    }
}
