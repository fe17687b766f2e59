"""The network viewer: a trained network runs in the page, and is looked into.

The reader may bring a picture, and a network that `utils.network_file.save`
has written.
"""

import base64
import gzip
import io
from collections.abc import Sequence
from html import escape

import torch
from IPython.display import HTML
from PIL import Image
from torch import nn

from utils.data import Split
from utils.figures.frame import figure
from utils.network_file import to_bytes

MODES = ("layers", "where", "blocks")
SCRIPTS = ("network.js", "paint.js") + tuple(
    f"network_viewer/{name}.js" for name in ("files", "panels")
)


def network_viewer(
    network: nn.Module | bytes,
    pictures: Split,
    class_names: Sequence[str],
    *,
    mode: str = "layers",
    accuracy: float | None = None,
    guess: dict | None = None,
) -> HTML:
    """Interactive: a network runs in the page, and shows what it sees.

    The reader chooses a picture and sees the probabilities, the maps of any
    layer, where in the picture the network looks, and, if the network adds
    the output of layers to their input, these residual blocks as switches.

    Args:
        network: takes normalised images and returns logits, of shapes
            (N, C, H, H) and (N, classes); its weights are rounded to 6 bits
            for the page. Or the content of a file that
            `utils.network_file.save` has written, which is taken as it is.
        pictures: images (N, C, H, H) with their labels, and the mean and
            deviation that the network's inputs are normalised with. A dozen
            is enough.
        class_names: one a class.
        mode: what is shown first, "layers", "where" or "blocks".
        accuracy: on the test set, between 0 and 1, if the page should tell.
        guess: a question to answer first, as `utils.figures.frame.figure`
            takes it.

    Returns:
        The figure, shown when it is the value of a cell.

    Raises:
        ValueError: an argument does not fit the others, or the network does
            something that a page cannot do.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}; wanted one of {', '.join(MODES)}")
    count, channels, height, width = pictures.images.shape
    if height != width or channels not in (1, 3) or not count:
        raise ValueError(
            f"the pictures are {tuple(pictures.images.shape)}; wanted "
            "(N, 1, H, H) or (N, 3, H, H) with at least one"
        )
    known = range(len(class_names))
    labels = pictures.labels.tolist()
    if not set(known).issuperset(labels):
        raise ValueError(
            f"the labels are {labels}; wanted numbers from 0 to "
            f"{len(class_names) - 1}, since there are {len(class_names)} "
            "class names"
        )
    if isinstance(network, nn.Module):
        network = to_bytes(
            network,
            input_shape=(channels, height, width),
            mean=pictures.mean,
            std=pictures.std,
            class_names=class_names,
            weights="int6",
            accuracy=accuracy,
        )
    data = {
        "mode": mode,
        "names": list(class_names),
        "labels": labels,
        "shape": [channels, height],
        "pictures": _one_below_the_other(pictures.images),
    }
    fallback = (
        "<p>Here a network runs on your device. You choose one of "
        f"{count} pictures, or one of your own, and see what the network says "
        "to it, which maps its layers compute and where it looks. It tells "
        f"apart: {escape(', '.join(class_names))}.</p>"
    )
    return figure(
        "network_viewer",
        data,
        fallback,
        guess=guess,
        scripts=SCRIPTS,
        # Without a time stamp, so that equal networks give equal HTML.
        network=gzip.compress(network, mtime=0),
    )


def _one_below_the_other(images: torch.Tensor) -> str:
    """Images uint8 (N, C, H, H) as one picture, in a data address."""
    high = images.cpu().permute(0, 2, 3, 1).flatten(0, 1).squeeze(-1)
    file = io.BytesIO()
    Image.fromarray(high.numpy()).save(file, "WEBP", lossless=True)
    content = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{content}"
