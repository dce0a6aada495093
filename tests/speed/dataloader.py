#!/usr/bin/env python3
"""Images a second of the input pipeline, beside PyTorch's DataLoader with CLIPImageProcessor on the same photos.

Usage: dataloader.py [--photos DIR] [--workers 0,1,2,4] [--rounds 5] [--images 512] [--json FILE]

Both read, decode, crop to 336 pixels, normalise and stack batches of 16. Ours (`cargo bench --bench loader`, built by
this script) also tokenises a sentence a sample. PyTorch has transformers' processor with the PIL backend, the one
whose pixels are the original LLaVA's and ours, and with the torchvision backend, whose pixels differ. Each round runs
all of them one after the other for each number of workers; the table has medians and the ratio of ours to each.

Without --photos, the photos of scikit-image and scikit-learn are taken from PyPI and written as JPEG files, 640 pixels
at their longer side, quality 92, as COCO's are about.

Needs torch, torchvision, transformers 5 and pillow. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import photos as sources
import torch
import transformers
from PIL import Image
from transformers import CLIPImageProcessor, CLIPImageProcessorPil

ROOT = Path(__file__).resolve().parents[2]
BATCH, WARM_UP, SIDE = 16, 2, 336


class Photos(torch.utils.data.Dataset):
    """As the original LLaVA reads a sample."""

    def __init__(self, files: list[Path], processor, length: int) -> None:
        self.files, self.processor, self.length = files, processor, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        image = Image.open(self.files[index % len(self.files)]).convert("RGB")
        return self.processor(image, return_tensors="pt")["pixel_values"][0]


def processor(kind):
    return kind(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def theirs(kind, files: list[Path], workers: int, images: int) -> float:
    length = (-(-images // BATCH) + WARM_UP) * BATCH
    dataset = Photos(files, processor(kind), length)
    batches = iter(torch.utils.data.DataLoader(dataset, batch_size=BATCH, num_workers=workers))
    for _ in range(WARM_UP):
        next(batches)
    begun, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch)
    return count / (time.perf_counter() - begun)


def build() -> Path:
    command = ["cargo", "bench", "--bench", "loader", "--no-run", "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    built = [json.loads(line) for line in lines]
    return Path(next(b["executable"] for b in built if b.get("executable") and b["target"]["name"] == "loader"))


def ours(bench: Path, folder: Path, workers: int, images: int) -> float:
    command = [bench, "--photos", folder, "--workers", str(workers), "--images", str(images)]
    return json.loads(subprocess.check_output(command))["images_per_second"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--workers", default="0,1,2,4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    bench = build()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.photos or sources.fetch(Path(scratch))
        files = sorted(folder.glob("*.jpg"))
        if not files:
            sys.exit(f"{folder} holds no .jpg")
        runs = {
            "ours": lambda workers: ours(bench, folder, workers, options.images),
            "pil": lambda workers: theirs(CLIPImageProcessorPil, files, workers, options.images),
            "torchvision": lambda workers: theirs(CLIPImageProcessor, files, workers, options.images),
        }
        counts = [int(count) for count in options.workers.split(",")]
        speeds = {workers: {name: [] for name in runs} for workers in counts}
        for _ in range(options.rounds):
            for workers in counts:
                for name, run in runs.items():
                    speeds[workers][name].append(run(workers))

    medians = {
        workers: {name: statistics.median(values) for name, values in of.items()} for workers, of in speeds.items()
    }
    print(
        f"{len(files)} photos, {options.rounds} rounds of {options.images} images, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, transformers {transformers.__version__}\n"
    )
    print("| workers | ours, images/s | PIL backend | torchvision backend | ours / PIL | ours / torchvision |")
    print("| --- | --- | --- | --- | --- | --- |")
    for workers, of in medians.items():
        ratios = [of["ours"] / of[name] for name in ("pil", "torchvision")]
        print(
            f"| {workers} | {of['ours']:.0f} | {of['pil']:.0f} | {of['torchvision']:.0f} "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} |"
        )
    if options.json:
        options.json.write_text(json.dumps(speeds, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
