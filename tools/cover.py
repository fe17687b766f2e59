"""Draw the cover: six networks to one scale, with what each takes and gets.

    python tools/cover.py

writes _assets/cover.html. Sizes, parameters and work follow from the
chapters' definitions (ResNet-50 and DenseNet-121 are torchvision's, to which
chapter 7 shows its own to be equal), errors from the metadata of torchvision's
weights and from the recorded runs of the comparison. tests/test_cover.py fails
when that file is not what the definitions and the logs say now.
"""

from collections.abc import Callable
from html import escape
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from torch import nn
from torchvision import models

from utils.chapters import chapter
from utils.results import recorded
from utils.shapes import layer_table

ROOT = Path(__file__).resolve().parent.parent
COVER = ROOT / "_assets/cover.html"

# One scale for all six drawings, in units of the drawing.
PIXEL = 0.6  # of a side
CHANNELS = 16  # a unit
NUMBERS = 46.5  # of a vector, a unit
LEAN, RISE = 0.42, 0.22  # how a square is seen from the side
WIDTH, FLOOR = 464, 176  # of a drawing; below it stand its numbers
LABEL, GAP = 34, 8  # what a label needs, and between two blocks


class Network(NamedTuple):
    year: int
    title: str
    chapter: str  # the file's name
    make: Callable[[], nn.Module]
    side: int  # of the picture
    run: str  # in results/08_comparison
    weights: models.WeightsEnum | None
    changed: str  # since the one before


def imagenet_nin() -> nn.Module:
    nin = chapter("04_nin")
    return nin.listed_nin(classes=1000, channels=3)


def vgg_16() -> nn.Module:
    vgg = chapter("03_vgg")
    return vgg.vgg(vgg.CONFIGURATIONS["D"])


NETWORKS = (
    Network(
        2012, "AlexNet", "02_alexnet",
        lambda: chapter("02_alexnet").alexnet(), 227, "alexnet",
        models.AlexNet_Weights.IMAGENET1K_V1,
        "LeNet’s plan with nearly a thousand times its parameters. ReLU, "
        "dropout, two graphics cards, and over a million photographs to "
        "learn from.",
    ),
    Network(
        2014, "VGG", "03_vgg", vgg_16, 224, "vgg",
        models.VGG16_Weights.IMAGENET1K_V1,
        "One kernel, 3 × 3, and twice as many layers. Nothing is saved: no "
        "other of the six has so many parameters, or does so much work.",
    ),
    Network(
        2013, "NiN", "04_nin", imagenet_nin, 224, "nin", None,
        "Older than VGG, and free of what makes it heavy. 1 × 1 convolutions "
        "mix the channels, and an average stands where the hidden layers "
        "stood.",
    ),
    Network(
        2014, "GoogLeNet", "05_googlenet",
        lambda: chapter("05_googlenet").imagenet_googlenet(), 224,
        "googlenet", models.GoogLeNet_Weights.IMAGENET1K_V1,
        "Four branches in every block, and 1 × 1 convolutions that make them "
        "cheap. It has the fewest parameters of the six.",
    ),
    Network(
        2015, "ResNet", "06_resnet", models.resnet50, 224, "resnet-20",
        models.ResNet50_Weights.IMAGENET1K_V1,
        "A shortcut around every block, and batch norm behind every "
        "convolution. Fifty layers here; the paper went on to 152.",
    ),
    Network(
        2016, "DenseNet", "07_densenet", models.densenet121, 224, "densenet",
        models.DenseNet121_Weights.IMAGENET1K_V1,
        "What ResNet adds, it keeps: each layer reads all the maps before it "
        "in its block. With a third of ResNet-50’s parameters it comes within "
        "a point of its error.",
    ),
)  # fmt: skip


# What is drawn


def sizes(net: nn.Module, side: int) -> tuple[list, list]:
    """The widest feature map of each side, and the vectors behind them.

    Returns:
        [(side, channels), ...] in the order of the network, and the lengths
        of what the linear layers make.
    """
    maps: dict[int, int] = {}
    vectors = []

    def note(module, _, output):
        if isinstance(module, nn.Linear):
            vectors.append(output.shape[1])
        elif output.dim() == 4 and output.shape[-1] > 1:
            _, channels, _, size = output.shape
            maps[size] = max(channels, maps.get(size, 0))

    for module in net.modules():
        module.register_forward_hook(note)
    with torch.no_grad():
        net.eval()(torch.empty(1, 3, side, side, device="meta"))
    return list(maps.items()), vectors


def polygon(kind: str, *corners: tuple[float, float]) -> str:
    points = " ".join(f"{x:.4g},{y:.4g}" for x, y in corners)
    return f'<polygon class="{kind}" points="{points}"/>'


def block(x: float, side: int, channels: int) -> list[str]:
    """A feature map as a box, its middle at half the height of all."""
    depth, tall = channels / CHANNELS, side * PIXEL
    across, rise = LEAN * tall, RISE * tall
    top = FLOOR / 2 - tall / 2 + rise / 2
    near, far = x + depth, x + depth + across
    return [
        polygon("top", (x, top), (near, top), (far, top - rise),
                (x + across, top - rise)),
        polygon("side", (x, top), (near, top), (near, top + tall),
                (x, top + tall)),
        polygon("face", (near, top), (far, top - rise),
                (far, top - rise + tall), (near, top + tall)),
    ]  # fmt: skip


def drawing(title: str, maps: list, vectors: list) -> str:
    """One network as SVG, at the scale of all."""
    parts = [
        f'<text x="0" y="{FLOOR + 14}" class="row">pixels</text>',
        f'<text x="0" y="{FLOOR + 31}" class="row">channels</text>',
    ]
    x = 58.0
    for side, channels in maps:
        wide = channels / CHANNELS + LEAN * side * PIXEL
        room = max(wide, LABEL)
        parts += block(x + (room - wide) / 2, side, channels)
        middle = f"{x + room / 2:.4g}"
        parts.append(f'<text x="{middle}" y="{FLOOR + 14}">{side}</text>')
        parts.append(
            f'<text x="{middle}" y="{FLOOR + 31}" class="channels">'
            f"{channels}</text>"
        )
        x += room + GAP
    for length in vectors:
        tall = length / NUMBERS
        middle = x + LABEL / 2
        parts.append(
            f'<rect class="vector" x="{middle - 2.5:.4g}" '
            f'y="{FLOOR / 2 - tall / 2:.4g}" width="5" height="{tall:.4g}"/>'
        )
        parts.append(
            f'<text x="{middle:.4g}" y="{FLOOR + 31}" class="channels">'
            f"{length}</text>"
        )
        x += LABEL + GAP
    words = ", ".join(
        f"{side} by {side} pixels and {channels} channels"
        for side, channels in maps
    )
    if vectors:
        words += "; then vectors of " if len(vectors) > 1 else "; a vector of "
        words += ", ".join(map(str, vectors))
    return (
        f'<svg class="cover" viewBox="0 0 {WIDTH} {FLOOR + 36}" role="img" '
        f'aria-label="The widest feature maps of {title}: {words}.">\n'
        + "\n".join(parts)
        + "\n</svg>"
    )


# What is said


def row(name: str, said: str, share: float | None) -> str:
    """A number with a bar, as long as its share of the largest of six."""
    bar = ""
    if share is not None:
        bar = f'<span class="bar" style="--share: {share:.3f}"></span>'
    return f"<div><dt>{name}</dt><dd>{said}{bar}</dd></div>"


def top5_error(network: Network) -> float | None:
    if network.weights is None:
        return None
    metrics = network.weights.meta["_metrics"]["ImageNet-1K"]
    return 100 - metrics["acc@5"]


def cifar_error(network: Network) -> float:
    logs = recorded("08_comparison", f"{network.run}-cifar10-short")
    return 100 * (1 - mean(log["test"]["accuracy"] for log in logs))


def panels() -> list[str]:
    """One panel a network."""
    tables, drawings = [], []
    for network in NETWORKS:
        net = network.make().to("meta")
        tables.append(layer_table(net, (3, network.side, network.side)))
        drawings.append(drawing(network.title, *sizes(net, network.side)))
    numbers = {
        "parameters": [table.parameters / 1e6 for table in tables],
        "work": [table.macs / 1e9 for table in tables],
        "error": [top5_error(network) for network in NETWORKS],
        "small": [cifar_error(network) for network in NETWORKS],
    }
    shares = {
        name: [
            None if value is None else value / max(v for v in values if v)
            for value in values
        ]
        for name, values in numbers.items()
    }
    made = []
    for place, network in enumerate(NETWORKS):
        of = {name: values[place] for name, values in numbers.items()}
        share = {name: values[place] for name, values in shares.items()}
        error = "not measured this way"
        if of["error"] is not None:
            error = f"{of['error']:.1f} %"
        rows = [
            row("parameters", f"{of['parameters']:.1f} million",
                share["parameters"]),
            row("work for a picture", f"{of['work']:.2f} billion products",
                share["work"]),
            row("ImageNet, top-5 error", error, share["error"]),
            row("CIFAR-10 error, small version", f"{of['small']:.1f} %",
                share["small"]),
        ]  # fmt: skip
        page = f"chapters/{network.chapter}.html"
        number = int(network.chapter[:2])
        made.append(
            f'<div class="cover-panel" id="cover-{network.run}" role="group" '
            f'aria-label="{network.title}, {network.year}">\n'
            f'<p class="cover-name"><a href="{page}">{network.title}</a> '
            f"{network.year}</p>\n"
            f'<a class="cover-drawing" href="{page}" tabindex="-1" '
            f'title="Chapter {number}">{drawings[place]}</a>\n'
            f"<dl>{''.join(rows)}</dl>\n"
            f"<p>{escape(network.changed, quote=False)} "
            f'<a href="{page}">Chapter {number}</a></p>\n</div>'
        )
    return made


def cover() -> str:
    """The whole figure; without JavaScript its six panels stand below."""
    tabs = "\n".join(
        f'<button type="button" role="tab" aria-controls="cover-{one.run}">'
        f"<span>{one.year}</span> {one.title}</button>"
        for one in NETWORKS
    )
    return "\n".join([
        "<!-- Written by tools/cover.py -->",
        '<div class="cover-book">',
        '<div role="tablist" aria-label="Six networks" hidden>',
        tabs,
        "</div>",
        *panels(),
        "</div>",
        '<script src="_static/cover.js"></script>',
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    COVER.write_text(cover(), "utf-8")
    print(f"Written: {COVER.relative_to(ROOT)}")
