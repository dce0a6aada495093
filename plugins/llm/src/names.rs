//! How checkpoints name the tensors of a decoder of LLaMA's make: Hugging Face's folders and GGUF
//! files.

use menagerie_core::checkpoint::Publisher;
use menagerie_core::{Checkpoint, TensorName};

/// The heads whose queries and keys a GGUF file stores interleaved: llama.cpp turns neighbouring
/// features of a LLaMA, and halves of a head of other models.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interleaved {
    pub query_heads: usize,
    pub key_heads: usize,
}

/// Keys that a file may hold and no decoder wants. A tied model's file may hold its head all the same;
/// it is the embedding table.
fn ignored(tied: bool) -> &'static [&'static str] {
    const ALWAYS: usize = 2;
    const KEYS: &[&str] = &[
        "model.layers.*.self_attn.rotary_emb.inv_freq",
        "rope_freqs.weight",
        "lm_head.weight",
        "output.weight",
    ];
    if tied { KEYS } else { &KEYS[..ALWAYS] }
}

/// Both spellings of a decoder of LLaMA's make.
pub(crate) fn checkpoint(tied: bool, interleaved: Option<Interleaved>) -> Checkpoint {
    let gguf = Checkpoint::with_prefixes(&[""], &gguf(interleaved), ignored(tied));
    HfNames::LLAMA.checkpoint(tied).or(gguf.by(Publisher::Gguf))
}

/// How Hugging Face's folders of a decoder name its tensors, each as a path here and a key there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HfNames {
    /// Linear layers of a block.
    pub linear: &'static [(&'static str, &'static str)],
    /// Norms of a block.
    pub norms: &'static [(&'static str, &'static str)],
    /// The key of the last norm.
    pub last_norm: &'static str,
}

impl HfNames {
    pub(crate) const LLAMA: Self = Self {
        linear: &[
            ("attention.query", "self_attn.q_proj"),
            ("attention.key", "self_attn.k_proj"),
            ("attention.value", "self_attn.v_proj"),
            ("attention.output", "self_attn.o_proj"),
            ("mlp.gate", "mlp.gate_proj"),
            ("mlp.up", "mlp.up_proj"),
            ("mlp.down", "mlp.down_proj"),
        ],
        norms: &[
            ("input_layernorm", "input_layernorm"),
            ("post_attention_layernorm", "post_attention_layernorm"),
        ],
        last_norm: "norm",
    };

    /// Norms that have a bias have it here too, and so have linear layers.
    pub(crate) fn checkpoint(&self, tied: bool) -> Checkpoint {
        let mut tensors = vec![TensorName::as_is(
            "embed_tokens.weight",
            "model.embed_tokens.weight",
        )];
        let within = |(path, key): &(&str, &str)| {
            (format!("layers.*.{path}"), format!("model.layers.*.{key}"))
        };
        for (path, key) in self.linear.iter().map(within) {
            tensors.extend(TensorName::linear(&path, &key));
        }
        for (path, key) in self.norms.iter().map(within) {
            tensors.extend(TensorName::layer_norm(&path, &key));
        }
        let last = format!("model.{}", self.last_norm);
        tensors.extend(TensorName::layer_norm("norm", &last));
        tensors.extend(TensorName::linear("lm_head", "lm_head"));
        Checkpoint::with_prefixes(&[""], &tensors, ignored(tied))
    }
}

/// The names of llama.cpp's `gguf` package (`constants.py`), shapes as PyTorch states them.
fn gguf(interleaved: Option<Interleaved>) -> Vec<TensorName> {
    let mut tensors = vec![TensorName::as_is(
        "embed_tokens.weight",
        "token_embd.weight",
    )];
    let heads = |heads: fn(Interleaved) -> usize| interleaved.map(heads);
    for (path, key, interleaved) in [
        ("attention.query", "attn_q", heads(|i| i.query_heads)),
        ("attention.key", "attn_k", heads(|i| i.key_heads)),
        ("attention.value", "attn_v", None),
        ("attention.output", "attn_output", None),
        ("mlp.gate", "ffn_gate", None),
        ("mlp.up", "ffn_up", None),
        ("mlp.down", "ffn_down", None),
    ] {
        let (path, key) = (format!("layers.*.{path}"), format!("blk.*.{key}"));
        tensors.extend(match interleaved {
            Some(heads) => TensorName::interleaved(&path, &key, heads),
            None => TensorName::linear(&path, &key),
        });
    }
    for (path, key) in [
        ("layers.*.input_layernorm", "blk.*.attn_norm"),
        ("layers.*.post_attention_layernorm", "blk.*.ffn_norm"),
        ("norm", "output_norm"),
    ] {
        tensors.push(TensorName::as_is(
            &format!("{path}.gamma"),
            &format!("{key}.weight"),
        ));
    }
    tensors.extend(TensorName::linear("lm_head", "output"));
    tensors
}

#[cfg(test)]
mod tests;
