//! candle's CLIP and LLaMA on a folder of transformers.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Error, IndexOp, Module, Result, Tensor};
use candle_nn::{Linear, VarBuilder, linear};
use candle_transformers::models::clip::text_model::Activation;
use candle_transformers::models::clip::vision_model::{ClipVisionConfig, ClipVisionTransformer};
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use serde_json::Value;

use crate::{Inference, WORD};

pub(crate) struct Unquantised {
    vision: ClipVisionTransformer,
    projector: [Linear; 2],
    llm: Llama,
    config: Config,
    cache: Cache,
    pixels: Tensor,
    /// `[1, visual_token, hidden]`
    image: Tensor,
    dtype: DType,
}

impl Unquantised {
    pub(crate) fn load(folder: &Path, dtype: DType) -> Result<Self> {
        let device = Device::Cpu;
        let folder = folder.join("hf");
        let json = fs::read(folder.join("config.json"))?;
        let json: Value = serde_json::from_slice(&json).map_err(Error::wrap)?;
        let files = [folder.join("model.safetensors")];
        // SAFETY: nobody writes to the file while it is mapped.
        let weights = unsafe { VarBuilder::from_mmaped_safetensors(&files, dtype, &device)? };

        let size = |name: &str| json["vision_config"][name].as_u64().unwrap_or(0) as usize;
        let vision_config = ClipVisionConfig {
            embed_dim: size("hidden_size"),
            activation: Activation::QuickGelu,
            intermediate_size: size("intermediate_size"),
            num_hidden_layers: size("num_hidden_layers"),
            num_attention_heads: size("num_attention_heads"),
            projection_dim: size("projection_dim"),
            num_channels: 3,
            image_size: size("image_size"),
            patch_size: size("patch_size"),
        };
        let llm = json["text_config"].clone();
        let llm: LlamaConfig = serde_json::from_value(llm).map_err(Error::wrap)?;
        let config = llm.into_config(false);
        let projector = weights.pp("multi_modal_projector");
        let (features, hidden) = (vision_config.embed_dim, config.hidden_size);
        let side = vision_config.image_size;
        let pixels = Tensor::randn(0f32, 1., (1, 3, side, side), &device)?;
        let mut model = Self {
            vision: ClipVisionTransformer::new(weights.pp("vision_tower"), &vision_config)?,
            projector: [
                linear(features, hidden, projector.pp("linear_1"))?,
                linear(hidden, hidden, projector.pp("linear_2"))?,
            ],
            llm: Llama::load(weights.pp("language_model"), &config)?,
            cache: Cache::new(true, dtype, &config, &device)?,
            config,
            pixels: pixels.to_dtype(dtype)?,
            image: Tensor::zeros((1, 0, hidden), dtype, &device)?,
            dtype,
        };
        model.image = model.project()?;
        Ok(model)
    }

    fn project(&self) -> Result<Tensor> {
        let states = self.vision.output_hidden_states(&self.pixels)?;
        // The last is pooled; the one before it is that of the last block.
        let features = states[states.len() - 3].i((.., 1..))?;
        let [first, second] = &self.projector;
        second.forward(&first.forward(&features)?.gelu_erf()?)
    }
}

impl Inference for Unquantised {
    fn encode(&self) -> Result<()> {
        self.project().map(drop)
    }

    fn prefill(&mut self, tokens: usize, rows: usize) -> Result<Tensor> {
        let (_, visual, hidden) = self.image.dims3()?;
        let visual = if tokens > visual { visual } else { 0 };
        let image = self.image.narrow(1, 0, visual)?;
        let text = Tensor::full(WORD, (1, tokens - visual), &Device::Cpu)?;
        let embeds = Tensor::cat(&[image, self.llm.embed(&text)?], 1)?;
        let embeds = embeds.expand((rows, tokens, hidden))?.contiguous()?;
        self.cache = Cache::new(true, self.dtype, &self.config, &Device::Cpu)?;
        self.llm.forward_input_embed(&embeds, 0, &mut self.cache)
    }

    fn step(&mut self, position: usize, rows: usize) -> Result<Tensor> {
        let word = Tensor::full(WORD, (rows, 1), &Device::Cpu)?;
        self.llm.forward(&word, position, &mut self.cache)
    }
}
