"""Measure what two processes cost and what they change.

    python tools/measure_processes.py           # some minutes on two cores
    python tools/measure_processes.py --page    # only write the page again

Starts two processes on this machine with torchrun and writes what they found
into results/processes.json, and from that the tables of distributed.md:

- costs: what each process sends in a step, and what it computes for it;
- times: seconds of a step with and without the averaging of gradients;
- curves: losses of one process and of two, and of one process that takes the
  statistics of batch norm from each half of its minibatch, as two do.

The sample that the book ships is enough for all of it.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch
from torch import distributed as dist
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet50

from tools.record import digest
from utils import distributed
from utils.chapters import chapter
from utils.data import load
from utils.files import complete_file
from utils.shapes import layer_table
from utils.tables import Table
from utils.training import Recipe, circumstances, fit

RECORD = ROOT / "results" / "processes.json"
PAGE = ROOT / "distributed.md"
CIFAR, IMAGENET = (3, 32, 32), (3, 227, 227)
BYTES = 4  # of a float32
EACH = 64  # images a process in `costs`: half of the book's minibatch
SEEDS = range(3)
# A low rate: at a high one rounding grows until it hides what is looked for.
RECIPE = Recipe(epochs=3, learning_rate=0.002, crop_padding=4, flip=True)
IMAGES = 768  # of the sample, for each curve
REPEATS = 5  # of each timing


class HalvesNorm(nn.BatchNorm2d):
    """Batch norm in one process as two processes do it.

    Each normalises its own half of the minibatch, every second image; the
    running averages are those of the first half.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        out = torch.empty_like(x)
        for place, averages in enumerate(
            ((self.running_mean, self.running_var), (None, None))
        ):
            out[place::2] = F.batch_norm(
                x[place::2], *averages, self.weight, self.bias,
                training=True, momentum=self.momentum, eps=self.eps,
            )  # fmt: skip
        return out


def by_halves(net: nn.Module) -> nn.Module:
    """Let all batch norm of `net` take its statistics from halves."""
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = HalvesNorm
    return net


def resnet_20() -> nn.Module:
    resnet = chapter("06_resnet")
    return resnet.cifar_net(3, resnet.residual("A"))


def no_norm() -> nn.Module:
    """The small AlexNet, without batch norm and without dropout."""
    book = chapter("02_alexnet", "alexnet")
    net = book.alexnet(
        book.SMALL, book.HIDDEN // 4, input_shape=CIFAR, classes=10,
        normalised=(), dropout=0.0,
    )  # fmt: skip
    return book.he_start(net)


CURVES = {
    "AlexNet": no_norm,
    "ResNet-20": resnet_20,
    "ResNet-20, halves": lambda: by_halves(resnet_20()),
}
IN_TWO = ("AlexNet", "ResNet-20")  # a half has no halves


def ring_bytes(parameters: int, processes: int = 2) -> int:
    """What each process sends when a ring averages float32 gradients."""
    return 2 * (processes - 1) * parameters * BYTES // processes


@cache
def comparison() -> SimpleNamespace:
    """What chapter 8 defines, with what it calls its networks."""
    return chapter("08_comparison", "logs_of")


def costs() -> dict:
    """Of each network its parameters and MACs for one image."""
    book, found = comparison(), {}
    for name in book.NETWORKS:
        table = layer_table(book.made(name, "cifar10"), CIFAR)
        found[name] = table.parameters, table.macs
    large = layer_table(alexnet_for_imagenet(), IMAGENET)
    found["AlexNet, 227 pixels"] = large.parameters, large.macs
    for part, kind in (("convolutions", "Conv2d"), ("linear", "Linear")):
        layers = [x for x in large.layers if x.kind == kind]
        parameters = sum(layer.parameters for layer in layers)
        macs = sum(layer.macs for layer in layers)
        found[f"– {part} only"] = parameters, macs
    with torch.device("meta"):
        deep = layer_table(resnet50(), (3, 224, 224))
    found["ResNet-50, 224 pixels"] = deep.parameters, deep.macs
    return {
        name: {"parameters": parameters, "macs": macs}
        for name, (parameters, macs) in found.items()
    }


def alexnet_for_imagenet() -> nn.Module:
    return chapter("02_alexnet", "alexnet").alexnet(normalised=())


def timed() -> dict:
    """What is timed: the network, its images, and how many a process."""
    made = comparison().made
    small = ("lenet", "alexnet", "vgg-bn", "resnet-20", "densenet")
    return {
        name: (partial(made, name, "cifar10"), CIFAR, EACH) for name in small
    } | {
        "AlexNet, 227 pixels": (alexnet_for_imagenet, IMAGENET, 4),
        "ResNet-50, 224 pixels": (resnet50, (3, 224, 224), 4),
    }


def curve(make, seed: int) -> list[dict]:
    """The epochs of a short training, in float32."""
    data = load("cifar10", sample=True).take(IMAGES)
    data = replace(data, validation=data.validation.take(64))  # not looked at
    torch.manual_seed(seed)
    log = fit(make(), data, RECIPE, seed=seed, precision=torch.float32)
    return log["epochs"]


def step_seconds() -> dict:
    """Median seconds of forward and backward, alone and averaged."""
    found = {}
    for name, (make, shape, images) in timed().items():
        torch.manual_seed(0)
        net = nn.parallel.DistributedDataParallel(make())
        x, labels = torch.randn(images, *shape), torch.arange(images) % 10
        seconds = {"averaged": [], "alone": []}
        for _ in range(REPEATS + 1):  # the first is thrown away
            for kind in seconds:
                alone = net.no_sync if kind == "alone" else None
                dist.barrier()
                start = time.perf_counter()
                with (alone or contextlib.nullcontext)():
                    F.cross_entropy(net(x), labels).backward()
                dist.barrier()
                seconds[kind].append(time.perf_counter() - start)
                net.zero_grad(set_to_none=False)
        found[name] = {"images": images} | {
            kind: {
                "median": statistics.median(values[1:]),
                "least": min(values[1:]),
                "most": max(values[1:]),
            }
            for kind, values in seconds.items()
        }
    return found


def work_of_two(path: Path) -> None:
    """What torchrun starts twice; process 0 writes what was found."""
    with distributed.joined():
        torch.set_num_threads(1)
        found = {
            "curves": {
                name: [curve(CURVES[name], seed) for seed in SEEDS]
                for name in IN_TWO
            },
            "times": step_seconds(),
        }
        if distributed.rank() == 0:
            path.write_text(json.dumps(found))


def measure() -> dict:
    """Everything that the record holds."""
    torch.set_num_threads(1)
    one = {
        name: [curve(make, seed) for seed in SEEDS]
        for name, make in CURVES.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "found.json")
        torchrun = [sys.executable, "-m", "torch.distributed.run"]
        torchrun += ["--standalone", "--nproc-per-node", "2"]
        subprocess.run(
            [*torchrun, __file__, "--into", path],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=True,
        )
        two = json.loads(path.read_text())
    log = {
        "name": "processes",
        **circumstances(torch.device("cpu"), torch.float32),
        "processes": 2,
        "threads_each": 1,
        "data": load("cifar10", sample=True).source,
        "images": IMAGES,
        "batch_size": RECIPE.batch_size,
        "learning_rate": RECIPE.learning_rate,
        "costs": costs(),
        "times": two["times"],
        "curves": {"one": one, "two": two["curves"]},
    }
    return log | {"digest": digest(log)}


# The page

NETWORKS = (
    "The networks of chapter 8 at 32 × 32 pixels; below them two networks for "
    "ImageNet"
)


def title(name: str) -> str:
    """What the book calls a network of the record."""
    return comparison().TITLES.get(name, name)


def cost_table(log: dict) -> str:
    rows = []
    for name, cost in log["costs"].items():
        sent, operations = ring_bytes(cost["parameters"]), 6 * cost["macs"]
        each = cost["parameters"], sent / 1e6, operations / 1e9
        rows.append((title(name), *each, EACH * operations / sent))
    head = {"network": "", "parameters": ",", "MB sent a step": ",.2f"}
    head |= {"GFLOPs an image": ",.3f", "operations a byte": ",.0f"}
    return Table(head, rows, f"What a step sends. {NETWORKS}")._repr_html_()


def time_table(log: dict) -> str:
    rows = []
    for name, measured in log["times"].items():
        kinds = measured["alone"], measured["averaged"]
        times = [
            f"{1000 * kind['median']:,.0f} "
            f"({1000 * kind['least']:,.0f} to {1000 * kind['most']:,.0f})"
            for kind in kinds
        ]
        added = kinds[1]["median"] / kinds[0]["median"] - 1
        rows.append((title(name), measured["images"], *times, added))
    head = {"network": "", "images each": "d", "alone, ms": ">"}
    head |= {"averaged, ms": ">", "added": "+.0%"}
    return Table(head, rows, f"What a step takes. {NETWORKS}")._repr_html_()


def gaps(log: dict, name: str, other: str = "") -> list[float]:
    """Of each epoch the largest difference of training loss, over seeds."""
    one = log["curves"]["one"][other or name]
    two = log["curves"]["two"][name]
    pairs = [zip(*pair, strict=True) for pair in zip(one, two, strict=True)]
    return [
        max(abs(a["train_loss"] - b["train_loss"]) for a, b in epoch)
        for epoch in zip(*pairs, strict=True)
    ]


def curve_table(log: dict) -> str:
    columns = [
        gaps(log, "AlexNet"),
        gaps(log, "ResNet-20"),
        gaps(log, "ResNet-20", "ResNet-20, halves"),
    ]
    runs = log["curves"]["one"]["ResNet-20"]
    losses = [[epoch["train_loss"] for epoch in run] for run in runs]
    columns.append([max(x) - min(x) for x in zip(*losses, strict=True)])
    rows = enumerate(zip(*columns, strict=True), start=1)
    names = ["AlexNet", "ResNet-20", "ResNet-20 by halves", "ResNet-20, seeds"]
    head = {"epoch": "d", **dict.fromkeys(names, ".1g")}
    return Table(head, [(n, *row) for n, row in rows])._repr_html_()


def machine(log: dict) -> str:
    source = log["data"].split(":")[0]
    return (
        f"{log['hardware']['device']}, two processes of one thread, float32, "
        f"PyTorch {log['versions']['torch']}, {log['date']}. Curves: "
        f"{log['images']:,} images of {source}, minibatches of "
        f"{log['batch_size']}, learning rate {log['learning_rate']}, seeds "
        f"{', '.join(map(str, SEEDS))}."
    )


BLOCKS = {
    "costs": cost_table,
    "times": time_table,
    "curves": curve_table,
    "machine": machine,
}


def filled(text: str, log: dict) -> str:
    """The page with each block written anew from the record."""
    for name, make in BLOCKS.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"the page needs one {start}...{end}")
        before, rest = text.split(start)
        text = before + start + make(log) + end + rest.split(end)[1]
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="measure nothing")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.into:
        work_of_two(options.into)
        return
    if not options.page:
        text = json.dumps(measure(), indent=1) + "\n"
        with complete_file(RECORD) as file:
            file.write_text(text, "utf-8")
    log = json.loads(RECORD.read_text("utf-8"))
    page = filled(PAGE.read_text("utf-8"), log)
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
