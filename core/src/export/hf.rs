//! Hugging Face's `LlavaForConditionalGeneration`, or `LlavaNextForConditionalGeneration`, in the spelling of the published files: every
//! version of transformers reads it.

use burn::tensor::{DType, Tensor, TensorData};
use serde_json::{Map, json};

use super::folder::write_json;
use super::shards::write_shards;
use super::{Export, ExportError, ExportLayout};
use crate::component::Component;
use crate::image::Resize;
use crate::weights::Stored;

/// The token that stands for an image in texts.
pub(super) const IMAGE: &str = "<image>";
/// The token that fills rows.
pub(super) const PAD: &str = "<pad>";

/// Rows of an embedding table come in multiples of this, as in the published ports.
const VOCAB_MULTIPLE: usize = 64;

impl Export<'_> {
    pub(super) fn hf(&self) -> Result<(), ExportError> {
        let layout = ExportLayout::Hf;
        let configured = self.model.configured();
        let vision = self.whole_parts(layout)?;
        let llm = self.parts(Component::Llm, layout)?;
        let fields = configured.projector.to_hf().hf;
        let projector = fields.ok_or_else(|| self.unknown(Component::Projector, layout))?;
        let images = &configured.images;
        let (model_type, architecture) = match images.resize {
            Resize::Crop | Resize::Pad | Resize::Naive => {
                ("llava", "LlavaForConditionalGeneration")
            }
            Resize::AnyRes => ("llava_next", "LlavaNextForConditionalGeneration"),
            Resize::Tiles => {
                return Err(ExportError::NoWay {
                    layout: layout.name(),
                    what: "images of several tiles".to_owned(),
                });
            }
        };

        // An image is a token here, which the tokenizer and the table may not have yet.
        let tokenizer = self.model.tokenizer();
        let wanted: &[&str] = match tokenizer.pad() {
            Some(_) => &[IMAGE],
            None => &[IMAGE, PAD],
        };
        let tokenizer = tokenizer.with_special_tokens(wanted);
        let tokenizer = tokenizer.map_err(ExportError::Tokenizer)?;
        let vocab_size = match tokenizer.vocab_size() {
            tokens if tokens <= configured.llm_spec.vocab_size => configured.llm_spec.vocab_size,
            tokens => tokens.next_multiple_of(VOCAB_MULTIPLE),
        };
        let image = tokenizer.id(IMAGE).expect("it was just added");

        let mut text_config = llm.config;
        text_config.insert("vocab_size".to_owned(), vocab_size.into());
        let mut config = Map::new();
        config.insert("architectures".to_owned(), json!([architecture]));
        config.insert("model_type".to_owned(), json!(model_type));
        if images.resize == Resize::AnyRes {
            config.insert("image_grid_pinpoints".to_owned(), json!(images.pinpoints));
        }
        config.insert("vision_config".to_owned(), vision.config.clone().into());
        let tied = text_config.get("tie_word_embeddings").cloned();
        config.insert(
            "tie_word_embeddings".to_owned(),
            tied.unwrap_or(json!(false)),
        );
        config.insert("text_config".to_owned(), text_config.into());
        config.extend(vision.outer);
        config.extend(projector);
        config.insert("image_token_index".to_owned(), image.into());
        config.insert("image_token_id".to_owned(), image.into());
        config.insert(
            "image_seq_length".to_owned(),
            self.model.visual_tokens().into(),
        );
        config.insert("torch_dtype".to_owned(), json!(dtype_name(self.dtype())));
        if let Some(pad) = tokenizer.pad() {
            config.insert("pad_token_id".to_owned(), pad.into());
        }
        let selection = config.get("vision_feature_select_strategy").cloned();
        write_json(&self.folder.join("config.json"), &config.into())?;

        let mut tensors = Vec::new();
        tensors.extend(self.tensors(Component::Vision, layout, true)?);
        tensors.extend(self.tensors(Component::Projector, layout, true)?);
        for tensor in self.tensors(Component::Llm, layout, true)? {
            if tensor.name.ends_with("lm_head.bias") {
                // `LlavaForConditionalGeneration` has an output layer of its own, and would drop it.
                return Err(ExportError::NoWay {
                    layout: layout.name(),
                    what: "a decoder whose output layer has a bias".to_owned(),
                });
            }
            tensors.push(with_rows(tensor, vocab_size));
        }
        write_shards(tensors, self.folder, self.options.max_shard_bytes)?;
        self.write_text(&tokenizer)?;
        self.write_processor(&vision.config, selection)?;
        self.write_generation_config(&tokenizer)
    }
}

/// The name of a type of number in configs.
pub(super) fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F64 => "float64",
        _ => "float32",
    }
}

/// An embedding table or output layer with rows for new tokens. They are the mean of the others, so
/// that no new token is ever the likeliest: its logit is the mean of all.
fn with_rows(tensor: Stored, vocab_size: usize) -> Stored {
    let is_table = ["embed_tokens.weight", "lm_head.weight"]
        .iter()
        .any(|name| tensor.name.ends_with(name));
    let (rows, columns) = match tensor.shape.as_slice() {
        &[rows, columns] if is_table && rows < vocab_size => (rows, columns),
        _ => return tensor,
    };
    let Stored {
        name, dtype, bytes, ..
    } = tensor;
    Stored {
        name,
        dtype,
        shape: vec![vocab_size, columns],
        bytes: Box::new(move || {
            let mut bytes = bytes();
            let data = TensorData::from_bytes_vec(bytes.clone(), [rows, columns], dtype);
            let device = burn::tensor::Device::flex();
            let table: Tensor<2> = Tensor::from_data(data, (&device, DType::F32));
            let mean = table.mean_dim(0).cast(dtype).into_data();
            for _ in rows..vocab_size {
                bytes.extend_from_slice(mean.as_bytes());
            }
            bytes
        }),
    }
}
