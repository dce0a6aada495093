#!/usr/bin/env python3
"""How the cost of each work grows, ours and PyTorch's, as plots and a table.

Usage: growth.py MODEL [--programs ours,torch] [--dtypes f32,bf16] [--rounds 1] [--page]

MODEL is a folder that `model.py` made. What grows: the tokens of a prompt; the tokens before a step of an answer;
the rows that answer together, each after 128 tokens; and the rows, and the tokens of a row, of a batch that the small
model of `cargo bench --bench step` learns, all of it but the encoder. The table says by which power of the size the
median time grew over the last doubling, beside the power by which the arithmetic of a prompt did, or the bytes that a
step of an answer reads. --page writes it into docs/src/performance.md, and its plots. Run it on a machine that does
nothing else.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import pyplot

import contestants
import limits
import page
from contestants import Contestant

IMAGES = page.PAGE.parent / "images"
COLOURS = {"ours": "#b3541e", "torch": "#3b6ea5"}
DASHES = {"f32": "-", "bf16": "--", "q8": "-.", "q4": ":"}


@dataclass(frozen=True)
class Series:
    """A work at sizes that double."""

    file: str
    title: str
    axis: str
    sizes: list[int]
    work: Callable[[int], str]
    # What the time should be in proportion to, of the model, the size and the type of numbers.
    needs: Callable[[limits.Model, int, str], float] | None = None


def doubled(first: int, last: int) -> list[int]:
    return [first * 2**power for power in range(int(math.log2(last // first)) + 1)]


SERIES = [
    Series(
        "prefill", "A prompt", "tokens", doubled(128, 4096), lambda n: f"prefill:{n}",
        lambda model, n, _: model.prefill(n),
    ),
    Series(
        "decode", "A step of an answer", "tokens before it", doubled(128, 4096), lambda n: f"decode:{n}",
        limits.Model.decode,
    ),
    Series("batch", "A step of several answers", "rows", doubled(1, 32), lambda n: f"decode:128x{n}"),
    Series("train-rows", "A training step", "rows", doubled(1, 32), lambda n: f"train:finetune:small:{n}x112"),
    Series(
        "train-length", "A training step of 2 rows", "tokens a row, 144 of them an image's",
        doubled(256, 2048), lambda n: f"train:finetune:small:2x{n - 144}",
    ),
]  # fmt: skip


def power(low: float, high: float) -> str:
    """By which a doubling raised it."""
    return f"{math.log2(high / low):.2f}"


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.{0 if seconds > 0.1 else 1}f}"


def section(series: Series, found: list[Contestant], model: limits.Model) -> str:
    """Heading, plot and table."""
    works = [series.work(size) for size in series.sizes]
    rows = []
    for contestant in found:
        missing = [work for work in works if work not in contestant.seconds]
        medians = [contestant.median(work) for work in works if work not in missing]
        if missing:
            reason = contestant.failed.get(missing[0], "not run").replace("|", "/")
            cells = [reason, *[""] * (len(works) + 1)]
        else:
            needs = (
                [series.needs(model, size, contestant.dtype) for size in series.sizes[-2:]] if series.needs else None
            )
            cells = [*map(milliseconds, medians), power(*medians[-2:]), power(*needs) if needs else ""]
        rows.append(f"| {contestant.name} | {' | '.join(cells)} |")
    heading = f"{series.title}, by {series.axis}"
    return "\n".join(
        [
            f"### {heading}\n",
            f"![{heading}](images/growth-{series.file}.svg)\n",
            f"| ms, median | {' | '.join(map(str, series.sizes))} | power | of what it needs |",
            f"| --- |{' ---: |' * (len(works) + 2)}",
            *rows,
        ]
    )


def plot(series: Series, found: list[Contestant]) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for contestant in found:
        points = [
            (size, contestant.median(series.work(size)))
            for size in series.sizes
            if series.work(size) in contestant.seconds
        ]
        if points:
            style = {"color": COLOURS[contestant.program], "linestyle": DASHES[contestant.dtype], "marker": "."}
            axes.loglog(*zip(*points, strict=True), label=contestant.name, **style)
    axes.set_xticks(series.sizes, [str(size) for size in series.sizes])
    axes.minorticks_off()
    axes.set(xlabel=series.axis, ylabel="seconds", title=series.title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    # Without a date, so that the same numbers are the same file.
    figure.savefig(IMAGES / f"growth-{series.file}.svg", metadata={"Date": None})
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--programs", default="ours,torch")
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--series", default=",".join(series.file for series in SERIES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    chosen = [series for series in SERIES if series.file in options.series.split(",")]
    found = [
        Contestant(program, dtype) for dtype in options.dtypes.split(",") for program in options.programs.split(",")
    ]
    for contestant in found:
        for series in chosen:
            for size in series.sizes:
                contestant.ask(series.work(size))
    contestants.take_turns(found, options.model, options.rounds)
    said = f"{page.machine()}; {options.rounds} rounds; {contestants.versions(found)}."
    model = limits.Model(options.model)
    text = "\n\n".join([said, *(section(series, found, model) for series in chosen)])
    print(text)
    if options.page:
        page.fill("growth", text)
        matplotlib.rcParams |= {"svg.hashsalt": "menagerie", "svg.fonttype": "none", "font.family": "sans-serif"}
        for series in chosen:
            plot(series, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
