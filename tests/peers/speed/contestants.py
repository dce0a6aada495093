"""The programs that are measured beside one another, each time in a process of its own.

A work is one of the benchmark `inference`, such as `prefill:640`, or `train:STAGE:SIZE`, a step of training as
`step.py` has it.
"""

import functools
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import programs
import step

HERE = Path(__file__).resolve().parent
STEPS = 5  # of training, a round


@dataclass
class Contestant:
    """A program that computes in one type of number, and what it was seen to take."""

    program: str
    dtype: str
    works: list[str] = field(default_factory=list)
    version: str = ""
    # Of each work, seconds of its calls, a list a round.
    seconds: dict[str, list[list[float]]] = field(default_factory=dict)
    # The most bytes that it held, a number a round of inference.
    peaks: list[int] = field(default_factory=list)
    # Works that it does not do, and why.
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.program} {self.dtype}"

    def ask(self, work: str) -> None:
        """Adds a work."""
        if work not in self.works:
            self.works.append(work)

    def round(self, model: Path) -> None:
        """Does the works once more: those of inference in one process, each training in another. What has failed is not
        tried again."""
        works = [work for work in self.works if work not in self.failed]
        training = [work for work in works if work.startswith("train:")]
        if inference := [work for work in works if work not in training]:
            said = self.run(inference, inference_command, self.program, model, self.dtype, inference)
            if said:
                self.version = said["version"]
                self.peaks.append(said["peak_bytes"])
                for work, measured in said["works"].items():
                    self.seconds.setdefault(work, []).append(measured["seconds"])
        for work in training:
            _, stage, size = work.split(":", 2)
            seconds = self.run([work], step.command, self.program, self.dtype, size, stage, STEPS)
            if seconds:
                self.seconds.setdefault(work, []).append(seconds[step.WARM_UP :])

    def run(self, works: list[str], command: Callable[..., list], *arguments):
        """What the command of these arguments prints, or nothing: then it is remembered why."""
        try:
            done = subprocess.run(command(*arguments), capture_output=True, text=True, check=True)
        except Missing as missing:
            reason = str(missing)
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines()
            reason = lines[-1] if lines else f"it ended with {error.returncode}"
        else:
            return json.loads(done.stdout.splitlines()[-1])
        self.failed |= dict.fromkeys(works, reason)
        print(f"{self.name}: {reason}", file=sys.stderr)
        return None

    def least(self, work: str) -> float:
        return min(min(calls) for calls in self.seconds[work])

    def median(self, work: str) -> float:
        """Of the rounds' medians."""
        return statistics.median(map(statistics.median, self.seconds[work]))


def take_turns(all_of_them: list[Contestant], model: Path, rounds: int) -> None:
    for number in range(rounds):
        for contestant in all_of_them:
            print(f"round {number + 1} of {rounds}: {contestant.name}", file=sys.stderr)
            contestant.round(model)


def versions(all_of_them: Iterable[Contestant]) -> str:
    return ", ".join(sorted({contestant.version for contestant in all_of_them} - {""}))


class Missing(Exception):
    """A program that is not there, and how it is come by."""


def inference_command(program: str, model: Path, dtype: str, works: list[str]) -> list:
    if program == "ours":
        # Theirs lie beside the folder of transformers.
        return [programs.bench("inference"), "time", model / "hf", dtype, *works]
    if program == "candle":
        return [candle(), model, dtype, *works]
    module, script = {"torch": ("transformers", "pytorch.py"), "llama.cpp": ("llama_cpp", "llamacpp.py")}[program]
    if importlib.util.find_spec(module) is None:
        raise Missing(f"{program} is not installed: pip install -r tests/peers/speed/requirements.txt")
    return [sys.executable, HERE / script, model, dtype, *works]


@functools.cache
def candle() -> Path:
    """Built for this very processor: candle's kernels ask for its instructions at compile time alone."""
    manifest = HERE / "candle/Cargo.toml"
    arguments = ["build", "--release", "--locked", "--manifest-path", str(manifest)]
    return programs.build("candle-speed", *arguments, RUSTFLAGS="-C target-cpu=native")
