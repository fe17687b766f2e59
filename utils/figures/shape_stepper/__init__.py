"""The shape stepper: change a layer of a table, watch the rest follow."""

import math
from collections.abc import Sequence

from IPython.display import HTML

from utils.figures.frame import figure
from utils.shapes import LayerTable, conv_output_size

# Label, note, side of the input, and by layer what differs from the table.
ALEXNET_PRESETS = (
    ("227, padding 0", "the arithmetic that works", 227, {}),
    ("224, padding 0", "what the paper prints", 224, {}),
    ("224, padding 2", "torchvision’s answer", 224, {"conv1": {"padding": 2}}),
)


def shape_stepper(
    table: LayerTable, presets: Sequence[tuple] = ALEXNET_PRESETS
) -> HTML:
    """The interactive layer table: change a layer, watch the rest follow.

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
        if unknown := sorted(changes.keys() - names):
            raise ValueError(
                f"preset {label!r} changes {unknown[0]!r}; the layers are "
                f"{', '.join(names)}. Pass presets of your own, or ()"
            )
    keys = ("label", "note", "side", "changes")
    data = {
        "input": {"channels": channels, "side": side},
        "layers": layers,
        "presets": [dict(zip(keys, p, strict=True)) for p in presets],
    }
    guess = _one_pixel_more(side, layers[0]) if layers else None
    return figure("shape_stepper", data, table._repr_html_(), guess=guess)


def _one_pixel_more(side: int, layer: dict) -> dict | None:
    """How wide are the maps of a first convolution, one pixel more given?"""
    if layer["kind"] != "Conv2d":
        return None
    window = [layer[k] for k in ("kernel", "stride", "padding", "dilation")]
    before, answer = (conv_output_size(n, *window) for n in (side, side + 1))
    kernel, stride, padding, dilation = window
    room = side + 1 + 2 * padding - dilation * (kernel - 1) - 1
    explain = f"⌊{room} / {stride}⌋ + 1 = {answer}."
    if answer == before:
        explain += (
            f" The window moves {stride} pixels at a time, so one more pixel "
            "is not enough for another stop, and the floor drops it."
        )
    return {
        "question": (
            f"from an input {side} pixels wide {layer['name']} makes maps "
            f"{before} wide. How wide are they when the input has {side + 1}?"
        ),
        "answer": answer,
        "explain": explain,
    }


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
