//! The names of DINOv2's tensors in checkpoints.

use menagerie_core::{Checkpoint, TensorName};

/// Hugging Face's names, of models with registers and without. With `swiglu`, a block's MLP is one.
pub(super) fn checkpoint(swiglu: bool) -> Checkpoint {
    let patches = "embeddings.patch_embeddings.projection";
    let mut tensors = vec![
        TensorName::as_is("class_token", "embeddings.cls_token"),
        TensorName::as_is("register_tokens", "embeddings.register_tokens"),
        TensorName::as_is("patch_embedding.weight", &format!("{patches}.weight")),
        TensorName::as_is("patch_embedding.bias", &format!("{patches}.bias")),
        TensorName::as_is("position_embedding", "embeddings.position_embeddings"),
    ];
    let path = |part: &str| format!("layers.*.{part}");
    let key = |part: &str| format!("encoder.layer.*.{part}");
    for (part, stored) in [("layer_norm1", "norm1"), ("layer_norm2", "norm2")] {
        tensors.extend(TensorName::layer_norm(&path(part), &key(stored)));
    }
    for part in ["layer_scale1", "layer_scale2"] {
        let (gamma, lambda) = (format!("{part}.gamma"), format!("{part}.lambda1"));
        tensors.push(TensorName::as_is(&path(&gamma), &key(&lambda)));
    }
    let [fc1, fc2] = if swiglu {
        ["mlp.weights_in", "mlp.weights_out"]
    } else {
        ["mlp.fc1", "mlp.fc2"]
    };
    for (part, stored) in [
        ("attention.query", "attention.attention.query"),
        ("attention.key", "attention.attention.key"),
        ("attention.value", "attention.attention.value"),
        ("attention.output", "attention.output.dense"),
        ("mlp.fc1", fc1),
        ("mlp.fc2", fc2),
    ] {
        tensors.extend(TensorName::linear(&path(part), &key(stored)));
    }
    tensors.extend(TensorName::layer_norm("layernorm", "layernorm"));
    Checkpoint::with_prefixes(
        &["", "dinov2.", "dinov2_with_registers."],
        &tensors,
        // What stands for patches that are hidden in pretraining, and a classifier.
        &["embeddings.mask_token", "classifier.**"],
    )
}
