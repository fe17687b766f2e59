"""The class maps of a network that ends in a global average."""

import base64
from collections.abc import Sequence
from html import escape

import torch
from IPython.display import HTML

from utils.data import Split
from utils.figures.frame import figure

SCRIPTS = ("paint.js",)
LARGEST = 64  # pixels a side; the figure carries every picture as text


def class_map_viewer(
    pictures: Split,
    maps: torch.Tensor,
    class_names: Sequence[str],
    *,
    guess: dict | None = None,
) -> HTML:
    """Interactive: each class's map over a picture, and their averages.

    The reader chooses a picture and a class, sees which places speak for the
    class, and can send the maps through a ReLU before they are averaged.

    Args:
        pictures: images (N, 1 or 3, H, W), at most 64 pixels a side, with
            their labels; a dozen is enough.
        maps: what the network's global average gets for them, of shape
            (N, classes, h, w); shown with two decimals.
        class_names: one a class.
        guess: a question to answer first, as `utils.figures.frame.figure`
            takes it.

    Returns:
        The figure, shown when it is the value of a cell.

    Raises:
        ValueError: the arguments do not fit each other.
    """
    count, channels, height, width = pictures.images.shape
    if channels not in (1, 3) or not 1 <= max(height, width) <= LARGEST:
        raise ValueError(
            f"the pictures are {tuple(pictures.images.shape)}; wanted "
            f"(N, 1 or 3, H, W), at most {LARGEST} pixels a side"
        )
    if maps.dim() != 4 or maps.shape[:2] != (count, len(class_names)):
        raise ValueError(
            f"the maps are {tuple(maps.shape)}; for {count} pictures and "
            f"{len(class_names)} class names wanted ({count}, "
            f"{len(class_names)}, h, w)"
        )
    if not count or not maps.isfinite().all():
        raise ValueError("there is no picture, or a map holds NaN or infinity")
    rounded = maps.detach().cpu().double().mul(100).round().div(100)
    colours = pictures.images.cpu().expand(-1, 3, -1, -1)
    data = {
        "pictures": [
            {
                "label": label,
                "pixels": _as_text(colours[i]),
                "maps": rounded[i].tolist(),
            }
            for i, label in enumerate(pictures.labels.tolist())
        ],
        "names": list(class_names),
        "size": [height, width],
    }
    fallback = (
        f"<p>Here you see, over {count} pictures, the class maps of a "
        f"network that tells apart: {escape(', '.join(class_names))}.</p>"
    )
    return figure(
        "class_map_viewer", data, fallback, guess=guess, scripts=SCRIPTS
    )


def _as_text(image: torch.Tensor) -> str:
    """The bytes of an image (3, H, W), pixel by pixel, in base64."""
    content = image.permute(1, 2, 0).contiguous().numpy().tobytes()
    return base64.b64encode(content).decode("ascii")
