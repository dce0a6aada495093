"""LLaVA-1.5-7B's sizes and the files beside its weights, with the values that Hugging Face's hub has."""

TOWER_HIDDEN, TOWER_MLP, TOWER_LAYERS = 1024, 4096, 24
IMAGE, PATCH = 336, 14  # pixels
POSITIONS = (IMAGE // PATCH) ** 2 + 1  # patches and CLS
HIDDEN, MLP, LAYERS = 4096, 11008, 32
ROWS = 32064  # 32,000 of LLaMA, <image>, <pad> and unused ones
CONTEXT = 4096  # tokens


def token(content: str) -> dict:
    flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    return {"content": content, **flags, "special": True}


FILES = {
    "config.json": {
        "architectures": ["LlavaForConditionalGeneration"],
        "ignore_index": -100,
        "image_token_index": 32000,
        "model_type": "llava",
        "pad_token_id": 32001,
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["LlamaForCausalLM"],
            "hidden_size": HIDDEN,
            "intermediate_size": MLP,
            "max_position_embeddings": CONTEXT,
            "model_type": "llama",
            "num_attention_heads": 32,
            "num_hidden_layers": LAYERS,
            "num_key_value_heads": 32,
            "rms_norm_eps": 1e-05,
            "torch_dtype": "bfloat16",
            "vocab_size": ROWS,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vision_config": {
            "hidden_size": TOWER_HIDDEN,
            "image_size": IMAGE,
            "intermediate_size": TOWER_MLP,
            "model_type": "clip_vision_model",
            "num_attention_heads": 16,
            "num_hidden_layers": TOWER_LAYERS,
            "patch_size": PATCH,
            "projection_dim": 768,
            "vocab_size": 32000,
        },
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
    },
    "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 32001},
    "preprocessor_config.json": {
        "crop_size": {"height": IMAGE, "width": IMAGE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": IMAGE},
    },
    "tokenizer_config.json": {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {
            str(number): token(content)
            for number, content in [(0, "<unk>"), (1, "<s>"), (2, "</s>"), (32000, "<image>"), (32001, "<pad>")]
        },
        "bos_token": "<s>",
        "eos_token": "</s>",
        "legacy": False,
        "model_max_length": CONTEXT,
        "pad_token": "<pad>",
        "padding_side": "left",
        "processor_class": "LlavaProcessor",
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    },
}
