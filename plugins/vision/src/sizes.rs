//! The sizes that a vision transformer states, and its blocks' names in checkpoints.

use menagerie_core::hf::HfConfig;
use menagerie_core::{BuildError, TensorName};
use serde_json::Value;

/// The largest side of an encoder's image, in pixels.
pub(crate) const MAX_IMAGE_SIZE: usize = 1 << 14;

/// Sizes of a vision transformer, named as its options are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub image_size: usize,
    pub patch_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_layers: usize,
    pub num_heads: usize,
}

impl Sizes {
    /// Each with its option and its field in a Hugging Face config.
    fn fields(self) -> [(&'static str, &'static str, usize); 6] {
        [
            ("image_size", "image_size", self.image_size),
            ("patch_size", "patch_size", self.patch_size),
            ("hidden_size", "hidden_size", self.hidden_size),
            (
                "intermediate_size",
                "intermediate_size",
                self.intermediate_size,
            ),
            ("num_layers", "num_hidden_layers", self.num_layers),
            ("num_heads", "num_attention_heads", self.num_heads),
        ]
    }

    /// Whole patches along a side. What is left over of the image is not seen, as the stride of the
    /// patches' convolution has it.
    pub(crate) fn side(self) -> usize {
        self.image_size / self.patch_size
    }

    pub(crate) fn check(self, plugin: &'static str) -> Result<(), BuildError> {
        let sizes = self.fields().map(|(key, _, size)| (key, size));
        BuildError::check_sizes(plugin, sizes)?;
        self.check_image(plugin, "image_size")?;
        if !self.hidden_size.is_multiple_of(self.num_heads) {
            let message = format!(
                "{} is no multiple of num_heads = {}",
                self.hidden_size, self.num_heads
            );
            return Err(BuildError::invalid(plugin, "hidden_size", message));
        }
        Ok(())
    }

    /// Checks the image's side, which option `key` states: it holds a patch, and its pixels can be
    /// counted.
    pub(crate) fn check_image(
        self,
        plugin: &'static str,
        key: &'static str,
    ) -> Result<(), BuildError> {
        let problem = if self.image_size > MAX_IMAGE_SIZE {
            format!(
                "is {}; it must be at most {MAX_IMAGE_SIZE}",
                self.image_size
            )
        } else if self.side() == 0 {
            format!(
                "{} px hold no patch of patch_size = {}",
                self.image_size, self.patch_size
            )
        } else {
            return Ok(());
        };
        Err(BuildError::invalid(plugin, key, problem))
    }

    /// Sets the options from a config's fields; `self` holds transformers' defaults.
    pub(crate) fn read_hf(self, mut hf: HfConfig) -> Result<HfConfig, BuildError> {
        for (key, field, default) in self.fields() {
            let default = i64::try_from(default).unwrap_or(i64::MAX);
            hf = hf.set(key, &[field], default)?;
        }
        Ok(hf)
    }

    /// The config's fields.
    pub(crate) fn write_hf(self) -> impl Iterator<Item = (&'static str, Value)> {
        let fields = self.fields().into_iter();
        fields.map(|(_, field, size)| (field, size.into()))
    }
}

/// Names of the blocks at `layers.*` and of the norm after them, as CLIP and SigLIP share them.
pub(crate) fn block_names() -> Vec<TensorName> {
    let path = |part: &str| format!("layers.*.{part}");
    let key = |part: &str| format!("encoder.layers.*.{part}");
    let mut names = Vec::new();
    for norm in ["layer_norm1", "layer_norm2"] {
        names.extend(TensorName::layer_norm(&path(norm), &key(norm)));
    }
    for (part, stored) in [
        ("attention.query", "self_attn.q_proj"),
        ("attention.key", "self_attn.k_proj"),
        ("attention.value", "self_attn.v_proj"),
        ("attention.output", "self_attn.out_proj"),
        ("mlp.fc1", "mlp.fc1"),
        ("mlp.fc2", "mlp.fc2"),
    ] {
        names.extend(TensorName::linear(&path(part), &key(stored)));
    }
    names.extend(TensorName::layer_norm("post_layernorm", "post_layernorm"));
    names
}
