//! Every decoder in a recipe: it learns whole and by an adapter, in packed rows, answers, and is exported.

use menagerie::Component;
use menagerie::weights::Shards;

use crate::tiny::World;

/// Types with options of their own, and what an adapter on a block lies on. Windows are shorter than
/// a sample.
const DECODERS: [(&str, &str, &[&str]); 6] = [
    (
        "qwen2",
        "sliding_window = 8\nlayer_types = [\"full_attention\", \"sliding_attention\"]",
        &APART,
    ),
    ("qwen3", "head_dim = 16\ntie_word_embeddings = true", &APART),
    ("mistral", "sliding_window = 8", &APART),
    (
        "phi",
        "partial_rotary_factor = 0.5",
        &[
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.dense",
            "mlp.fc1",
            "mlp.fc2",
        ],
    ),
    (
        "phi3",
        "sliding_window = 8",
        &[
            "self_attn.qkv_proj",
            "self_attn.o_proj",
            "mlp.gate_up_proj",
            "mlp.down_proj",
        ],
    ),
    (
        "gemma2",
        "head_dim = 16\nsliding_window = 8\nattn_logit_softcapping = 20.0\n\
         final_logit_softcapping = 10.0",
        &APART,
    ),
];

const APART: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];

/// A recipe with the decoder, which learns whole, and then by an adapter.
fn recipe(kind: &str, options: &str) -> String {
    format!(
        "[llm]\ntype = \"{kind}\"\n{options}\ntokenizer = \"tokenizer.json\"\nchat = \"hf-llava\"\n\
         vocab_size = 365\nhidden_size = 24\nintermediate_size = 32\nnum_layers = 2\nnum_heads = 2\n\
         max_position_embeddings = 256\n\
         [stage.align]\nfreeze = [\"vision\"]\npacking = true\nsteps = 20\n\
         optimizer = {{ type = \"adamw\", learning_rate = 1e-2 }}\n\
         [stage.finetune]\nfreeze = [\"vision\", \"llm\"]\nlora = {{ rank = 2, alpha = 4 }}\n\
         checkpoint_blocks = true\n"
    )
}

#[test]
fn every_decoder_learns_answers_and_is_exported() {
    let world = World::new();
    for (kind, options, layers) in DECODERS {
        let run = world.train(kind, &recipe(kind, options));
        let losses: Vec<f64> = run.metrics().iter().map(|step| step.loss).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.8 * first, "{kind}: from {first} to {last}");

        let adapter = run.0.join("weights/finetune/llm/adapter_model.safetensors");
        let adapter = Shards::open(&adapter).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(adapter.names().count(), 2 * 2 * layers.len(), "{kind}");
        for layer in layers {
            let name = format!("base_model.model.model.layers.1.{layer}.lora_B.weight");
            assert!(adapter.get(&name).is_some(), "{kind}: {name}");
        }
        assert!(!run.weights("align", Component::Llm).is_empty());

        let image = world.path("images/red.bmp").display().to_string();
        let said = world.menagerie(&["ask", kind, "--image", &image, "what color is it?"]);
        assert_eq!(said.code, Some(0), "{kind}: {said:?}");

        // Transformers' LLaVA has no bias in its output layer.
        let folder = format!("{kind}-hf");
        let said = world.menagerie(&["export", kind, "--layout", "hf", &folder]);
        assert_eq!(said.code == Some(0), kind != "phi", "{kind}: {said:?}");
        let mut alone = vec!["export", kind, "--layout", "hf", "--component", "llm"];
        let folder = format!("{kind}-alone");
        alone.push(&folder);
        let said = world.menagerie(&alone);
        assert_eq!(said.code, Some(0), "{kind}: {said:?}");
    }
}
