"""Draw the samples that the book ships in utils/samples.

    python tools/make_samples.py --cifar10 PATH/cifar10.tar.xz \
        --fashion-mnist DIRECTORY_OF_THE_IDX_GZ_FILES

1,000 training and 200 test images of every class, drawn with a fixed seed.
The same sources give the same bytes again.
"""

import argparse
import gzip
import io
import lzma
import random
import sys
import tarfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from utils.data import KNOWN, SAMPLES, class_folder

PER_CLASS = {"train": 1000, "test": 200}
SEED = 2012


def draw(images: dict[str, bytes]) -> dict[str, bytes]:
    """Draw PER_CLASS images of every class.

    Args:
        images: contents of files by name, "<part>/<class>/<file>".

    Returns:
        The drawn ones.
    """
    by_folder: dict[str, list[str]] = {}
    for name in sorted(images):
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    generator = random.Random(SEED)
    drawn = []
    for folder, names in by_folder.items():
        part = folder.partition("/")[0]
        drawn += generator.sample(names, PER_CLASS[part])
    return {name: images[name] for name in sorted(drawn)}


def read_cifar10(path: Path) -> dict[str, bytes]:
    """Read the JPEG files of an image-folder archive, unchanged."""
    with tarfile.open(path, "r:xz") as archive:
        return {
            member.name: archive.extractfile(member).read()
            for member in archive
            if member.isfile()
        }


def read_fashion_mnist(directory: Path) -> dict[str, bytes]:
    """Turn the four IDX files into PNG files, pixel by pixel the same."""
    classes = KNOWN["fashion-mnist"].class_names
    images = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        pixels = directory / f"{prefix}-images-idx3-ubyte.gz"
        labels = directory / f"{prefix}-labels-idx1-ubyte.gz"
        pixels = gzip.decompress(pixels.read_bytes())[16:]
        labels = gzip.decompress(labels.read_bytes())[8:]
        for i, label in enumerate(labels):
            picture = Image.frombytes(
                "L", (28, 28), pixels[784 * i : 784 * (i + 1)]
            )
            file = io.BytesIO()
            # Not compressed here: xz does better over all images at once.
            picture.save(file, "PNG", compress_level=0)
            folder = class_folder(classes[label])
            images[f"{part}/{folder}/{i:05}.png"] = file.getvalue()
    return images


def write(images: dict[str, bytes], path: Path) -> None:
    """Write an archive that depends on nothing but the images."""
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=tarfile.USTAR_FORMAT
    ) as archive:
        for name, content in images.items():
            member = tarfile.TarInfo(name)  # time 0, owner 0, mode 644
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(file.getvalue(), preset=9))
    print(f"{path.name}: {len(images):,} images, {path.stat().st_size:,} B")


def main() -> None:
    """Read the command line and write both samples."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--fashion-mnist", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=SAMPLES)
    arguments = parser.parse_args()
    write(
        draw(read_cifar10(arguments.cifar10)),
        arguments.output / "cifar10.tar.xz",
    )
    write(
        draw(read_fashion_mnist(arguments.fashion_mnist)),
        arguments.output / "fashion-mnist.tar.xz",
    )


if __name__ == "__main__":
    main()
