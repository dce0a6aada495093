#!/usr/bin/env python3
"""Makes the model that `inference.py` and `growth.py` measure with: of real shape, its numbers drawn at random.

Usage: model.py FOLDER [--size reference|toy]

CLIP's ViT-L/14 at 336 pixels, a projector of two layers, and a LLaMA of 16 blocks of width 2048: 1.25 billion
parameters. `toy` is for trying the scripts out. FOLDER gets

- `hf/`, the model as transformers saves it, in bf16,
- `bf16.gguf`, `q8.gguf` and `q4.gguf`, its decoder for llama.cpp and candle (bf16, q8_0, q4_0; every matrix of the
  decoder, its embeddings and its head are of that type),
- `mmproj.gguf`, its encoder and projector in bf16 for llama.cpp.

Needs torch, transformers 5, safetensors and gguf, and takes some minutes.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import torch
from gguf import GGMLQuantizationType as Type
from safetensors import safe_open
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import programs

TYPES = {"bf16": Type.BF16, "q8": Type.Q8_0, "q4": Type.Q4_0}
# Width, width inside the MLP, blocks, heads.
SIZES = {
    "reference": {"image": 336, "vision": (1024, 4096, 24, 16), "llm": (2048, 5504, 16, 16), "vocabulary": 32064},
    "toy": {"image": 56, "vision": (64, 256, 3, 2), "llm": (128, 352, 2, 2), "vocabulary": 1024},
}
PATCH = 14
POSITIONS = 8192


def config(size: str) -> LlavaConfig:
    numbers = SIZES[size]
    width, intermediate, blocks, heads = numbers["vision"]
    vision = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=intermediate,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        image_size=numbers["image"],
        patch_size=PATCH,
    )
    width, intermediate, blocks, heads = numbers["llm"]
    llm = LlamaConfig(
        hidden_size=width,
        intermediate_size=intermediate,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        vocab_size=numbers["vocabulary"],
        max_position_embeddings=POSITIONS,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    )
    image_token = numbers["vocabulary"] - 64
    return LlavaConfig(
        vision_config=vision,
        text_config=llm,
        image_token_index=image_token,
        image_token_id=image_token,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(numbers["image"] // PATCH) ** 2,
    )


def save(folder: Path, settings: LlavaConfig) -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    model = LlavaForConditionalGeneration(settings)
    model.save_pretrained(folder)
    # Nothing is asked in words; a folder without a tokenizer is none that anyone would give us.
    shutil.copy(programs.ROOT / "recipes/quickstart/tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters / 1e9:.2f} billion parameters")


def tensors(folder: Path, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights whose names begin so, without that beginning."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            for name in weights.keys():
                if name.startswith(prefix):
                    yield name.removeprefix(prefix), weights.get_tensor(name).float()


def add(writer: gguf.GGUFWriter, name: str, tensor: torch.Tensor, kind: Type) -> None:
    """A matrix is stored as `kind`, all else in f32, as llama.cpp's converter does."""
    kind = kind if tensor.dim() == 2 else Type.F32
    writer.add_tensor(name, gguf.quants.quantize(tensor.numpy(), kind), raw_dtype=kind)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """GGUF's LLaMA rotates neighbours, transformers' the two halves of a head."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns).contiguous()


def write_decoder(path: Path, folder: Path, settings: LlamaConfig, kind: Type) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(settings.max_position_embeddings)
    writer.add_embedding_length(settings.hidden_size)
    writer.add_block_count(settings.num_hidden_layers)
    writer.add_feed_forward_length(settings.intermediate_size)
    writer.add_head_count(settings.num_attention_heads)
    writer.add_head_count_kv(settings.num_key_value_heads)
    writer.add_layer_norm_rms_eps(settings.rms_norm_eps)
    writer.add_rope_dimension_count(settings.hidden_size // settings.num_attention_heads)
    writer.add_vocab_size(settings.vocab_size)
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>"]
    words = [f"word{number}" for number in range(settings.vocab_size - len(special) - len(bytes_))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * len(bytes_)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*special, *bytes_, *words])
    writer.add_token_scores([0.0] * settings.vocab_size)
    writer.add_token_types([*kinds, *[gguf.TokenType.NORMAL] * len(words)])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, settings.num_hidden_layers)
    for name, tensor in tensors(folder, "language_model."):
        if "q_proj" in name or "k_proj" in name:
            tensor = interleaved(tensor, settings.num_attention_heads)
        add(writer, names.get_name(name, (".weight",)), tensor, kind)
    finish(writer)


def write_encoder(path: Path, folder: Path, settings: LlavaConfig) -> None:
    vision = settings.vision_config
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_image_size(vision.image_size)
    writer.add_vision_patch_size(vision.patch_size)
    writer.add_vision_embedding_length(vision.hidden_size)
    writer.add_vision_feed_forward_length(vision.intermediate_size)
    writer.add_vision_projection_dim(settings.text_config.hidden_size)
    writer.add_vision_block_count(vision.num_hidden_layers)
    writer.add_vision_head_count(vision.num_attention_heads)
    writer.add_vision_attention_layernorm_eps(vision.layer_norm_eps)
    writer.add_vision_image_mean([0.48145466, 0.4578275, 0.40821073])
    writer.add_vision_image_std([0.26862954, 0.26130258, 0.27577711])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, vision.num_hidden_layers)
    for name, tensor in tensors(folder, "vision_tower."):
        name = names.get_name(f"vision_tower.vision_model.{name}", (".weight", ".bias"))
        add(writer, name, tensor, Type.F32 if "position" in name else Type.BF16)
    for name, tensor in tensors(folder, "multi_modal_projector.linear_"):
        # Between the two layers, numbers 0 and 2 of a sequence, is the activation.
        number, part = name.split(".")
        add(writer, f"mm.{2 * (int(number) - 1)}.{part}", tensor, Type.BF16)
    finish(writer)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="reference")
    options = parser.parse_args()
    settings = config(options.size)
    folder = options.folder / "hf"
    save(folder, settings)
    for name, kind in TYPES.items():
        write_decoder(options.folder / f"{name}.gguf", folder, settings.text_config, kind)
    write_encoder(options.folder / "mmproj.gguf", folder, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
