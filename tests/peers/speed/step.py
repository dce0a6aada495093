#!/usr/bin/env python3
"""A training step of both stages at three sizes, ours and PyTorch's in turns, and the ratios.

Usage: step.py [--sizes tiny,small,medium] [--rounds 3] [--steps 5]

A step is forward, backward, clipping to a norm of 1 and AdamW, of one batch that is learned over and over; `cargo bench
--bench step`, which this script builds, states the sizes. The images go through the encoder in every step. Both are in
f32, and with f32 parameters and products in bf16: `dtype = "bf16"` here, autocast in PyTorch, whose model is
transformers' LlavaForConditionalGeneration with its default attention (SDPA). Every round runs all of them one after
the other, each in a process of its own, whose first two steps do not count; the table has medians over all rounds, and
how many times as long as ours PyTorch's takes in the same numbers: above 1 ours is faster.

Needs torch and transformers 5. Run it on a machine that does nothing else.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time

import programs

WARM_UP = 2
KINDS = [(program, dtype) for program in ("ours", "torch") for dtype in ("f32", "bf16")]


def llava(size: dict):
    """The model of a size, its numbers drawn at random. Its image token is the last of the vocabulary."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(0)
    width, blocks, heads = size["vision"]
    vision = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        image_size=size["image_size"],
        patch_size=14,
    )
    hidden, layers, heads, intermediate = size["llm"]
    visual, vocab = size["visual_tokens"], size["vocab_size"]
    text_config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        vocab_size=vocab,
        max_position_embeddings=visual + size["text"],
        tie_word_embeddings=False,
    )
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=text_config,
            image_token_index=vocab - 1,
            image_token_id=vocab - 1,
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
            image_seq_length=visual,
        )
    )


def theirs(size: dict, stage: str, steps: int, bf16: bool, device: str = "cpu") -> list[float]:
    """Seconds of each step. With `bf16` under autocast."""
    import torch

    torch.set_num_threads(os.cpu_count())
    visual, text, batch, vocab = size["visual_tokens"], size["text"], size["batch"], size["vocab_size"]
    model = llava(size).to(device)
    model.train()
    for name, parameter in model.named_parameters():
        learns = "vision_tower" not in name and (stage == "finetune" or "multi_modal_projector" in name)
        parameter.requires_grad_(learns)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-4, weight_decay=0.0)
    ids = torch.full((batch, visual + text), 7, device=device)
    ids[:, :visual] = vocab - 1
    labels = ids.clone()
    labels[:, :visual] = -100
    pixels = torch.randn(batch, 3, size["image_size"], size["image_size"], device=device)
    mask = torch.ones_like(ids)

    def step() -> float:
        begun = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = model(input_ids=ids, pixel_values=pixels, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    return [step() for _ in range(steps)]


@functools.cache
def size(name: str) -> dict:
    return json.loads(subprocess.check_output([programs.bench("step"), "size", name]))


def command(program: str, dtype: str, name: str, stage: str, steps: int) -> list:
    """What prints the seconds of `WARM_UP` steps, which do not count, and of so many more."""
    steps += WARM_UP
    if program == "ours":
        return [programs.bench("step"), "time", name, stage, dtype, str(steps)]
    one = {"size": size(name), "stage": stage, "steps": steps, "bf16": dtype == "bf16"}
    return [sys.executable, __file__, "--one", json.dumps(one)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="tiny,small,medium")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:  # PyTorch, in a process of its own
        print(json.dumps(theirs(**json.loads(options.one))))
        return 0

    cases = [(name, stage) for name in options.sizes.split(",") for stage in ("align", "finetune")]
    done = {case: {kind: [] for kind in KINDS} for case in cases}
    for _ in range(options.rounds):
        for case in cases:
            for kind in KINDS:
                seconds = json.loads(subprocess.check_output(command(*kind, *case, options.steps)))
                done[case][kind] += seconds[WARM_UP:]

    import torch
    import transformers

    print(
        f"{options.rounds} rounds of {options.steps} steps, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}\n\n"
        "| size | stage | ours f32, ms | torch f32, ms | ours bf16, ms | torch bf16, ms |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |"
    )
    for (name, stage), of in done.items():
        cells = []
        for dtype in ("f32", "bf16"):
            own, other = (1e3 * statistics.median(of[program, dtype]) for program in ("ours", "torch"))
            cells += [f"{own:.0f}", f"{other:.0f} ({other / own:.2f}×)"]
        print(f"| {name} | {stage} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
