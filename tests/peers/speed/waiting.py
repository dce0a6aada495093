#!/usr/bin/env python3
"""The share of a training step that waits for its batch, on photos, by size of the model and number of workers.

Usage: waiting.py [--photos DIR] [--workers 0,1,2,4] [--rounds 3] [--steps 12]

Trains both stages of the models of `cargo bench --bench step` with the program itself on JPEG photos, a conversation
each, and reads `timings.jsonl`: `wait_seconds` of `seconds`, without the first two steps of a stage, which begin with
an empty loader. The numbers of workers take turns within a round; the table has medians over rounds and stages.

Without --photos they are those of `dataloader.py`. Needs pillow, and numpy for the photos. Run it on a machine that
does nothing else.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import photos as sources
import programs

WARM_UP = 2
SIZES = ["tiny", "small", "medium"]


def data(folder: Path, files: list[Path]) -> None:
    """Answers longer than any row, so that all rows are cut to one length."""
    answer = "red and blue " * 200
    turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": answer}]
    samples = [
        {"id": f"{number}", "image": files[number % len(files)].name, "conversations": turns} for number in range(512)
    ]
    (folder / "data.json").write_text(json.dumps(samples))
    shutil.copy(programs.ROOT / "recipes/quickstart/tokenizer.json", folder)


def train(program: Path, folder: Path, size: str, workers: int) -> list[dict]:
    """Timings of the steps that count."""
    out = folder / "run"
    command = [program, "train", folder / f"{size}.toml", "--out", out]
    for stage in ("align", "finetune"):
        command += ["--set", f"stage.{stage}.data.workers={workers}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    lines = [json.loads(line) for line in (out / "timings.jsonl").read_text().splitlines()]
    shutil.rmtree(out)
    return [line for line in lines if line["step"] >= WARM_UP]


def main() -> int:
    parser = sources.parser(__doc__, rounds=3)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    counts = options.workers

    program = programs.build("menagerie", "build", "--release")
    bench = programs.bench("step")
    done = {(size, workers): [] for size in SIZES for workers in counts}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos, files = sources.find(options.photos, folder)
        (folder / "images").symlink_to(photos.resolve())
        data(folder, files)
        for size in SIZES:
            recipe = subprocess.check_output([bench, "recipe", size, str(options.steps)], text=True)
            (folder / f"{size}.toml").write_text(recipe)
        for _ in range(options.rounds):
            for size, workers in done:
                done[size, workers] += train(program, folder, size, workers)

    print(
        f"{len(files)} photos, {options.rounds} rounds of {options.steps} steps of each stage, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"| model | {' | '.join(f'{count} workers' for count in counts)} |")
    print(f"| --- |{' ---: |' * len(counts)}")
    for size in SIZES:
        cells = []
        for workers in counts:
            lines = done[size, workers]
            share = statistics.median(line["wait_seconds"] / line["seconds"] for line in lines)
            step = statistics.median(line["seconds"] for line in lines)
            cells.append(f"{100 * share:.1f} % of {1e3 * step:.0f} ms")
        print(f"| {size} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
