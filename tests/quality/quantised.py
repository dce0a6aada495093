#!/usr/bin/env python3
"""What narrower weights do to a trained model: its logits, the probability of right answers, its score.

Usage: quantised.py MENAGERIE MODEL DATA IMAGES --score DATA… [--limit N]

DATA is a JSON file of conversations, or a folder of samples as `.json` beside their images; IMAGES is the folder of
images. Each question is asked by itself, its image with it. A right answer counts by its first token: its
negative log-likelihood is taken from `menagerie trace`, and so are the logits at the end of the prompt. The score is that
of `menagerie bench run exact MODEL DATA…`, whose arguments `--score` takes. Prints a table in Markdown. Python 3.9 and numpy.
"""

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy

TYPES = ["f32", "bf16", "q8", "q4"]


@dataclass
class Question:
    image: Path
    text: str
    answer: str


def samples(data: Path) -> list[dict]:
    if data.is_dir():
        return [json.loads(path.read_text()) | {"stem": path.stem} for path in sorted(data.glob("*.json"))]
    return json.loads(data.read_text())


def questions(data: Path, images: Path) -> list[Question]:
    """The turns of all samples, each a question of its own."""
    found = []
    for sample in samples(data):
        image = images / (sample.get("image") or f"{sample['stem']}.png")
        turns = sample["conversations"]
        for human, gpt in zip(turns[::2], turns[1::2]):
            found.append(Question(image, human["value"].replace("<image>", "").strip(), gpt["value"]))
    return found


def tensor(path: Path, name: str) -> numpy.ndarray:
    """A tensor of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + size])[name]
    start, end = entry["data_offsets"]
    dtype = {"F32": numpy.float32, "I64": numpy.int64}[entry["dtype"]]
    return numpy.frombuffer(data[8 + size + start : 8 + size + end], dtype).reshape(entry["shape"])


def trace(program: str, model: str, question: Question, dtype: str, out: Path) -> numpy.ndarray:
    """The logits of the answer's first token."""
    command = [program, "trace", model, "--image", question.image, "--prompt", question.text]
    subprocess.run([*command, "--dtype", dtype, "--out", out], check=True, stdout=subprocess.DEVNULL)
    return tensor(out, "logits")[0, -1]


def first_token(tokenizer: dict, answer: str) -> int:
    """The id of a word after a space, in a vocabulary over bytes; the answer must be one token."""
    vocabulary = tokenizer["model"]["vocab"]
    return vocabulary["Ġ" + answer.split()[0]]


def nll(logits: numpy.ndarray, token: int) -> float:
    logits = logits.astype(numpy.float64)
    top = logits.max()
    return float(top + numpy.log(numpy.exp(logits - top).sum()) - logits[token])


def score(program: str, model: str, arguments: list, dtype: str) -> float:
    command = [program, "bench", "run", "exact", model, *arguments, "--dtype", dtype, "--no-out", "--json"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(said)["score"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("menagerie")
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--limit", type=int, default=300, help="questions whose logits are compared")
    parser.add_argument("--score", nargs="+", required=True, help="what `bench run exact MODEL` takes after it")
    options = parser.parse_args()

    tokenizer = json.loads((Path(options.model) / "tokenizer.json").read_text())
    all_questions = questions(options.data, options.images)
    chosen = all_questions[:: max(1, len(all_questions) // options.limit)][: options.limit]
    answers = [first_token(tokenizer, question.answer) for question in chosen]
    print("| weights | logits off by, mean | at most | same first token | perplexity of the answer | score |")
    print("| --- | --- | --- | --- | --- | --- |")
    reference = None
    for dtype in TYPES:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "trace.safetensors"
            found = numpy.stack([trace(options.menagerie, options.model, ask, dtype, out) for ask in chosen])
        if reference is None:
            reference = found
        # In parts of what the logits of a question spread over: the most likely token's distance to the mean.
        spread = (reference.max(axis=1) - reference.mean(axis=1))[:, None]
        off = numpy.abs(found - reference) / spread
        same = (found.argmax(axis=1) == reference.argmax(axis=1)).mean()
        perplexity = numpy.exp(numpy.mean([nll(row, token) for row, token in zip(found, answers)]))
        right = score(options.menagerie, options.model, options.score, dtype)
        cells = [f"`{dtype}`", f"{off.mean():.2%}", f"{off.max():.2%}", f"{same:.1%}", f"{perplexity:.4f}"]
        print(f"| {' | '.join(cells)} | {right:.1%} |", flush=True)


if __name__ == "__main__":
    main()
