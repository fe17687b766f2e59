"""Images per second of `fit` against d2l's own loader and training loop.

    BOOK_DATA=/path/to/data .venv/bin/python tools/benchmark.py

BOOK_DATA must hold Fashion-MNIST in torchvision's layout, since d2l reads
nothing else. LeNet and the small AlexNet of chapter 2 train for one epoch on
all 60,000 images and are evaluated on the 10,000 test images: with
d2l.load_data_fashion_mnist and d2l.train_ch6, then with utils.training.fit,
in turn, in one process, with the same threads and batch size. Printed are the
medians. Absolute numbers depend on the machine; the ratio is what to compare.
"""

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
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

from utils.data import load
from utils.training import Recipe, fast_precision, fit

CHAPTER = ROOT / "chapters/02_alexnet.ipynb"
# The beginnings of the cells that define the chapter's networks.
DEFINITIONS = (
    "from dataclasses",
    "def lenet",
    "# name, output channels",
    "def local_response_norm",
    "def alexnet",
    "def he_start",
    "SMALL = ",
)
BATCH = 128


def chapter_networks() -> dict:
    """The networks, defined in the chapter and nowhere else."""
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in nbformat.read(CHAPTER, 4).cells:
            if cell.source.startswith(DEFINITIONS):
                exec(cell.source, namespace)
    lenet, small_alexnet = namespace["lenet"], namespace["small_alexnet"]
    return {"LeNet": lenet, "small AlexNet": small_alexnet}


def d2l_loaders():
    """d2l's loaders; d2l looks for the data in ../data and nowhere else."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data").symlink_to(
            Path(os.environ["BOOK_DATA"]).resolve()
        )
        Path(folder, "here").mkdir()
        with contextlib.chdir(Path(folder, "here")):
            return d2l.load_data_fashion_mnist(BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")  # d2l starts more workers than cores

    data = load("fashion-mnist")
    both = (data.train, data.validation)
    everything = replace(
        data.train,
        images=torch.cat([split.images for split in both]),
        labels=torch.cat([split.labels for split in both]),
    )
    data = replace(data, train=everything, validation=data.test)
    loaders = d2l_loaders()
    assert len(loaders[0].dataset) == len(data.train)

    def with_d2l(net):
        with contextlib.redirect_stdout(io.StringIO()):
            d2l.train_ch6(net, *loaders, 1, 0.01, torch.device("cpu"))

    recipe = Recipe(epochs=1, learning_rate=0.01, batch_size=BATCH)
    ways = {"d2l": with_d2l}
    for precision in {torch.float32, fast_precision(torch.device("cpu"))}:
        ways[f"fit, {str(precision)[6:]}"] = lambda net, precision=precision: (
            fit(net, data, recipe, device="cpu", precision=precision)
        )
    print(f"{torch.get_num_threads()} threads, images/s, median of {repeats}")
    for network, make in chapter_networks().items():
        seconds = {way: [] for way in ways}
        for _ in range(repeats):
            for way, train in ways.items():
                start = time.perf_counter()
                train(make())
                seconds[way].append(time.perf_counter() - start)
        medians = {way: statistics.median(s) for way, s in seconds.items()}
        for way, median in medians.items():
            print(
                f"{network:14} {way:14} {len(data.train) / median:7,.0f}",
                f"{medians['d2l'] / median:5.2f} times d2l",
                flush=True,
            )


if __name__ == "__main__":
    main()
