"""The work in PyTorch, by transformers' LLaVA with its default attention (SDPA). See `runner.py`."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from transformers import LlavaForConditionalGeneration

import runner

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class PyTorch(runner.Inference):
    def __init__(self, folder: Path, dtype: str) -> None:
        torch.set_num_threads(os.cpu_count())
        torch.set_grad_enabled(False)
        self.model = LlavaForConditionalGeneration.from_pretrained(folder / "hf", dtype=DTYPES[dtype]).eval()
        side = self.model.config.vision_config.image_size
        self.pixels = torch.randn(1, 3, side, side, dtype=DTYPES[dtype])
        self.image = self.encode()

    def version(self) -> str:
        return f"torch {torch.__version__}, transformers {transformers.__version__}"

    def encode(self) -> torch.Tensor:
        features = self.model.get_image_features(pixel_values=self.pixels).pooler_output
        return torch.stack(tuple(features))

    def prefill(self, tokens: int, rows: int) -> Callable[[], None]:
        image = self.image[:, : tokens if tokens > self.image.shape[1] else 0]
        text = torch.full((1, tokens - image.shape[1]), runner.WORD)
        embeds = torch.cat([image, self.model.get_input_embeddings()(text)], 1).expand(rows, -1, -1)
        cache = self.model(inputs_embeds=embeds, use_cache=True, logits_to_keep=1).past_key_values
        word = torch.full((rows, 1), runner.WORD)
        return lambda: self.model(input_ids=word, cache=cache, use_cache=True, logits_to_keep=1)


if __name__ == "__main__":
    runner.main(PyTorch)
