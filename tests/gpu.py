"""The work of `tests/gpu.sh` in PyTorch: bf16, scaled_dot_product_attention.

Usage: gpu.py DEVICE SIZE WORK…, where DEVICE is `cuda` or `cpu`, SIZE is what `step size NAME` prints and each WORK `encode`, `prefill:TOKENS`,
`decode:TOKENSxROWS`, or `align` or `finetune` for a training step of f32 parameters under autocast.

Prints {"works": {WORK: {"median": SECONDS}}}. Needs torch and transformers, as in peers/speed/requirements.txt.
"""

import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "peers/speed"))
import step

WARM_UP, STEPS, CALLS = 3, 64, 10


def timed(call: Callable) -> float:
    begun = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


class Inference:
    def __init__(self, device: str, size: dict) -> None:
        self.device = device
        self.model = step.llava(size).to(device, torch.bfloat16).eval()
        side = size["image_size"]
        self.pixels = torch.randn(1, 3, side, side, device=device, dtype=torch.bfloat16)
        self.image = torch.cat(tuple(self.encode())).unsqueeze(0)

    def encode(self) -> tuple:
        features = self.model.get_image_features(pixel_values=self.pixels)
        return getattr(features, "pooler_output", features)

    def prefill(self, tokens: int, rows: int) -> Callable:
        """Reads a prompt of an image and words; what it gives is one more token a row."""
        words = torch.full((1, tokens - self.image.shape[1]), 7, device=self.device)
        embeds = torch.cat([self.image, self.model.get_input_embeddings()(words)], 1).expand(rows, -1, -1)
        cache = self.model(inputs_embeds=embeds, use_cache=True, logits_to_keep=1).past_key_values
        word = torch.full((rows, 1), 7, device=self.device)
        return lambda: self.model(input_ids=word, cache=cache, use_cache=True, logits_to_keep=1)


def median(call: Callable, count: int) -> float:
    return statistics.median([timed(call) for _ in range(WARM_UP + count)][WARM_UP:])


def infer(device: str, size: dict, works: list[str]) -> dict[str, float]:
    inference, medians = Inference(device, size), {}
    for work in works:
        name, _, place = work.partition(":")
        tokens, _, rows = place.partition("x")
        if name == "encode":
            medians[work] = median(inference.encode, CALLS)
        elif name == "prefill":
            medians[work] = median(functools.partial(inference.prefill, int(tokens), 1), CALLS)
        else:
            medians[work] = median(inference.prefill(int(tokens), int(rows or 1)), STEPS)
    return medians


def measure(device: str, size: dict, works: list[str]) -> dict[str, float]:
    stages = [work for work in works if work in ("align", "finetune")]
    with torch.inference_mode():
        medians = infer(device, size, [work for work in works if work not in stages])
    for stage in stages:
        # What the last model held.
        torch.cuda.empty_cache()
        seconds = step.theirs(size, stage, WARM_UP + CALLS, bf16=True, device=device)
        medians[stage] = statistics.median(seconds[WARM_UP:])
    return medians


def main() -> None:
    device, size, *works = sys.argv[1:]
    medians = measure(device, json.loads(size), works)
    works = {work: {"median": seconds} for work, seconds in medians.items()}
    print(json.dumps({"works": works}, separators=(",", ":")))


if __name__ == "__main__":
    main()
