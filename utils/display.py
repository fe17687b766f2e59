"""Pictures of data, of training and of what a network has learned.

They have a white ground in every theme. What moves is in `utils.figures`.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from IPython.display import display

from utils.tables import ChartData

# Blue, orange, green (Okabe and Ito's), violet, brown and black: all reach a
# contrast of 3 : 1 with white, and with the page where dark mode inverts
# them. Markers tell them apart where colours do not.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#9000F0", "#601800", "#000000")
MARKERS = "osD^vX"

# Black on white, also for a reader who has set a dark style.
on_white = plt.style.context("default")


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
            # Pixels stay pixels, and a smooth picture would be four times as
            # large a file.
            look = dict(cmap="gray", vmin=0, vmax=white)
            axis.imshow(picture, interpolation="nearest", **look)
        if i < len(images) and titles is not None:
            axis.set_title(titles[i], fontsize=11, pad=3, color="black")
    figure.tight_layout(pad=0.2)
    plt.show()


@on_white
def plot_history(*logs: dict, labels: Sequence[str] | None = None) -> None:
    """Plot loss and accuracy over the epochs of one or more trainings.

    Dashed is training, solid is validation; several logs differ by marker
    and by colour. The numbers follow, as a folded table.

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
    columns = {
        f"{part}_{key}": form
        for key, form in (("loss", ".3f"), ("accuracy", ".1%"))
        for part in ("train", "validation")
    }
    head = {"run": "", "epoch": "d"}
    head |= {c.replace("_", " "): form for c, form in columns.items()}
    rows = (
        (label, entry["epoch"], *(entry[c] for c in columns))
        for log, label in zip(logs, labels, strict=True)
        for entry in log["epochs"]
    )
    display(ChartData(head, rows))
