"""Whether TensorBoard reads from a run folder what its lines of JSON say.

Usage: python tensorboard_reads.py RUN

Every curve is compared with `metrics.jsonl`, `timings.jsonl` and `scores.jsonl`, point by point: also those of a run that
was killed and resumed, whose event files tell of some steps twice.
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import SCALARS, TENSORS, EventAccumulator


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def single(value: float) -> float:
    """Curves are in single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


def expected(run: Path) -> dict[str, dict[int, float]]:
    begins, before = {}, 0
    for stage in json.loads((run / "manifest.json").read_text())["stages"]:
        begins[stage["name"]] = before
        before += stage["steps"]

    def place(line: dict) -> int:
        return begins[line["stage"]] + line["step"]

    # Of a step that was done again the last line counts.
    timings = {place(line): line for line in lines(run / "timings.jsonl") if "seconds" in line}
    curves: dict[str, dict[int, float]] = {}
    for line in lines(run / "metrics.jsonl"):
        step, timing = place(line), timings[place(line)]
        for name in ("loss", "grad_norm", "lr"):
            curves.setdefault(f"train/{name}", {})[step] = single(line[name])
        curves.setdefault("train/tokens_per_second", {})[step] = single(line["tokens"] / timing["seconds"])
        curves.setdefault("train/wait_share", {})[step] = single(timing["wait_seconds"] / timing["seconds"])
        if "resident_bytes" in timing:
            curves.setdefault("train/resident_bytes", {})[step] = single(timing["resident_bytes"])
    for line in lines(run / "scores.jsonl"):
        curves.setdefault("eval/score", {})[place(line)] = single(line["score"])
        if "blind" in line:
            curves.setdefault("eval/blind", {})[place(line)] = single(line["blind"])
    return curves


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    run = Path(sys.argv[1])
    accumulator = EventAccumulator(str(run / "tensorboard"), size_guidance={SCALARS: 0, TENSORS: 0})
    accumulator.Reload()
    wanted, tags = expected(run), accumulator.Tags()["scalars"]
    failed = 0
    for name in sorted(wanted.keys() | set(tags)):
        points = [(event.step, event.value) for event in accumulator.Scalars(name)] if name in tags else []
        passed = points == sorted(wanted.get(name, {}).items())
        failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'}  {name}: {len(points)} points, {len(wanted.get(name, {}))} lines")
    texts = accumulator.Tags()["tensors"]
    passed = "recipe" in texts
    failed += not passed
    print(f"{'ok  ' if passed else 'FAIL'}  texts: {', '.join(texts)}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
