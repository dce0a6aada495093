"""What each work needs, operations or bytes, and what the processor gives at most."""

import json
import re
import subprocess
from pathlib import Path

import programs
import step

# Bytes of a weight: below bf16, 32 of them share a scale of 16 bits. Of a number of the cache.
WEIGHT = {"f32": 4, "bf16": 2, "q8": 34 / 32, "q4": 18 / 32}
CACHE = {"f32": 4, "bf16": 2, "q8": 2, "q4": 2}
ROUNDS = 20


def decoder_weights(hidden: int, inner: int, blocks: int) -> int:
    """Of the products of all blocks of a LLaMA without grouped heads."""
    return blocks * (4 * hidden**2 + 3 * hidden * inner)


def encoder_weights(width: int, inner: int, blocks: int) -> int:
    return blocks * (4 * width**2 + 2 * width * inner)


class Model:
    """The sizes of a folder that `model.py` made."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "hf/config.json").read_text())
        vision, llm = config["vision_config"], config["text_config"]
        self.width, self.inner = vision["hidden_size"], vision["intermediate_size"]
        self.vision_blocks = vision["num_hidden_layers"] - 1  # up to the one that is read
        self.patches = (vision["image_size"] // vision["patch_size"]) ** 2
        self.hidden, self.blocks, self.vocabulary = llm["hidden_size"], llm["num_hidden_layers"], llm["vocab_size"]
        self.weights = decoder_weights(self.hidden, llm["intermediate_size"], self.blocks)

    def encode(self) -> float:
        """Operations of an image."""
        tokens = self.patches + 1
        products = 2 * tokens * encoder_weights(self.width, self.inner, self.vision_blocks)
        attention = 4 * self.vision_blocks * tokens**2 * self.width
        return products + attention + 2 * self.patches * (self.width + self.hidden) * self.hidden

    def prefill(self, tokens: int) -> float:
        """Operations of a prompt. A token attends to half of them, in scores and in sums of values."""
        attention = 2 * self.blocks * tokens**2 * self.hidden
        return 2 * tokens * self.weights + attention + 2 * self.hidden * self.vocabulary

    def decode(self, tokens: int, dtype: str) -> float:
        """Bytes that a step reads after so many tokens: all weights but the embeddings, keys and values."""
        cache = 2 * self.blocks * tokens * self.hidden * CACHE[dtype]
        return WEIGHT[dtype] * (self.weights + self.hidden * self.vocabulary) + cache


def training(stage: str, size: str) -> float:
    """Operations of a step: forward through all, backward to the projector's input, and, where it learns, to the
    decoder's weights."""
    sizes = step.size(size)
    rows, visual, text = sizes["batch"], sizes["visual_tokens"], sizes["text"]
    tokens = visual + text
    width, blocks, _ = sizes["vision"]
    hidden, layers, _, inner = sizes["llm"]
    read = blocks - 1
    encoder = rows * (visual + 1) * (2 * encoder_weights(width, 4 * width, read) + 4 * read * visual * width)
    projector = 2 * rows * visual * (width + hidden) * hidden
    products = 2 * rows * tokens * decoder_weights(hidden, inner, layers)
    head = 2 * rows * text * hidden * sizes["vocab_size"]
    attention = 2 * layers * rows * tokens**2 * hidden
    passes = 3 if stage == "finetune" else 2
    return encoder + 3 * projector + passes * (products + head) + 3 * attention


def measured() -> tuple[dict[str, float], float]:
    """Operations a second of the fastest product of 640 rows by type of number, and bytes a second of the fastest
    product of one row, as `cargo bench --bench ratios` of the kernels says."""
    command = ["cargo", "bench", "-p", "menagerie-kernels", "--bench", "ratios", "--", str(ROUNDS)]
    said = subprocess.run(command, cwd=programs.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    operations: dict[str, float] = {}
    bytes_, rows = 0.0, ""
    for text in said.splitlines():
        if shape := re.match(r"(\d+) × \d+ × \d+", text):
            rows = shape[1]
        elif row := re.match(r"(?:gemm )?(f32|bf16|q8|q4)(?:_0)?\b.* ([\d.]+) +([\d.]+) +[\d.]+$", text):
            if rows == "640":
                operations[row[1]] = max(operations.get(row[1], 0), 1e9 * float(row[2]))
            elif rows == "1":
                bytes_ = max(bytes_, 1e9 * float(row[3]))
    return operations, bytes_
