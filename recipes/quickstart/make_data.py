#!/usr/bin/env python3
"""Turn easy-VQA into the files the quickstart reads.

    make_data.py EASY_VQA_DIR OUT_DIR

EASY_VQA_DIR is the package's `data` folder (`pip download easy-vqa`, unpack, `easy_vqa/data`): it holds
`train/` and `test/`, each with `images/<id>.png` and `questions.json`, a list of [question, answer, image id].
Python 3.8 or newer, standard library only.

Written to OUT_DIR, byte for byte the same on every run with the same zlib:

train/train-00000.tar.gz, train/train-00001.tar.gz, test/test-00000.tar.gz
    WebDataset shards, one image a sample: `<key>.png` is the original file, `<key>.json` one LLaVA-JSON sample
    with all questions of the image as alternating human and gpt turns, in the original's order. Samples of the
    first training shard also have "caption" ("a blue rectangle."), which follows from the training answers; the
    second holds the training images whose answers do not settle one. Test samples never have a caption.
text.json
    Text-only LLaVA JSON for pretraining the language model, from the training questions and answers alone.
"""
import gzip
import io
import json
import pathlib
import sys
import tarfile

COLORS = ("black", "gray", "red", "green", "blue", "yellow", "teal", "brown")
SHAPES = ("circle", "rectangle", "triangle")
DESCRIBE = "describe the image."


def attribute(questions, values):
    """The one of `values` that the answers leave possible, or None.

    Either an answer names it, or a yes/no question settles it ("is there a red shape?", yes), or all other
    values are ruled out. A question with the word "no" or "not" means the opposite.
    """
    possible = set(values)
    for question, answer in questions:
        words = question.rstrip("?").split()
        if answer in values:
            possible &= {answer}
        elif answer in ("yes", "no"):
            asked = set(values) & set(words)
            if len(asked) == 1:
                present = (answer == "yes") != ("no" in words or "not" in words)
                possible = possible & asked if present else possible - asked
        else:  # "what is the blue shape?" and "what color is the circle?" name the other attribute
            possible &= set(values) & set(words) or possible
    return possible.pop() if len(possible) == 1 else None


def caption(questions):
    """"a blue rectangle.", or None where the answers do not settle both words."""
    color, shape = attribute(questions, COLORS), attribute(questions, SHAPES)
    return f"a {color} {shape}." if color and shape else None


def turns(questions, image):
    """Questions and answers as LLaVA turns; `image` puts the image at the start of the first."""
    out = []
    for index, (question, answer) in enumerate(questions):
        prefix = "<image>\n" if image and index == 0 else ""
        out.append({"from": "human", "value": prefix + question})
        out.append({"from": "gpt", "value": answer})
    return out


def load(folder):
    """Questions by image, images in numeric order, questions in the original order."""
    by_image = {}
    for question, answer, image in json.loads((folder / "questions.json").read_text()):
        by_image.setdefault(image, []).append((question, answer))
    return dict(sorted(by_image.items()))


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def write_gzip(path, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(data)


def write_shard(path, folder, samples):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for image, sample in samples:
            png = (folder / "images" / f"{image}.png").read_bytes()
            for suffix, data in (("png", png), ("json", dump(sample))):
                info = tarfile.TarInfo(f"{sample['id']}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    write_gzip(path, buffer.getvalue())


def image_samples(by_image, split):
    """(image, sample) pairs: those with a caption, and those without."""
    captioned, bare = [], []
    for image, questions in by_image.items():
        sample = {"id": f"{split}-{image:05}", "conversations": turns(questions, image=True)}
        text = caption(questions) if split == "train" else None
        if text:
            captioned.append((image, {**sample, "caption": text}))
        else:
            bare.append((image, sample))
    return captioned, bare


def weight(text, question, answer):
    """How often a text sample is repeated.

    One color of eight is present and one shape of three. Counting questions about the present color three times
    makes them three of ten, as for shapes and about as in the original; without it a model does well by never
    looking for the color. (At exactly one half a small model learns far more slowly.)
    """
    present = set(COLORS) & set(question.rstrip("?").split()) & set(text.split())
    return 3 if present and answer in ("yes", "no") else 1


def text_samples(by_image):
    """Every distinct (caption, question, answer) of the training set, the caption standing where an image would."""
    seen = set()
    for questions in by_image.values():
        text = caption(questions)
        if text:
            seen.update((text, question, answer) for question, answer in [*questions, (DESCRIBE, text)])
    samples = []
    for text, question, answer in sorted(seen):
        conversation = turns([(f"{text}\n{question}", answer)], image=False)
        for _ in range(weight(text, question, answer)):
            samples.append({"id": f"text-{len(samples):05}", "conversations": conversation})
    return samples


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = map(pathlib.Path, sys.argv[1:])
    for split in ("train", "test"):
        (out / split).mkdir(parents=True, exist_ok=True)
    train, test = load(source / "train"), load(source / "test")
    captioned, bare = image_samples(train, "train")
    write_shard(out / "train" / "train-00000.tar.gz", source / "train", captioned)
    write_shard(out / "train" / "train-00001.tar.gz", source / "train", bare)
    _, bare = image_samples(test, "test")
    write_shard(out / "test" / "test-00000.tar.gz", source / "test", bare)
    (out / "text.json").write_bytes(dump(text_samples(train)) + b"\n")


if __name__ == "__main__":
    main()
