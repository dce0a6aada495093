"""What the two scripts share: reading a trace, comparing it with what a peer computes, and the table they print."""

from pathlib import Path

import torch
from safetensors.torch import load_file

TOLERANCE = 1e-4  # of the largest value of the peer


class Report:
    """Rows of a table, each passed or failed."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, bool]] = []

    def check(self, name: str, passed: bool, detail: str) -> None:
        self.rows.append((name, detail, passed))

    def none_of(self, name: str, keys: list) -> None:
        """For lists that must be empty, such as missing keys."""
        some = ", ".join(map(str, keys[:5])) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        self.check(name, not keys, some or "none")

    def close(self, name: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
        ours, theirs = ours.detach().float(), theirs.detach().float()
        if ours.shape != theirs.shape:
            self.check(name, False, f"ours has shape {list(ours.shape)}, theirs {list(theirs.shape)}")
            return
        error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        self.check(name, error <= TOLERANCE, f"{list(ours.shape)} differs by {error:.1e} of the largest")

    def same(self, name: str, ours: list[int], theirs: list[int]) -> None:
        detail = f"{len(ours)} tokens" if ours == theirs else f"ours {ours}, theirs {theirs}"
        self.check(name, ours == theirs, detail)

    def finish(self) -> int:
        """Prints the table; the exit code."""
        width = max(len(name) for name, _, _ in self.rows)
        for name, detail, passed in self.rows:
            print(f"{'ok  ' if passed else 'FAIL'}  {name:<{width}}  {detail}")
        failed = sum(not passed for _, _, passed in self.rows)
        print(f"{len(self.rows) - failed} of {len(self.rows)} checks passed")
        return int(failed > 0)


def read_trace(path: Path) -> dict[str, torch.Tensor]:
    """What `menagerie trace` wrote; `generated` only if it was asked for."""
    trace = load_file(path)
    missing = {"pixel_values", "features", "projected", "input_ids", "logits"} - trace.keys()
    if missing:
        raise SystemExit(f"{path} is no trace: it lacks {', '.join(sorted(missing))}")
    return trace
