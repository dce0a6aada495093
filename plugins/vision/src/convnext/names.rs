//! The names of a ConvNeXt's tensors in checkpoints.

use menagerie_core::{Checkpoint, TensorName};

/// What a publisher calls the parts.
struct Names {
    stem: &'static str,
    stem_norm: &'static str,
    stage: &'static str,
    downsample: &'static str,
    block: &'static str,
    depthwise: &'static str,
    block_norm: &'static str,
    fc1: &'static str,
    fc2: &'static str,
    gamma: &'static str,
    norm: &'static str,
}

const TRANSFORMERS: Names = Names {
    stem: "embeddings.patch_embeddings",
    stem_norm: "embeddings.layernorm",
    stage: "encoder.stages.*",
    downsample: "downsampling_layer",
    block: "layers.*",
    depthwise: "dwconv",
    block_norm: "layernorm",
    fc1: "pwconv1",
    fc2: "pwconv2",
    gamma: "layer_scale_parameter",
    norm: "layernorm",
};

const TIMM: Names = Names {
    stem: "stem.0",
    stem_norm: "stem.1",
    stage: "stages.*",
    downsample: "downsample",
    block: "blocks.*",
    depthwise: "conv_dw",
    block_norm: "norm",
    fc1: "mlp.fc1",
    fc2: "mlp.fc2",
    gamma: "gamma",
    norm: "head.norm",
};

/// Heads, and the other tower of a model of `open_clip`.
const IGNORED: [&str; 13] = [
    "classifier.**",
    "head.fc.**",
    "head.pre_logits.**",
    "visual.head.**",
    "text.**",
    "transformer.**",
    "token_embedding.weight",
    "positional_embedding",
    "ln_final.**",
    "text_projection",
    "text_projection.weight",
    "logit_scale",
    "attn_mask",
];

/// transformers' names, timm's, and `open_clip`'s, which are timm's under a prefix.
pub(super) fn checkpoint() -> Checkpoint {
    let table = |prefixes: &[&'static str], names: &Names| {
        Checkpoint::with_prefixes(prefixes, &tensors(names), &IGNORED)
    };
    let transformers = table(&["", "convnext."], &TRANSFORMERS);
    transformers.or(table(&["", "visual.trunk."], &TIMM))
}

fn tensors(names: &Names) -> Vec<TensorName> {
    let downsample = |part: &str| format!("stages.*.downsample.{part}");
    let halving = |part: &str| format!("{}.{}.{part}", names.stage, names.downsample);
    let block = |part: &str| format!("stages.*.blocks.*.{part}");
    let key = |part: &str| format!("{}.{}.{part}", names.stage, names.block);
    let gamma = TensorName::as_is(&block("gamma"), &key(names.gamma));
    [
        convolution("stem.patches", names.stem),
        TensorName::layer_norm("stem.norm", names.stem_norm),
        TensorName::layer_norm(&downsample("norm"), &halving("0")),
        convolution(&downsample("patches"), &halving("1")),
        convolution(&block("depthwise"), &key(names.depthwise)),
        TensorName::layer_norm(&block("norm"), &key(names.block_norm)),
        TensorName::linear(&block("fc1"), &key(names.fc1)),
        TensorName::linear(&block("fc2"), &key(names.fc2)),
        TensorName::layer_norm("norm", names.norm),
    ]
    .into_iter()
    .flatten()
    .chain([gamma])
    .collect()
}

fn convolution(path: &str, key: &str) -> [TensorName; 2] {
    let part = |part| TensorName::as_is(&format!("{path}.{part}"), &format!("{key}.{part}"));
    ["weight", "bias"].map(part)
}
