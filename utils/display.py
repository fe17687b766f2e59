"""Pictures of data, of training and of what a network has learned.

Charts and pictures have a white ground in every theme; the one interactive
figure, `shape_stepper`, follows the reader's light or dark mode.
"""

import base64
import io
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython.display import HTML
from PIL import Image
from torch import nn

from utils.shapes import LayerTable

FIGURES = Path(__file__).parent / "figures"

# Okabe and Ito's palette: told apart with every common colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osD^vX"

# Black on white, also for a reader who has set a dark style.
on_white = plt.style.context("default")

# Starting points of the shape stepper: label, note, side of the input and
# the settings that differ from the table's, by layer.
ALEXNET_PRESETS = (
    ("227, padding 0", "the arithmetic that works", 227, {}),
    ("224, padding 0", "what the paper prints", 224, {}),
    ("224, padding 2", "torchvision’s answer", 224, {"conv1": {"padding": 2}}),
)


def show_images(
    images: torch.Tensor,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    scale: float = 1.2,
) -> None:
    """Show a minibatch of images as a grid.

    Args:
        images: whole numbers from 0 to 255, or floats from 0 to 1, beyond
            which they are clipped, of shape (N, H, W), (N, 1, H, W) or
            (N, 3, H, W).
        titles: N short strings, one above each image.
        columns: images a row.
        scale: side of one image, in inches.

    Raises:
        ValueError: the shape is none of these, the values lie elsewhere, or
            the number of titles is not N.
    """
    images = torch.as_tensor(images).detach().cpu()
    if images.dim() == 3:
        images = images[:, None]
    if images.dim() != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(
            f"images have shape {tuple(images.shape)}; wanted (N, H, W), "
            "(N, 1, H, W) or (N, 3, H, W) with at least one image"
        )
    if titles is not None and len(titles) != len(images):
        raise ValueError(
            f"{len(titles)} titles for {len(images)} images; give one each"
        )
    if images.dtype == torch.bool or images.is_floating_point():
        images = images.float()
    low, high = images.min().item(), images.max().item()
    if not images.is_floating_point() and 0 <= low and high <= 255:
        images = images.byte()
    elif images.is_floating_point() and high < 16:  # 4 in normalised images
        images = images.clamp(0, 1)
    else:
        raise ValueError(
            f"images are {images.dtype} from {low:g} to {high:g}; wanted "
            "whole numbers from 0 to 255 or floats from 0 to 1: try "
            "images.byte(), or images / 255"
        )
    _grid(images, titles, columns, scale)


def show_filters(weight: torch.Tensor, columns: int = 12) -> None:
    """Show the kernels of a first layer.

    Each kernel is scaled by its own largest magnitude, so that 0 is always
    middle grey: the pictures tell patterns apart, not strengths.

    Args:
        weight: shape (O, C, k, k) with C 1 (grey) or 3 (colour).
        columns: kernels a row.

    Raises:
        ValueError: the shape is another one.
    """
    weight = torch.as_tensor(weight).detach().float().cpu()
    if weight.dim() != 4 or weight.shape[1] not in (1, 3) or not len(weight):
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}; wanted (O, 1, k, k) or "
            "(O, 3, k, k), the weight of a first convolution"
        )
    largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
    _grid(0.5 + 0.5 * weight / largest, None, columns, 0.7)


def show_feature_maps(
    maps: torch.Tensor, count: int = 16, columns: int = 8
) -> None:
    """Show the first `count` channels of one image's feature maps.

    Each map is scaled to its own range: black is its smallest value, white
    its largest.

    Args:
        maps: shape (C, H, W) or (1, C, H, W).
        count: how many channels, counted from the first.
        columns: maps a row.

    Raises:
        ValueError: the shape is another one, or `count` is below 1.
    """
    maps = torch.as_tensor(maps).detach().float().cpu()
    if maps.dim() == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.dim() != 3 or not len(maps):
        raise ValueError(
            f"maps have shape {tuple(maps.shape)}; wanted (C, H, W) or "
            "(1, C, H, W), the maps of one image"
        )
    if count < 1:
        raise ValueError(f"count={count} must be at least 1")
    maps = maps[:count, None]
    low, high = maps.amin((2, 3), True), maps.amax((2, 3), True)
    maps = (maps - low) / (high - low).clamp_min(1e-12)
    _grid(maps, None, columns, 1.2)


@on_white
def _grid(images, titles, columns, scale) -> None:
    """Draw (N, C, H, W) images, grey ones from black to white."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height, width = images.shape[-2:]
    lines = max((title.count("\n") + 1 for title in titles or ()), default=0)
    head = 0.06 + 0.24 * lines
    size = (columns * scale, rows * (scale * height / width + head))
    figure, axes = plt.subplots(
        rows, columns, figsize=size, dpi=110, squeeze=False, facecolor="white"
    )
    white = 255 if images.dtype == torch.uint8 else 1
    for i, axis in enumerate(axes.flat):
        axis.axis("off")
        if i < len(images):
            picture = images[i].permute(1, 2, 0).squeeze(-1).numpy()
            axis.imshow(picture, cmap="gray", vmin=0, vmax=white)
        if i < len(images) and titles is not None:
            axis.set_title(titles[i], fontsize=11, pad=3, color="black")
    figure.tight_layout(pad=0.2)
    plt.show()


@on_white
def plot_history(*logs: dict, labels: Sequence[str] | None = None) -> None:
    """Plot loss and accuracy over the epochs of one or more trainings.

    Dashed is training, solid is validation; several logs differ by marker
    and by colour.

    Args:
        logs: what `utils.training.fit` returned.
        labels: one name a log; by default the log's own "name".

    Raises:
        ValueError: no log, a log without epochs, or a wrong number of labels.
    """
    if not logs:
        raise ValueError("plot_history needs at least one log from fit")
    for log in logs:
        if not isinstance(log, dict) or not log.get("epochs"):
            raise ValueError(
                "each log must be what fit returned, with at least one entry "
                f"in log['epochs']; got {type(log).__name__}"
            )
    if labels is None:
        labels = [log.get("name", f"run {i}") for i, log in enumerate(logs, 1)]
    if len(labels) != len(logs):
        raise ValueError(f"{len(labels)} labels for {len(logs)} logs")
    figure, axes = plt.subplots(
        1, 2, figsize=(6.2, 2.8), dpi=110, facecolor="white"
    )
    panels = (
        ("loss", 1, "cross-entropy loss"),
        ("accuracy", 100, "accuracy (%)"),
    )
    for axis, (key, unit, title) in zip(axes, panels, strict=True):
        for i, (log, label) in enumerate(zip(logs, labels, strict=True)):
            epochs = [entry["epoch"] for entry in log["epochs"]]
            look = dict(
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                markersize=4,
                markevery=max(1, len(epochs) // 10),
            )
            for part, line in (("train", "--"), ("validation", "-")):
                values = [unit * e[f"{part}_{key}"] for e in log["epochs"]]
                name = part if len(logs) == 1 else f"{label}, {part}"
                axis.plot(epochs, values, line, label=name, **look)
        axis.set_xlabel("epoch", fontsize=11)
        axis.set_ylabel(title, fontsize=11)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.tick_params(labelsize=10)
        axis.grid(color="0.9")
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=9, frameon=False)
    figure.tight_layout()
    plt.show()


def shape_stepper(
    table: LayerTable, presets: Sequence[tuple] = ALEXNET_PRESETS
) -> HTML:
    """The interactive layer table: change a layer, watch the rest follow.

    The figure is one piece of HTML that needs no library and no network.
    Without JavaScript it is a plain table. Equal tables give equal HTML.

    Args:
        table: from `layer_table`, for a network that is one chain of Conv2d,
            MaxPool2d, AvgPool2d and Linear layers on a square image. Layers
            that change neither size nor parameters (ReLU, LRN, dropout) are
            noted beside the layer before them.
        presets: starting points, each (label, note, side of the input,
            {layer name: {setting: value}}).

    Returns:
        The figure, shown when it is the value of a cell.

    Raises:
        ValueError: the network branches, or has another layer that changes
            sizes; or a preset names a layer that is not there.
    """
    channels, side, width = table.input_shape
    if side != width:
        raise ValueError(f"the input is {side} × {width}; wanted a square")
    layers = _chain(table)
    names = [layer["name"] for layer in layers]
    for label, _, _, changes in presets:
        for name in changes:
            if name not in names:
                raise ValueError(
                    f"preset {label!r} changes {name!r}; the layers are "
                    f"{', '.join(names)}. Pass presets of your own, or ()"
                )
    keys = ("label", "note", "side", "changes")
    data = {
        "input": {"channels": channels, "side": side},
        "layers": layers,
        "presets": [dict(zip(keys, p, strict=True)) for p in presets],
    }
    return _figure("shape", "stepper", "shst", data, table._repr_html_())


def _figure(topic, name, css_class, data, without_script) -> HTML:
    """One piece of HTML: style, data attributes, a fallback, scripts.

    All figures share a frame. The arithmetic has a file of its own so that
    node can test it. The scripts share one function, so that figures on a
    page do not meet.
    """
    frame_style, frame, style, arithmetic, drawing = (
        (FIGURES / file).read_text("utf-8")
        for file in (
            "frame.css",
            "frame.js",
            f"{topic}_{name}.css",
            f"{topic}_arithmetic.js",
            f"{topic}_{name}.js",
        )
    )
    style = frame_style.replace("FIGURE", css_class) + style
    drawing = frame.replace("FIGURE", css_class) + drawing
    attributes = ""
    for key, value in data.items():
        if not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)
        attributes += f' data-{key}="{escape(value)}"'
    return HTML(
        f"<style>{style}</style>\n"
        f'<div class="{css_class}"{attributes}>{without_script}</div>\n'
        f"<script>(function () {{\n{arithmetic}{drawing}}})();</script>"
    )


def _chain(table: LayerTable) -> list[dict]:
    """The layers that change sizes, each with notes on those that do not."""
    layers: list[dict] = []
    shape = table.input_shape
    for layer in table.layers:
        where = f"{layer.name} ({layer.kind})"
        if layer.kind in ("Conv2d", "MaxPool2d", "AvgPool2d", "Linear"):
            arriving, wanted = shape[0], layer.settings.get("in_channels")
            if layer.kind == "Linear":
                arriving = math.prod(shape)
                wanted = layer.settings["in_features"]
            if wanted not in (None, arriving):
                raise ValueError(
                    f"{where} does not take its input from the layer before "
                    "it; the stepper needs a network that is one chain"
                )
            for name, value in layer.settings.items():
                if not isinstance(value, int):
                    raise ValueError(
                        f"{where}: {name}={value!r}; the stepper computes "
                        "with one whole number for height and width"
                    )
            row = {"name": layer.name, "kind": layer.kind, "notes": ""}
            layers.append(row | layer.settings)
        elif layer.kind != "Flatten":
            same = layer.output_shape == shape and not layer.parameters
            if not same or layer.kind.startswith("Adaptive"):
                raise ValueError(
                    f"{where} changes sizes or has parameters in a way that "
                    "the stepper cannot follow"
                )
            if layers:
                note = layer.kind.replace("LocalResponseNorm", "LRN")
                notes = f"{layers[-1]['notes']} · {note}"
                layers[-1]["notes"] = notes.strip(" ·")
        shape = layer.output_shape
    return layers


def kernel_lab(
    pictures: dict[str, torch.Tensor], kernels: dict[str, torch.Tensor]
) -> HTML:
    """Interactive: convolve a picture with a kernel that the reader edits.

    Args:
        pictures: by name, grey squares, uint8 of shape (H, H).
        kernels: by name, of shape (k, k) with odd k from 1 to 7; the first
            is the one that the figure starts with.

    Raises:
        ValueError: a picture or a kernel has another shape.
    """
    for name, shape in ((n, p.shape) for n, p in pictures.items()):
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 7:
            raise ValueError(f"{name!r} is {tuple(shape)}; wanted a square")
    for name, shape in ((n, k.shape) for n, k in kernels.items()):
        if tuple(shape) not in ((1, 1), (3, 3), (5, 5), (7, 7)):
            raise ValueError(f"{name!r} is {tuple(shape)}; wanted 7 × 7 or so")
    pixels = [{"name": n, "pixels": p.tolist()} for n, p in pictures.items()]
    weights = [
        {"name": n, "weights": k.double().mul(100).round().div(100).tolist()}
        for n, k in kernels.items()
    ]
    data = {"pictures": pixels, "kernels": weights}
    fallback = "<p>This figure needs JavaScript.</p>"
    return _figure("kernel", "lab", "klab", data, fallback)


def growing_network(
    picture: torch.Tensor, networks: dict[str, LayerTable]
) -> HTML:
    """The interactive figure that builds a VGG, block by block.

    Args:
        picture: uint8 (3, H, W), what the receptive fields are drawn on.
        networks: by name, the networks to mark beside the reader's; all on
            square inputs of one size.

    Raises:
        ValueError: the receptive field of a network is not known.
    """
    marks = {}
    for name, table in networks.items():
        windows = ("Conv2d", "MaxPool2d")
        seen = [x.receptive_field for x in table.layers if x.kind in windows]
        if not seen or seen[-1] is None:
            raise ValueError(
                f"{name!r} has no receptive field that is known; the figure "
                "needs a chain of convolutions and poolings"
            )
        made = [x for x in table.layers if x.kind in ("Conv2d", "Linear")]
        marks[name] = {
            "field": seen[-1],
            "parameters": table.parameters,
            "macs": table.macs,
            "activations": sum(math.prod(x.output_shape) for x in made),
        }
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "PNG")
    source = base64.b64encode(file.getvalue()).decode()
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{mark['parameters']:,} parameters"
        f"</td><td>{mark['macs']:,} MACs</td></tr>"
        for name, mark in marks.items()
    )
    data = {
        "side": table.input_shape[1],
        "marks": marks,
        "picture": f"data:image/png;base64,{source}",
    }
    return _figure(
        "growing", "network", "grow", data, f"<table>{rows}</table>"
    )


def block_switch(
    net: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    class_names: Sequence[str],
    mean: torch.Tensor,
    std: torch.Tensor,
) -> HTML:
    """Interactive: a residual network runs in the page, block by block.

    The reader takes blocks out, that is, sets F(x) to zero, and sees what the
    network says then. Batch norm is folded into the convolutions, and their
    weights are rounded to 6 bits, with one scale an output channel, so that
    each takes one character of the page.

    Args:
        net: (stem, blocks, average, flatten, linear) as in chapter 6. The
            stem is convolution, batch norm, ReLU; a block has a `function`
            of two 3 × 3 convolutions, each with batch norm, and a `shortcut`
            without parameters.
        images: uint8 (N, 3, H, H), to choose from.
        labels: int64 (N,), their classes.
        class_names: by class.
        mean, std: (3,), what the network's inputs are normalised with.

    Raises:
        ValueError: an argument has another shape, or the network has another
            layer than these, which the page would compute wrongly.
    """
    square = (3, *images.shape[3:], *images.shape[3:])
    wanted = images.dtype == torch.uint8 and images.shape[1:] == square
    if not wanted or not len(images):
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted "
            "torch.uint8 (N, 3, H, H), values from 0 to 255"
        )
    if mean.shape != (3,) or std.shape != (3,):
        raise ValueError(
            f"mean is {tuple(mean.shape)}, std is {tuple(std.shape)}; wanted "
            "(3,), one number a colour"
        )
    try:
        stem, blocks, average, flatten, linear = net
        _expect(average, nn.AdaptiveAvgPool2d)
        _expect(flatten, nn.Flatten)
        convolution, relu = stem
        _expect(relu, nn.ReLU)
        packed = {
            "stem": _packed_convolution(*convolution),
            "blocks": [_packed_block(block) for block in blocks],
            "linear": {
                "weights": _base64(linear.weight.detach().float()),
                "bias": _base64(linear.bias.detach().float()),
            },
            "mean": mean.tolist(),
            "std": std.tolist(),
        }
        classes = linear.out_features
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "the network is not a stem, blocks with `function` and "
            "`shortcut`, average, flatten and linear layer, as cifar_net of "
            f"chapter 6 makes it with option A ({error})"
        ) from error
    if len(class_names) != classes:
        raise ValueError(
            f"{len(class_names)} class names for a network of {classes} "
            "classes; give one each"
        )
    known = set(range(classes)).issuperset(labels.tolist())
    if labels.shape != images.shape[:1] or not known:
        raise ValueError(
            f"labels are {labels.tolist()}; wanted {len(images)}, one an "
            f"image, from 0 to {classes - 1}"
        )
    data = {
        "names": list(class_names),
        "labels": labels.tolist(),
        "pictures": _base64(images),
        "network": packed,
    }
    fallback = (
        f"<p>Here a network of {len(packed['blocks'])} residual blocks runs "
        f"in your browser, on {len(images)} pictures, and you can switch its "
        "blocks off. That needs JavaScript.</p>"
    )
    return _figure("block", "switch", "bsw", data, fallback)


def _expect(layer: nn.Module, kind: type) -> None:
    """The page knows one layer at each place; others are refused."""
    if not isinstance(layer, kind):
        raise TypeError(f"{layer} where {kind.__name__} is wanted")


def _packed_block(block: nn.Module) -> dict:
    """The two convolutions of a residual block."""
    first, relu, second = block.function
    _expect(relu, nn.ReLU)
    if not hasattr(block.shortcut, "new_channels"):
        _expect(block.shortcut, nn.Identity)
    return {
        "first": _packed_convolution(*first),
        "second": _packed_convolution(*second),
    }


def _packed_convolution(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> dict:
    """Fold batch norm in, as it is in evaluation, and round to 6 bits."""
    settings = (conv.kernel_size, conv.padding, conv.dilation, conv.groups)
    if settings != ((3, 3), (1, 1), (1, 1), 1) or conv.bias is not None:
        raise ValueError(f"{conv} is not 3 × 3, padding 1, without bias")
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight * factor.view(-1, 1, 1, 1)).detach().float()
    scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / 31
    whole = (weight / scales.view(-1, 1, 1, 1)).round().char()  # -31 to 31
    return {
        "inputs": conv.in_channels,
        "outputs": conv.out_channels,
        "stride": conv.stride[0],
        # As characters from "?" to "}", none of which HTML would escape.
        "weights": (whole + 94).cpu().numpy().tobytes().decode("ascii"),
        "scales": _base64(scales),
        "bias": _base64(
            (norm.bias - norm.running_mean * factor).detach().float()
        ),
    }


def _base64(numbers: torch.Tensor) -> str:
    """The bytes of a tensor, as text."""
    return base64.b64encode(numbers.cpu().numpy().tobytes()).decode("ascii")
