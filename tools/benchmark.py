"""Images per second of `fit` against d2l's loop, and against bare steps.

    BOOK_DATA=/path/to/data .venv/bin/python tools/benchmark.py fashion-mnist
    BOOK_DATA=/path/to/data .venv/bin/python tools/benchmark.py cifar10

Networks train for one epoch and are evaluated: with d2l's loader and
d2l.train_ch6, then with utils.training.fit, in turn, in one process, with the
same threads and batch size. Then fit trains once more with one minibatch to
evaluate, beside a bare loop of as many steps (forward, backward, optimiser)
on one minibatch that is ready in the same layout: the difference is what fit
does besides. Printed are the medians. Absolute numbers depend on the machine;
the ratios, made pair by pair, are what to compare.

fashion-mnist: LeNet and the small AlexNet of chapter 2 on all images, with
d2l.load_data_fashion_mnist, for which BOOK_DATA must hold them in
torchvision's layout. cifar10: ResNet-20 of chapter 6 on 10,000 images, with
crops and flips. d2l has no loader for CIFAR-10; the one here is made as its
loaders are, from torchvision's transforms and as many worker processes.
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
import torch
from d2l import torch as d2l
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

from utils.chapters import chapter
from utils.data import batches, load
from utils.training import Recipe, fast_precision, fit, sgd

BATCH = 128


def alexnet_networks() -> dict:
    """The networks, defined in chapter 2 and nowhere else."""
    names = chapter("02_alexnet", "lenet")
    return {"LeNet": names.lenet, "small AlexNet": names.small_alexnet}


def d2l_loaders():
    """d2l's loaders; d2l looks for the data in ../data and nowhere else."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data").symlink_to(
            Path(os.environ["BOOK_DATA"]).resolve()
        )
        Path(folder, "here").mkdir()
        with contextlib.chdir(Path(folder, "here")):
            return d2l.load_data_fashion_mnist(BATCH)


def fashion_mnist():
    """All images, d2l's loaders, networks, and how fit is to train them."""
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
    recipe = Recipe(epochs=1, learning_rate=0.01, batch_size=BATCH)
    return data, loaders, alexnet_networks(), recipe


class Pictures(torch.utils.data.Dataset):
    """Images of a split, one at a time, as torchvision's data sets are."""

    def __init__(self, split, transform):
        pixels = split.images.permute(0, 2, 3, 1).numpy()
        self.pictures = [Image.fromarray(picture) for picture in pixels]
        self.labels, self.transform = split.labels.tolist(), transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(self.pictures[index]), self.labels[index]


def cifar10():
    """As `fashion_mnist`, with 10,000 images."""
    data = load("cifar10").take(10_000)
    data = replace(data, validation=data.validation.take(2_000))
    to_tensor = [
        transforms.ToTensor(),
        transforms.Normalize(data.train.mean, data.train.std),
    ]
    augment = [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
    ]
    loaders = [
        torch.utils.data.DataLoader(
            Pictures(split, transforms.Compose(steps)),
            BATCH,
            shuffle=split is data.train,
            num_workers=d2l.get_dataloader_workers(),
        )
        for split, steps in (
            (data.train, augment + to_tensor),
            (data.validation, to_tensor),
        )
    ]
    runs = chapter("06_resnet").RUNS
    networks = {"ResNet-20": runs["resnet-20"][0]}
    recipe = Recipe(
        epochs=1,
        learning_rate=0.01,
        batch_size=BATCH,
        crop_padding=4,
        flip=True,
    )
    return data, loaders, networks, recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    subjects = {"fashion-mnist": fashion_mnist, "cifar10": cifar10}
    parser.add_argument("data", choices=subjects)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # d2l starts more workers than cores
    data, loaders, networks, recipe = subjects[options.data]()

    def with_d2l(net):
        with contextlib.redirect_stdout(io.StringIO()):
            d2l.train_ch6(net, *loaders, 1, 0.01, torch.device("cpu"))

    ways = {"d2l": with_d2l}
    for precision in {torch.float32, fast_precision(torch.device("cpu"))}:
        ways[f"fit, {str(precision)[6:]}"] = lambda net, precision=precision: (
            fit(net, data, recipe, device="cpu", precision=precision)
        )
    print(
        f"{torch.get_num_threads()} threads, images/s, "
        f"median of {options.repeats}"
    )
    for network, make in networks.items():
        seconds = {way: [] for way in ways}
        for _ in range(options.repeats):
            for way, train in ways.items():
                seconds[way].append(timed(train, make()))
        medians = {way: statistics.median(s) for way, s in seconds.items()}
        for way, median in medians.items():
            print(
                f"{network:14} {way:14} {len(data.train) / median:7,.0f}",
                f"{medians['d2l'] / median:5.2f} times d2l",
                flush=True,
            )
        show_bare_steps(network, make, data, recipe, options.repeats)


def timed(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def show_bare_steps(network, make, data, recipe, repeats) -> None:
    """What fit does besides forward, backward and the optimiser's step."""
    few = replace(data, validation=data.validation.take(BATCH))
    images, labels = next(batches(data.train, BATCH))
    steps = len(data.train) // BATCH

    def bare(net):
        net = net.to(memory_format=torch.channels_last).train()
        optimizer = sgd(net, recipe)
        for _ in range(steps):
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def whole(net):
        part = few.take(steps * BATCH)
        fit(net, part, recipe, device="cpu", precision=torch.float32)

    pairs = [
        (timed(bare, make()), timed(whole, make())) for _ in range(repeats)
    ]
    ratios = [with_fit / alone for alone, with_fit in pairs]
    print(
        f"{network:14} bare steps, float32",
        f"{steps * BATCH / statistics.median(a for a, _ in pairs):7,.0f};",
        f"fit takes {statistics.median(ratios):.3f} times as long",
        f"({min(ratios):.3f} to {max(ratios):.3f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
