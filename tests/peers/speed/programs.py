"""Programs of this repository, built by cargo."""

import functools
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def build(name: str, *arguments: str, **environment: str) -> Path:
    """Runs `cargo ARGUMENTS`, and gives the program called `name` that it built."""
    command = ["cargo", *arguments, "--message-format", "json"]
    env = os.environ | environment
    lines = subprocess.run(
        command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    built = [json.loads(line) for line in lines]
    return Path(next(b["executable"] for b in built if b.get("executable") and b["target"]["name"] == name))


@functools.cache
def bench(name: str) -> Path:
    """The benchmark called `name`."""
    return build(name, "bench", "--bench", name, "--no-run")
