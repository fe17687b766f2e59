"""The book's one dial: how much work a cell does.

The environment variable BOOK_SCALE is `smoke`, `laptop` or `full`. When it is
not set, the scale is `full` on a machine with a GPU and `laptop` without.
"""

import os

import torch

SCALES = ("smoke", "laptop", "full")


def current_scale() -> str:
    """Return "smoke", "laptop" or "full".

    Raises:
        ValueError: BOOK_SCALE is set to anything else.
    """
    name = os.environ.get("BOOK_SCALE", "")
    if not name:
        return "full" if torch.cuda.is_available() else "laptop"
    if name not in SCALES:
        raise ValueError(
            f"BOOK_SCALE={name!r} is not a scale; set it to one of "
            f"{', '.join(SCALES)}, or unset it"
        )
    return name


def scale(*, smoke, laptop, full):
    """Choose the value that belongs to the current scale.

    Args:
        smoke: seconds of work on the shipped sample; what the tests run.
        laptop: for two CPU cores; still learns something worth seeing.
        full: the real experiment, for a GPU.

    Returns:
        One of the three arguments, unchanged.
    """
    return {"smoke": smoke, "laptop": laptop, "full": full}[current_scale()]
