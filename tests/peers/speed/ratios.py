#!/usr/bin/env python3
"""How fast we are beside PyTorch, candle and llama.cpp on the same work on this machine, as ratios.

Usage: ratios.py MODEL [--work encode,prefill,decode,memory,train,limits] [--rounds 3]
                 [--programs ours,torch,candle,llama.cpp] [--page]

MODEL is a folder that `model.py` made. The works are an image through encoder and projector, a prompt of 640 tokens
(576 of them the image's) up to the logits of its last, 64 tokens of an answer after it, and a step of each stage of the
training of the small model that `cargo bench --bench step` states. All programs that are compared in a round run one
after the other, each in a process of its own that warms up first; the next round begins again. The table has for each
pair the shortest and the median time, and how many times as fast as theirs ours is at both: above 1 ours is faster. The
median is that of the rounds' ratios, since a machine's memory is not as fast in one minute as in the next.

Memory is that over all of an answer. The limits are those of the fastest kernels that run on this machine.

--page writes the tables into docs/src/performance.md. A program that is not there is named with what installs it; the
others are measured. Run it on a machine that does nothing else.
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import contestants
import limits
import page
from contestants import Contestant

PROGRAMS = ("ours", "torch", "candle", "llama.cpp")


@dataclass(frozen=True)
class Row:
    """A comparison, and how many times as fast we want to be."""

    work: str
    dtype: str
    peer: str
    wanted: float | None = None


WORKS = {
    "encode": "encode",
    "prefill": "prefill:640",
    "decode": "decode:640",
    "align": "train:align:small",
    "finetune": "train:finetune:small",
}
ROWS = [
    Row("encode", "f32", "torch", 1.3),
    Row("encode", "f32", "candle", 1.3),
    Row("encode", "bf16", "torch", 1.0),
    Row("encode", "bf16", "llama.cpp", 1.0),
    Row("prefill", "f32", "torch", 1.5),
    Row("prefill", "f32", "candle", 1.3),
    Row("prefill", "bf16", "torch", 1.0),
    Row("prefill", "bf16", "llama.cpp", 1.0),
    Row("prefill", "q8", "llama.cpp", 1.5),
    Row("prefill", "q8", "candle"),
    Row("prefill", "q4", "llama.cpp"),
    Row("prefill", "q4", "candle"),
    Row("decode", "f32", "torch"),
    Row("decode", "f32", "candle"),
    Row("decode", "bf16", "torch", 1.3),
    Row("decode", "bf16", "llama.cpp", 1.0),
    Row("decode", "q8", "llama.cpp", 1.0),
    Row("decode", "q8", "candle"),
    Row("decode", "q4", "llama.cpp", 1.0),
    Row("decode", "q4", "candle"),
    Row("align", "f32", "torch", 1.3),
    Row("align", "bf16", "torch", 1.0),
    Row("finetune", "f32", "torch", 1.3),
    Row("finetune", "bf16", "torch", 1.0),
]
# What memory is that of: where nothing is encoded, the encoder's weights may never be read.
ANSWER = ("encode", "prefill", "decode")


def shown(work: str, seconds: float) -> str:
    """In the unit that people count the work in."""
    if work == "prefill":
        return f"{640 / seconds:.0f}"
    if work == "decode":
        return f"{1 / seconds:.1f}"
    return f"{1e3 * seconds:.0f}"


UNITS = {"encode": "ms", "prefill": "tokens/s", "decode": "tokens/s", "align": "ms", "finetune": "ms"}


def cell(contestant: Contestant, row: Row) -> str:
    """Its times, or why there are none."""
    work = WORKS[row.work]
    if work in contestant.seconds:
        return " / ".join(shown(row.work, seconds) for seconds in (contestant.least(work), contestant.median(work)))
    return contestant.failed.get(work, "not run").replace("|", "/")


def line(row: Row, found: dict[str, Contestant]) -> str:
    pair = [Contestant(program, row.dtype) for program in ("ours", row.peer)]
    ours, theirs = (found.get(contestant.name, contestant) for contestant in pair)
    work, ratios = WORKS[row.work], ["", ""]
    if work in ours.seconds and work in theirs.seconds:
        rounds = zip(ours.seconds[work], theirs.seconds[work], strict=False)
        of_rounds = [statistics.median(other) / statistics.median(own) for own, other in rounds]
        ratios = [f"{ratio:.2f}×" for ratio in (theirs.least(work) / ours.least(work), statistics.median(of_rounds))]
    wanted = f"{row.wanted}×" if row.wanted else ""
    cells = [f"{row.work}, {UNITS[row.work]}", row.dtype, row.peer, cell(ours, row), cell(theirs, row), *ratios, wanted]
    return f"| {' | '.join(cells)} |"


def table(rows: list[Row], found: dict[str, Contestant]) -> str:
    lines = [
        "| work | numbers | beside | ours, best / median | theirs, best / median | of the best | median | wanted |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*lines, *(line(row, found) for row in rows)])


def memory(found: list[Contestant], parameters: int) -> str:
    lines = [
        "| program | numbers | weights, GiB | peak, GiB | above the weights |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for contestant in found:
        if contestant.peaks and all(WORKS[work] in contestant.seconds for work in ANSWER):
            weights, peak = parameters * limits.WEIGHT[contestant.dtype], min(contestant.peaks)
            gib = [f"{size / 2**30:.2f}" for size in (weights, peak)]
            above = f"{100 * (peak / weights - 1):+.0f} %"
            lines.append(f"| {contestant.program} | {contestant.dtype} | {' | '.join([*gib, above])} |")
    return "\n".join(lines)


def reached(found: list[Contestant], folder: Path) -> str:
    """What our works need at least, by what the processor gives, and how much of that they reach."""
    operations, bandwidth = limits.measured()
    model = limits.Model(folder)
    lines = [
        "| work | numbers | needs | limit | at least, ms | ours, best, ms | reached |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, work in WORKS.items():
        for contestant in found:
            if contestant.program != "ours" or work not in contestant.seconds:
                continue
            dtype, best = contestant.dtype, contestant.least(work)
            if name == "decode":
                needs, limit, unit = model.decode(640, dtype), bandwidth, "GB"
            else:
                training = limits.training(name, "small") if work.startswith("train:") else 0
                needs = training or (model.encode() if name == "encode" else model.prefill(640))
                limit, unit = operations[dtype], "GFLOP"
            lines.append(
                f"| {name} | {dtype} | {needs / 1e9:.3g} {unit} | {limit / 1e9:.0f} {unit}/s "
                f"| {1e3 * needs / limit:.0f} | {1e3 * best:.0f} | {100 * needs / limit / best:.0f} % |"
            )
    return "\n".join(lines)


def parameters(model: Path) -> int:
    """Of the encoder, the projector and the decoder, by the heading of the file."""
    total = 0
    for file in (model / "hf").glob("*.safetensors"):
        with file.open("rb") as opened:
            heading = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        shapes = [entry["shape"] for name, entry in heading.items() if name != "__metadata__"]
        for shape in shapes:
            count = 1
            for size in shape:
                count *= size
            total += count
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--work", type=names, default=["encode", "prefill", "decode", "memory", "train", "limits"])
    parser.add_argument("--programs", type=names, default=list(PROGRAMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    asked = set(options.work)
    if "train" in asked:
        asked |= {"align", "finetune"}
    if "memory" in asked:
        asked |= set(ANSWER)

    rows = [row for row in ROWS if row.work in asked and row.peer in options.programs]
    found: dict[str, Contestant] = {}
    for row in rows:
        for program in ("ours", row.peer):
            if program in options.programs:
                contestant = Contestant(program, row.dtype)
                found.setdefault(contestant.name, contestant).ask(WORKS[row.work])
    for contestant in found.values():
        if "memory" in asked and contestant.program == "ours":
            for work in ANSWER:
                contestant.ask(WORKS[work])
    contestants.take_turns(list(found.values()), options.model, options.rounds)

    versions = contestants.versions(found.values())
    said = f"{page.machine()}; {options.rounds} rounds; {versions}."
    # Each as soon as it is there: what is measured is not lost with what is not.
    tables = {"ratios": lambda: f"{said}\n\n{table(rows, found)}"}
    if "memory" in asked:
        tables["memory"] = lambda: memory(list(found.values()), parameters(options.model))
    if "limits" in asked:
        tables["limits"] = lambda: reached(list(found.values()), options.model)
    for name, written in tables.items():
        text = written()
        print(f"{text}\n", flush=True)
        if options.page:
            page.fill(name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
