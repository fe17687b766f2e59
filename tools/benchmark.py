"""Images per second of `fit` against d2l's own training loop.

    BOOK_DATA=... .venv/bin/python tools/benchmark.py

Trains LeNet and the small AlexNet of chapter 2 on the same Fashion-MNIST
images, with the same number of threads, in one process: d2l's loader (four
workers, as d2l sets it) with d2l.train_ch6, then utils.training.fit, in turn,
three times each, and prints the medians. Both train with SGD at batch size
128 and evaluate once an epoch; d2l on the test set, fit on as many images.
Absolute numbers depend on the machine; the ratio is what to compare.
"""

import argparse
import contextlib
import io
import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import matplotlib

matplotlib.use("Agg")
import nbformat
import torch
from d2l import torch as d2l
from torch import nn

from utils.data import Data, load
from utils.training import Recipe, fast_precision, fit

BATCH = 128


def chapter_networks() -> dict:
    """LeNet and the small AlexNet, defined in the chapter and nowhere else."""
    chapter = nbformat.read(ROOT / "chapters/02_alexnet.ipynb", 4)
    namespace = {}
    wanted = ("from dataclasses", "def lenet", "# name, output channels")
    wanted += ("def local_response_norm", "def alexnet", "def he_start")
    wanted += ("SMALL = ",)
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in chapter.cells:
            if cell.cell_type == "code" and cell.source.startswith(wanted):
                exec(cell.source, namespace)
    return {
        "LeNet": namespace["lenet"],
        "small AlexNet": namespace["small_alexnet"],
    }


def with_d2l(net: nn.Module, data: Data) -> float:
    """Seconds of one epoch of d2l.train_ch6 with d2l's loader."""
    # d2l.load_data_fashion_mnist downloads; this is the same loader on the
    # images that are there: PIL image, ToTensor, four worker processes.
    loaders = [
        torch.utils.data.DataLoader(
            FashionMnistItems(split),
            BATCH,
            shuffle=shuffle,
            num_workers=d2l.get_dataloader_workers(),
        )
        for split, shuffle in ((data.train, True), (data.test, False))
    ]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        d2l.train_ch6(net, *loaders, 1, 0.01, torch.device("cpu"))
    return time.perf_counter() - start


class FashionMnistItems(torch.utils.data.Dataset):
    """What torchvision's FashionMNIST with ToTensor gives for one index."""

    def __init__(self, split):
        import torchvision

        self.images, self.labels = split.images[:, 0], split.labels
        self.transform = torchvision.transforms.ToTensor()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        from PIL import Image

        image = Image.fromarray(self.images[index].numpy(), mode="L")
        return self.transform(image), int(self.labels[index])


def with_fit(net: nn.Module, data: Data, precision: torch.dtype) -> float:
    """Seconds of one epoch of fit, evaluation on as many images included."""
    start = time.perf_counter()
    fit(
        net,
        replace(data, validation=data.test),
        Recipe(epochs=1, learning_rate=0.01, batch_size=BATCH),
        precision=precision,
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    data = load("fashion-mnist").take(options.images)
    data = replace(data, test=data.test.take(2_000))
    images = len(data.train)
    fast = fast_precision(torch.device("cpu"))
    ways = {
        "d2l": with_d2l,
        "fit, float32": lambda net, d: with_fit(net, d, torch.float32),
    }
    if fast != torch.float32:
        name = str(fast).removeprefix("torch.")
        ways[f"fit, {name}"] = lambda net, d: with_fit(net, d, fast)
    print(f"{images:,} images, {torch.get_num_threads()} threads, images/s")
    for network, make in chapter_networks().items():
        seconds = {way: [] for way in ways}
        for _ in range(options.repeats):
            for way, train in ways.items():
                seconds[way].append(train(make(), data))
        medians = {w: statistics.median(s) for w, s in seconds.items()}
        for way, median in medians.items():
            print(
                f"{network:14} {way:14} {images / median:8,.0f}",
                f"{medians['d2l'] / median:5.2f} times d2l",
            )


if __name__ == "__main__":
    main()
