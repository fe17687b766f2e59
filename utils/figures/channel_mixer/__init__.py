"""The channel mixer: convolutions of 1 × 1 on a picture, weight by weight."""

from html import escape
from itertools import combinations

import torch
from IPython.display import HTML

from utils.figures.frame import figure

SCRIPTS = ("paint.js",)
LARGEST = 64  # pixels a side; the figure carries every picture as text


def channel_mixer(
    pictures: dict[str, torch.Tensor],
    paints: dict[str, tuple[float, float, float]],
    target: str,
) -> HTML:
    """Interactive: mix the channels of a picture by 1 × 1 convolutions.

    The reader sets the weights of one mix, or of three hidden mixes with
    ReLU and a mix of them, and sees the map that comes out and the answer to
    each paint: is it largest on the target?

    Args:
        pictures: by name, uint8 (3, H, W), at most 64 pixels a side; the
            first is the one that the figure starts with.
        paints: by name, colours (red, green, blue) from 0 to 1.
        target: the paint to be singled out; it lies half way between two of
            the others.

    Returns:
        The figure, shown when it is the value of a cell.

    Raises:
        ValueError: a picture has another shape, or the target does not lie
            half way between two other paints.
    """
    if not pictures:
        raise ValueError("the channel mixer needs at least one picture")
    for name, picture in pictures.items():
        shape = tuple(picture.shape)
        if (
            picture.dtype != torch.uint8
            or len(shape) != 3
            or shape[0] != 3
            or not 1 <= min(shape[1:]) <= max(shape[1:]) <= LARGEST
        ):
            raise ValueError(
                f"picture {name!r} is {picture.dtype} {shape}; wanted "
                f"torch.uint8 (3, H, W), at most {LARGEST} pixels a side"
            )
    one, other = _ends(paints, target)
    data = {
        "pictures": [
            {"name": name, "pixels": picture.permute(1, 2, 0).tolist()}
            for name, picture in pictures.items()
        ],
        "paints": [
            {"name": name, "rgb": list(rgb)} for name, rgb in paints.items()
        ],
        "target": target,
    }
    guess = {
        "question": (
            f"one mix of the channels answers 0.8 to {one} and 0.2 to "
            f"{other}. What does it answer to {target}, which lies half way "
            "between them?"
        ),
        "answer": 0.5,
        "tolerance": 0.005,
        "explain": (
            "Half way as well, as for every weighted sum. So it is never "
            "larger than both."
        ),
    }
    fallback = (
        f"<p>Here you mix the channels of {len(pictures)} pictures, weight "
        f"by weight, and try to single out one paint, {escape(target)}, "
        f"among {escape(', '.join(paints))}.</p>"
    )
    return figure(
        "channel_mixer", data, fallback, guess=guess, scripts=SCRIPTS
    )


def _ends(paints: dict, target: str) -> tuple[str, str]:
    """Two paints between which the target lies half way."""
    others = [name for name in paints if name != target]
    for one, other in combinations(others, 2):
        pairs = zip(paints[one], paints[other], strict=True)
        middle = [(a + b) / 2 for a, b in pairs]
        known = paints.get(target, ())
        if len(known) == 3 and all(
            abs(a - b) < 1e-6 for a, b in zip(middle, known, strict=True)
        ):
            return one, other
    raise ValueError(
        f"{target!r} does not lie half way between two other paints of "
        f"{', '.join(paints) or 'none'}"
    )
