"""Whether llama.cpp reads the decoder that `menagerie export --layout gguf` writes, and computes the same with it.

Usage: python llama_cpp_reads.py LLM.gguf --trace TRACE --text TEXT

TRACE is what `menagerie trace MODEL --prompt …` wrote of a prompt without an image, in the type of number of the file; TEXT is
that prompt as the model's template writes it. llama.cpp keeps keys and values in f16 and rounds activations beside
quantised weights in its own way, so logits may differ by some thousandths in f32 and by some hundredths beside these.
"""

import argparse
import json
from pathlib import Path

import numpy
from llama_cpp import Llama

TOLERANCE = {"f32": 5e-3, "other": 5e-2}  # of the largest logit


def tensor(path: Path, name: str) -> numpy.ndarray:
    """A tensor of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + size])[name]
    start, end = entry["data_offsets"]
    dtype = {"F32": numpy.float32, "I64": numpy.int64}[entry["dtype"]]
    return numpy.frombuffer(data[8 + size + start : 8 + size + end], dtype).reshape(entry["shape"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--packed", action="store_true", help="weights are not f32")
    options = parser.parse_args()

    ids = tensor(options.trace, "input_ids")[0].tolist()
    ours = tensor(options.trace, "logits")[0]
    llama = Llama(str(options.file), logits_all=True, n_ctx=max(64, 2 * len(ids)), verbose=False)
    begins = llama.metadata.get("tokenizer.ggml.add_bos_token") == "true"
    found = llama.tokenize(options.text.encode(), add_bos=begins, special=True)
    llama.eval(ids)
    theirs = numpy.array(llama.scores[: len(ids)])
    off = float(abs(theirs - ours).max() / abs(ours).max())
    likeliest = bool((theirs.argmax(axis=1) == ours.argmax(axis=1)).all())
    tolerance = TOLERANCE["other" if options.packed else "f32"]
    checks = [
        ("ids", found == ids, f"{len(ids)} tokens" if found == ids else f"ours {ids}, theirs {found}"),
        ("logits", off <= tolerance, f"{list(ours.shape)} differ by {off:.1e} of the largest"),
        ("likeliest", likeliest or options.packed, "the same" if likeliest else "another"),
    ]
    for name, passed, detail in checks:
        print(f"{'ok  ' if passed else 'FAIL'}  {name:<9}  {detail}")
    return int(not all(passed for _, passed, _ in checks))


if __name__ == "__main__":
    raise SystemExit(main())
