#!/usr/bin/env python3
"""Images a second of the input pipeline, beside PyTorch's DataLoader with CLIPImageProcessor on the same photos.

Usage: dataloader.py [--photos DIR] [--workers 0,1,2,4] [--rounds 5] [--images 512]

Both read, decode, crop to 336 pixels, normalise and stack batches of 16. Ours (`cargo bench --bench loader`, built by
this script) also tokenises a sentence a sample. PyTorch has transformers' processor with the PIL backend, the one
whose pixels are the original LLaVA's and ours, and with the torchvision backend, whose pixels differ. Each round runs
all of them one after the other for each number of workers; the tables have medians and ratios: images a second, and the
processor time of an image, which other work on the machine changes little. The clock starts with the loader, empty.

Without --photos, the photos of scikit-image and scikit-learn are taken from PyPI and written as JPEG files, 640 pixels
at their longer side, quality 92, as COCO's are about.

Needs torch, torchvision, transformers 5 and pillow. Run it on a machine that does nothing else.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import photos as sources
import programs
import torch
import transformers
from PIL import Image
from transformers import CLIPImageProcessor, CLIPImageProcessorPil

BATCH, SIDE = 16, 336


class Photos(torch.utils.data.Dataset):
    """As the original LLaVA reads a sample."""

    def __init__(self, files: list[Path], processor, length: int) -> None:
        self.files, self.processor, self.length = files, processor, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        image = Image.open(self.files[index % len(self.files)]).convert("RGB")
        return self.processor(image, return_tensors="pt")["pixel_values"][0]


@dataclass
class Run:
    speed: float  # images a second
    cost: float  # milliseconds of processor time an image, start and all


def processor_seconds() -> float:
    """Of this process and of its children that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def costed(measure, images: int) -> Run:
    before = processor_seconds()
    speed = measure()
    return Run(speed, 1e3 * (processor_seconds() - before) / images)


def processor(kind):
    return kind(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def theirs(kind, files: list[Path], workers: int, images: int) -> float:
    dataset = Photos(files, processor(kind), images)
    begun = time.perf_counter()
    count = sum(map(len, torch.utils.data.DataLoader(dataset, batch_size=BATCH, num_workers=workers)))
    return count / (time.perf_counter() - begun)


def ours(bench: Path, folder: Path, workers: int, images: int) -> float:
    command = [bench, "--photos", folder, "--workers", str(workers), "--images", str(images)]
    return json.loads(subprocess.check_output(command))["images_per_second"]


def table(title: str, done: dict[int, dict[str, list[Run]]], value) -> None:
    """Medians, and how many times theirs is ours."""
    print(f"\n| {title}: workers | ours | PIL backend | torchvision backend |\n| --- | --- | --- | --- |")
    for workers, of in done.items():
        medians = {name: statistics.median(map(value, runs)) for name, runs in of.items()}
        own = medians.pop("ours")
        cells = [f"{median:.1f} ({median / own:.2f}×)" for median in medians.values()]
        print(f"| {workers} | {own:.1f} | {' | '.join(cells)} |")


def main() -> int:
    parser = sources.parser(__doc__, rounds=5)
    parser.add_argument("--images", type=int, default=512)
    options = parser.parse_args()

    bench = programs.bench("loader")
    with tempfile.TemporaryDirectory() as scratch:
        folder, files = sources.find(options.photos, Path(scratch))
        runs = {
            "ours": lambda workers: ours(bench, folder, workers, options.images),
            "pil": lambda workers: theirs(CLIPImageProcessorPil, files, workers, options.images),
            "torchvision": lambda workers: theirs(CLIPImageProcessor, files, workers, options.images),
        }
        done = {workers: {name: [] for name in runs} for workers in options.workers}
        for _ in range(options.rounds):
            for workers in options.workers:
                for name, run in runs.items():
                    done[workers][name].append(costed(lambda: run(workers), options.images))

    print(
        f"{len(files)} photos, {options.rounds} rounds of {options.images} images, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, transformers {transformers.__version__}"
    )
    table("images/s", done, lambda run: run.speed)
    table("ms of processor time an image", done, lambda run: run.cost)
    return 0


if __name__ == "__main__":
    sys.exit(main())
