#!/usr/bin/env python3
"""A folder of LLaVA-1.5-7B's exact shapes in bf16 with random weights, as Hugging Face's hub holds it.

Usage: llava_7b.py FOLDER            writes it: 14.1 GB in three shards
       llava_7b.py --remove FOLDER   removes it again

Needs Python 3.9 and nothing else. It holds some 100 MB at a time, checks the free space before it writes, never
writes into a folder that exists, and leaves nothing behind if it fails or is stopped.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from configs import FILES, HIDDEN, LAYERS, MLP, PATCH, POSITIONS, ROWS, TOWER_HIDDEN, TOWER_LAYERS, TOWER_MLP

PARAMETERS = 7_063_427_072
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 5_000_000_000  # at most, as on the hub
SPARE_BYTES = 1_000_000_000  # left free on the disk
CHUNK = 16 << 20  # bytes written at once
TOKENIZER = Path(__file__).parents[1] / "fixtures" / "tokens" / "tokenizer.json.gz"

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def tower() -> Shapes:
    """CLIP ViT-L/14-336."""
    size, root = TOWER_HIDDEN, "vision_tower.vision_model."
    shapes = {
        f"{root}embeddings.class_embedding": (size,),
        f"{root}embeddings.patch_embedding.weight": (size, 3, PATCH, PATCH),
        f"{root}embeddings.position_embedding.weight": (POSITIONS, size),
    }
    for layer in range(TOWER_LAYERS):
        at = f"{root}encoder.layers.{layer}."
        for part in ("k_proj", "out_proj", "q_proj", "v_proj"):
            shapes |= linear(f"{at}self_attn.{part}", size, size)
        shapes |= norm(f"{at}layer_norm1", size) | norm(f"{at}layer_norm2", size)
        shapes |= linear(f"{at}mlp.fc1", TOWER_MLP, size) | linear(f"{at}mlp.fc2", size, TOWER_MLP)
    # `layrnorm` is how CLIP's files spell it.
    return shapes | norm(f"{root}pre_layrnorm", size) | norm(f"{root}post_layernorm", size)


def projector() -> Shapes:
    name = "multi_modal_projector.linear_"
    return linear(f"{name}1", HIDDEN, TOWER_HIDDEN) | linear(f"{name}2", HIDDEN, HIDDEN)


def decoder() -> Shapes:
    """Vicuna 7B with the rows that LLaVA added."""
    root = "language_model.model."
    shapes: Shapes = {f"{root}embed_tokens.weight": (ROWS, HIDDEN)}
    for layer in range(LAYERS):
        at = f"{root}layers.{layer}."
        shapes |= {f"{at}self_attn.{part}_proj.weight": (HIDDEN, HIDDEN) for part in "kqvo"}
        shapes |= {f"{at}mlp.{part}_proj.weight": (MLP, HIDDEN) for part in ("gate", "up")}
        shapes[f"{at}mlp.down_proj.weight"] = (HIDDEN, MLP)
        shapes |= {f"{at}{part}_layernorm.weight": (HIDDEN,) for part in ("input", "post_attention")}
    return shapes | {f"{root}norm.weight": (HIDDEN,), "language_model.lm_head.weight": (ROWS, HIDDEN)}


def elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def shards(shapes: Shapes) -> list[Shapes]:
    """In order, a new shard where the next tensor would make one too large."""
    found: list[Shapes] = [{}]
    held = 0
    for name, shape in shapes.items():
        held += 2 * elements(shape)
        if held > SHARD_BYTES:
            found.append({})
            held = 2 * elements(shape)
        found[-1][name] = shape
    return found


class Numbers:
    """bf16 numbers of either sign between 2^-7 and 2^-5, about as large as trained weights; the same each time."""

    def __init__(self) -> None:
        # One element short of a round size, so that no two rows of a matrix are equal.
        size = CHUNK - 2
        block = bytearray(random.Random(7).randbytes(size))
        # The second byte of each is the sign and all but the last bit of the exponent.
        block[1::2] = block[1::2].translate(bytes(0x3C | byte & 0x80 for byte in range(256)))
        self.block = memoryview(bytes(block))
        self.at = 0

    def chunks(self, length: int) -> Iterator[memoryview]:
        while length:
            chunk = self.block[self.at : self.at + length]
            self.at = (self.at + len(chunk)) % len(self.block)
            length -= len(chunk)
            yield chunk


def write_shard(file: BinaryIO, shapes: Shapes, numbers: Numbers) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * elements(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name, shape in shapes.items():
        if name.endswith("norm.weight") or "layer_norm" in name and name.endswith(".weight"):
            file.write(struct.pack("<H", 0x3F80) * elements(shape))  # 1.0
        else:
            for chunk in numbers.chunks(2 * elements(shape)):
                file.write(chunk)
    file.flush()
    os.fsync(file.fileno())


def write(folder: Path, parts: list[Shapes]) -> None:
    for name, content in FILES.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    (folder / "tokenizer.json").write_bytes(gzip.decompress(TOKENIZER.read_bytes()))
    places = {}
    numbers = Numbers()
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        print(f"{name}: {len(part)} tensors", file=sys.stderr)
        with open(folder / name, "xb") as file:
            write_shard(file, part, numbers)
        places |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 2 * PARAMETERS}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def check_space(folder: Path) -> None:
    wanted = 2 * PARAMETERS + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < wanted:
        sys.exit(f"`{folder}` has {free / 1e9:.1f} GB free, and {wanted / 1e9:.1f} GB are needed; name a folder elsewhere")


def make(folder: Path) -> None:
    shapes = tower() | projector() | decoder()
    counted = sum(map(elements, shapes.values()))
    assert counted == PARAMETERS, f"{counted} parameters"
    if folder.exists():
        sys.exit(f"`{folder}` exists; remove it or name another folder")
    if not folder.absolute().parent.is_dir():
        sys.exit(f"`{folder.absolute().parent}` is no folder; make it first or name another")
    check_space(folder.absolute().parent)
    # A stop by `kill` cleans up like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder.mkdir()
    try:
        write(folder, shards(shapes))
    except BaseException as failure:
        shutil.rmtree(folder)
        print(f"removed `{folder}`, which was not whole", file=sys.stderr)
        if isinstance(failure, (KeyboardInterrupt, OSError)):
            sys.exit(str(failure) or "stopped")
        raise
    print(f"{folder}: {PARAMETERS} parameters, {2 * PARAMETERS} bytes in bf16")


def remove(folder: Path) -> None:
    """Removes what `make` wrote, file by file, and the folder if nothing else lies in it."""
    index = folder / INDEX
    if not index.is_file() or json.loads(index.read_text())["metadata"] != {"total_size": 2 * PARAMETERS}:
        sys.exit(f"`{folder}` holds nothing that this script wrote")
    shard_names = set(json.loads(index.read_text())["weight_map"].values())
    for name in sorted(shard_names | FILES.keys()) + ["tokenizer.json", INDEX]:
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--remove", action="store_true", help="remove it instead")
    args = parser.parse_args()
    (remove if args.remove else make)(args.folder)


if __name__ == "__main__":
    main()
