"""Programs of this repository, built by cargo."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(name: str, *arguments: str) -> Path:
    """Runs `cargo ARGUMENTS`, and gives the program called `name` that it built."""
    command = ["cargo", *arguments, "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    built = [json.loads(line) for line in lines]
    return Path(next(b["executable"] for b in built if b.get("executable") and b["target"]["name"] == name))


def bench(name: str) -> Path:
    """The benchmark called `name`."""
    return build(name, "bench", "--bench", name, "--no-run")
