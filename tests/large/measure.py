#!/usr/bin/env python3
"""What a model folder costs to load and to ask: memory and time.

Usage: measure.py MENAGERIE FOLDER [--image FILE] [--question TEXT] [--max-new-tokens N]

Runs `menagerie inspect FOLDER`, which loads and nothing more, and then, given an image, `menagerie ask`. Each starts
with the weights out of the page cache. Linux, Python 3.9 and nothing else.

Ends with 0 if loading stayed within the limits: anonymous memory within 1.1 times the bytes of the loaded model in
its dtype, the whole resident size under 1.25 times.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ANONYMOUS, RESIDENT = 1.1, 1.25  # limits, in bytes of the model
STOP = 1.5  # a run that takes more is ended before the machine suffers
PERIOD = 0.1  # seconds between samples
WIDTH = {"f32": 4, "f16": 2, "bf16": 2}  # bytes


@dataclass
class Run:
    seconds: float
    anonymous: int  # largest sample of RssAnon, bytes
    file: int  # largest sample of RssFile, bytes
    resident: int  # VmHWM at the last sample, bytes
    output: dict


def status(pid: int) -> dict[str, int]:
    """The sizes of /proc/PID/status in bytes; none once the process has let go of its memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    lines = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def forget(folder: Path) -> None:
    """Drops the folder's files from the page cache."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(command: list[str], folder: Path) -> Run:
    forget(folder)
    most = STOP * sum(path.stat().st_size for path in folder.iterdir())
    anonymous = file = resident = 0
    start = time.monotonic()
    # A file: a report longer than a pipe holds would make the program wait.
    output = tempfile.TemporaryFile()
    process = subprocess.Popen(command, stdout=output)
    try:
        while process.poll() is None:
            sizes = status(process.pid)
            anonymous = max(anonymous, sizes.get("RssAnon", 0))
            file = max(file, sizes.get("RssFile", 0))
            resident = max(resident, sizes.get("VmHWM", 0))
            if resident > most:
                sys.exit(f"ended at {resident} bytes: {' '.join(command)}")
            time.sleep(PERIOD)
    finally:
        process.kill()
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(f"exit code {process.returncode}: {' '.join(command)}")
    output.seek(0)
    return Run(seconds, anonymous, file, resident, json.load(output))


def show(title: str, run: Run, model: int) -> None:
    print(f"{title}: {run.seconds:.1f} s")
    for name, size in [("RssAnon", run.anonymous), ("RssFile", run.file), ("VmHWM", run.resident)]:
        print(f"  {name:8}{size:>15} bytes  {size / model:.3f} of the model")


def model_bytes(inspected: dict) -> int:
    reports = [component["loaded"] for component in inspected["components"]]
    return sum(report["parameters"] * WIDTH[report["dtype"]] for report in reports)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("menagerie", metavar="MENAGERIE", help="the program, a release build")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--image", metavar="FILE", help="ask about it")
    parser.add_argument("--question", default="What is this?", metavar="TEXT")
    parser.add_argument("--max-new-tokens", default="2", metavar="N")
    args = parser.parse_args()

    program, folder = args.menagerie, str(args.folder)
    load = run([program, "inspect", folder, "--json"], args.folder)
    model = model_bytes(load.output)
    print(f"model: {model} bytes in its dtype")
    show("inspect", load, model)
    if args.image:
        generation = ["--max-new-tokens", args.max_new_tokens, "--temperature", "0"]
        ask = [program, "ask", folder, args.question, "--image", args.image, "--json", *generation]
        answer = run(ask, args.folder)
        show("ask", answer, model)
        print(f"  answer: {json.dumps(answer.output)}")
    if load.anonymous > ANONYMOUS * model or load.resident >= RESIDENT * model:
        sys.exit(f"over the limits: RssAnon {ANONYMOUS}, VmHWM {RESIDENT} of the model")


if __name__ == "__main__":
    main()
