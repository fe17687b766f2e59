"""The kernel lab: convolve a picture with a kernel that the reader edits."""

from html import escape

import torch
from IPython.display import HTML

from utils.figures.frame import figure

SCRIPTS = ("paint.js",)


def kernel_lab(
    pictures: dict[str, torch.Tensor], kernels: dict[str, torch.Tensor]
) -> HTML:
    """Interactive: convolve a picture with a kernel that the reader edits.

    Args:
        pictures: by name, grey squares, uint8 of shape (H, H), at least 7
            pixels wide; the first is the one that the figure starts with.
        kernels: by name, of shape (k, k) with odd k from 1 to 7, shown with
            two decimals; the first is the one that the figure starts with.

    Returns:
        The figure, shown when it is the value of a cell.

    Raises:
        ValueError: a picture or a kernel is missing or has another shape.
    """
    if not pictures or not kernels:
        raise ValueError(
            f"{len(pictures)} pictures and {len(kernels)} kernels; the lab "
            "needs one of each at least"
        )
    for name, picture in pictures.items():
        height, width = (*picture.shape, 0, 0)[:2]
        if picture.dim() != 2 or height != width or height < 7:
            raise ValueError(
                f"picture {name!r} has shape {tuple(picture.shape)}; wanted "
                "a square (H, H) of at least 7 × 7"
            )
        if picture.dtype != torch.uint8:
            raise ValueError(
                f"picture {name!r} is {picture.dtype}; wanted torch.uint8, "
                "values from 0 to 255"
            )
    for name, kernel in kernels.items():
        if tuple(kernel.shape) not in ((1, 1), (3, 3), (5, 5), (7, 7)):
            raise ValueError(
                f"kernel {name!r} has shape {tuple(kernel.shape)}; wanted "
                "1 × 1, 3 × 3, 5 × 5 or 7 × 7"
            )
        if not kernel.isfinite().all():
            raise ValueError(f"kernel {name!r} holds NaN or infinity")
    rounded = {
        name: kernel.detach().cpu().double().mul(100).round().div(100)
        for name, kernel in kernels.items()
    }
    data = {
        "pictures": [
            {"name": name, "pixels": picture.tolist()}
            for name, picture in pictures.items()
        ],
        "kernels": [
            {"name": name, "weights": kernel.tolist()}
            for name, kernel in rounded.items()
        ],
    }
    names = ", ".join(kernels)
    fallback = (
        f"<p>Here you convolve {len(pictures)} pictures with {len(kernels)} "
        f"kernels ({escape(names)}) or with one of your own.</p>"
    )
    guess = _even_patch(*next(iter(rounded.items())))
    return figure("kernel_lab", data, fallback, guess=guess, scripts=SCRIPTS)


def _even_patch(name: str, kernel: torch.Tensor) -> dict:
    """What does the first kernel answer where the picture is even?"""
    grey = 0.5
    total = round(kernel.sum().item(), 4)
    explain = (
        f"Its weights add up to {total:g}, and {total:g} × {grey} = "
        f"{grey * total:g}."
    )
    if total == 0:
        explain += (
            " On an even ground it stays silent, however bright that is; it "
            "answers to changes only."
        )
    return {
        "question": (
            f"somewhere the picture is even, every pixel {grey}. What does "
            f"the kernel “{name}” answer there?"
        ),
        "answer": grey * total,
        "tolerance": 0.005,
        "explain": explain.replace("-", "−"),
    }
