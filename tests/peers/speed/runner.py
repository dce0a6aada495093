"""What the programs in Python share that do the work of `cargo bench --bench inference` with another's code.

Each is called as that benchmark is, `PROGRAM MODEL DTYPE WORK…`, understands the same works, and prints the same
object. MODEL is the folder that `model.py` made.
"""

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

# As in benches/inference.rs.
WORD = 7
STEPS, WARM_UP = 64, 2
SECONDS = 4.0


class Inference(ABC):
    """A model of one program."""

    @abstractmethod
    def __init__(self, folder: Path, dtype: str) -> None: ...

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def encode(self) -> None:
        """An image through encoder and projector."""

    @abstractmethod
    def prefill(self, tokens: int, rows: int) -> Callable[[], None]:
        """Reads so many tokens in each row, up to the logits of the last. What it gives is one more token a row."""


def timed(call: Callable) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def repeated(call: Callable) -> list[float]:
    """After one call that does not count."""
    call()
    seconds = []
    while len(seconds) < 2 or sum(seconds) < SECONDS:
        seconds.append(timed(call))
    return seconds


def measure(inference: Inference, work: str) -> list[float]:
    name, _, place = work.partition(":")
    if name == "encode":
        return repeated(inference.encode)
    if name == "prefill":
        return repeated(lambda: inference.prefill(int(place), 1))
    tokens, _, rows = place.partition("x")
    step = inference.prefill(int(tokens), int(rows or 1))
    return [timed(step) for _ in range(WARM_UP + STEPS)][WARM_UP:]


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def main(kind: type[Inference]) -> None:
    folder, dtype, *works = sys.argv[1:]
    inference = kind(Path(folder), dtype)
    measured = {work: {"seconds": measure(inference, work)} for work in works}
    print(json.dumps({"version": inference.version(), "works": measured, "peak_bytes": peak_bytes()}))
