"""Gradients as `fit` takes them, beside those of contiguous float64.

    PYTHONPATH=. BOOK_SCALE=smoke python tests/layout_checks.py layers float32
    ... tests/layout_checks.py collect chapters/02_alexnet.ipynb networks
    ... tests/layout_checks.py networks float32 bfloat16

A program of its own, because a wrong kernel may end the process. It prints
what was checked and exits with 1 if a gradient is wrong. The environment
variable ONEDNN_MAX_CPU_ISA chooses the kernels; a chapter takes longer to run
than its networks to check, so they are collected once for all kernels.

For the comparison GELU stands in for ReLU, and the average for the maximum.
Rounding pushes a few of a million activations over ReLU's corner, and lets
another of two nearly equal ones be the largest, in every layout others; each
of them changes a gradient by more than all other rounding together.
"""

import contextlib
import copy
import io
import itertools
import math
import os
import sys
from functools import cache
from pathlib import Path

import cloudpickle
import matplotlib
import nbformat
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from utils import training
from utils.chapters import definitions
from utils.data import KNOWN, Data, Split, load
from utils.trial import prepare

ROOT = Path(__file__).resolve().parent.parent
TIMES_WORSE = 10  # than contiguous tensors of the same precision
FLOOR = 1e-5  # of the network's largest gradient
TRIES = 3  # one draw may be unlucky; a wrong kernel stays


def made_up(shape, count: int, seed: int, classes: int = 10) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, *shape), generator=generator).byte()
    labels = torch.randint(classes, (count,), generator=generator)
    return Split(images, labels, 0.5, 0.25)


class Smooth(TorchFunctionMode):
    """GELU for ReLU and averages for maxima, however they are called."""

    RELUS = (F.relu, torch.relu, torch.relu_, torch.Tensor.relu)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.RELUS:
            return F.gelu(args[0])
        kwargs = kwargs or {}
        if function is F.max_pool2d:
            same = ("stride", "padding", "ceil_mode")
            options = {name: kwargs[name] for name in same}
            return F.avg_pool2d(*args, **options)
        return function(*args, **kwargs)


def without_dropout(net: nn.Module) -> nn.Module:
    net = copy.deepcopy(net).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def gradients(net, images, labels, precision) -> list[torch.Tensor]:
    net.zero_grad()
    with Smooth(), training.mixed_precision(torch.device("cpu"), precision):
        loss = F.cross_entropy(net(images), labels)
    loss.backward()
    return [p.grad.double() for p in net.parameters() if p.grad is not None]


def as_fit_takes_them(net, split, precision) -> list[torch.Tensor]:
    """In the layout that `fit` would choose."""
    cpu, small = torch.device("cpu"), [normalised(split)]
    prepare(net, small, cpu, training.mixed_precision(cpu, precision))
    return gradients(net, *normalised(split), precision)


def normalised(split: Split):
    return next(training.batches(split, len(split)))


def how_much_worse(net: nn.Module, split: Split, precision) -> float:
    """The largest error of a gradient, in what contiguous tensors err."""
    images, labels = normalised(split)
    exact = gradients(
        without_dropout(net).double(), images.double(), labels, torch.float32
    )
    plain = gradients(without_dropout(net), images, labels, precision)
    ours = as_fit_takes_them(without_dropout(net), split, precision)
    floor = FLOOR * max(gradient.norm() for gradient in exact)
    return max(
        ((mine - right).norm() / max((other - right).norm(), floor)).item()
        for mine, other, right in zip(ours, plain, exact, strict=True)
    )


def check(name: str, net: nn.Module, shape, precision, count: int) -> bool:
    """Compare gradients, take eight steps; print and return if all is well."""
    torch.manual_seed(0)
    for seed in range(TRIES):
        worse = how_much_worse(
            net, made_up(shape, count, seed, classes_of(net, shape)), precision
        )
        if worse <= TIMES_WORSE:
            break
    right = worse <= TIMES_WORSE and math.isfinite(worse)
    split = made_up(shape, 8 * 8, 0, classes_of(net, shape))
    data = Data("made up", (), "made up", split, split.take(8), split.take(8))
    recipe = training.Recipe(1, 1e-3, batch_size=8)
    training.fit(without_dropout(net), data, recipe, precision=precision)
    print(f"{'right' if right else 'WRONG'} {worse:8.2f} {name}", flush=True)
    return right


def classes_of(net, shape) -> int:
    return training.layer_table(net, shape).output_shape[0]


def layers():
    """Small odd layers between two convolutions: name, network, shape."""
    grid = itertools.product(
        (1, 2, 3), (1, 2, 3), (1, 2, 4, 7, 12, 16), (False, True), (7, 16)
    )
    for kernel, stride, channels, grouped, side in grid:
        if grouped and channels == 1:
            continue
        groups = channels // 2 if grouped and channels % 2 == 0 else 1
        groups = channels if grouped and channels % 2 else groups
        odd = nn.Conv2d(
            channels,
            2 * channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=channels != 4,
        )
        net = nn.Sequential(
            *(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), odd, nn.ReLU()),
            *(nn.Conv2d(2 * channels, 8, 3, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
        )
        yield f"{odd}, side {side}", net, (3, side, side)


def trained_in(chapter: Path):
    """Every network that a chapter's cells or its recorded runs train."""
    met = {}
    fit = training.fit

    def noted(net, data, *arguments, **options):
        shape = tuple(data.train.images.shape[1:])
        met.setdefault((repr(net), shape), (copy.deepcopy(net).cpu(), shape))
        return fit(net, data, *arguments, **options)

    training.fit = noted
    matplotlib.use("Agg")
    os.chdir(chapter.parent)
    # A notebook has the name `display` without an import.
    namespace = {"__name__": "__main__", "display": print}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in nbformat.read(chapter, as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
    training.fit = fit
    with contextlib.redirect_stdout(io.StringIO()):
        names = definitions(chapter)
        names["load"] = cache(load)  # for networks that are made from data
        runs = names.get("RUNS", {}).values()
        recorded = [
            (make_network(), KNOWN[(name or ["cifar10"])[0]].image_shape)
            for make_network, _, _, *name in runs
        ]
    for net, shape in recorded:
        met.setdefault((repr(net), shape), (net, shape))
    for number, (net, shape) in enumerate(met.values()):
        yield f"network {number}: {type(net).__name__}, {shape}", net, shape


def main(subject: str, *precisions: str) -> int:
    if subject == "layers":
        cases, count = list(layers()), 64
    else:
        cases, count = cloudpickle.loads(Path(subject).read_bytes()), 16
    results = []
    for precision in precisions:
        print(f"{precision}:")
        results += [
            check(name, net, shape, getattr(torch, precision), count)
            for name, net, shape in cases
        ]
    print(f"{sum(results)} of {len(results)} right")
    return 0 if results and all(results) else 1


def collect(chapter: str, file: str) -> int:
    """Write a chapter's networks; the classes that it defines go with them."""
    file = Path(file).resolve()
    file.write_bytes(cloudpickle.dumps([*trained_in(ROOT / chapter)]))
    return 0


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    done = collect(*arguments) if task == "collect" else main(task, *arguments)
    sys.exit(done)
