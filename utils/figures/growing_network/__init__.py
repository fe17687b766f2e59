"""The growing network: build a VGG, block by block."""

import base64
import io
import math
from html import escape

import torch
from IPython.display import HTML
from PIL import Image

from utils.figures.frame import figure
from utils.shapes import LayerTable

SCRIPTS = ("numbers.js",)


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
    return figure(
        "growing_network",
        data,
        f"<table>{rows}</table>",
        guess=_one_block_more(name, table),
        scripts=SCRIPTS,
    )


def _one_block_more(name: str, table: LayerTable) -> dict:
    """What does a value see behind one more block of the last network?"""
    last = [x for x in table.layers if x.kind in ("Conv2d", "MaxPool2d")][-1]
    field, jump = last.receptive_field, last.jump
    wider = field + (2 + 2 + 1) * jump
    return {
        "question": (
            f"behind its last pooling {name} sees {field} × {field} pixels. "
            "Give it one block more: two convolutions of 3 × 3, then a "
            "pooling of 2 × 2. How many pixels wide is the square now?"
        ),
        "answer": wider,
        "unit": "pixels",
        "explain": (
            f"Neighbours are {jump} pixels apart there. Each convolution "
            f"adds 2 · {jump}, the pooling {jump}: {field} + 5 · {jump} = "
            f"{wider}."
        ),
    }
