//! candle's LLaMA on a GGUF file. It takes no vectors of an image, so a prompt is text alone.

use std::fs::File;
use std::path::Path;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Result, Tensor, bail};
use candle_transformers::models::quantized_llama::ModelWeights;

use crate::{Inference, WORD};

pub(crate) struct Quantised(ModelWeights);

impl Quantised {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let content = Content::read(&mut file)?;
        let weights = ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?;
        Ok(Self(weights))
    }
}

impl Inference for Quantised {
    fn encode(&self) -> Result<()> {
        bail!("candle has no quantised CLIP")
    }

    fn prefill(&mut self, tokens: usize, rows: usize) -> Result<Tensor> {
        self.0.clear_kv_cache();
        let words = Tensor::full(WORD, (rows, tokens), &Device::Cpu)?;
        self.0.forward(&words, 0)
    }

    fn step(&mut self, position: usize, rows: usize) -> Result<Tensor> {
        let word = Tensor::full(WORD, (rows, 1), &Device::Cpu)?;
        self.0.forward(&word, position)
    }
}
