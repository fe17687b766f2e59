"""The growing block: a dense block, layer by layer, and what it costs."""

from IPython.display import HTML

from utils.figures.frame import figure

SCRIPTS = ("numbers.js",)


def growing_block(layers: int = 6, growth: int = 12, side: int = 32) -> HTML:
    """The interactive figure that grows a dense block.

    The reader sets its layers, its growth rate, whether it has bottlenecks,
    and the compression behind it. Beside it stands a residual block of the
    same depth and of about as many parameters.

    Args:
        layers: how many it begins with, from 1 to 32.
        growth: of how many maps each, from 2 to 64.
        side: of the maps, in pixels.

    Raises:
        ValueError: an argument is out of its range.
    """
    for name, value, most in (
        ("layers", layers, 32),
        ("growth", growth, 64),
        ("side", side, 224),
    ):
        least = 2 if name == "growth" else 1
        if type(value) is not int or not least <= value <= most:
            raise ValueError(
                f"{name}={value!r}; wanted a whole number from {least} to "
                f"{most}"
            )
    first = 2 * growth
    rows = "".join(
        f"<tr><th>layer {i + 1}</th><td>reads {first + i * growth} channels"
        f"</td><td>writes {growth}</td></tr>"
        for i in range(layers)
    )
    return figure(
        "growing_block",
        {"layers": layers, "growth": growth, "side": side},
        f"<table>{rows}</table>",
        guess=_twice_as_deep(layers, growth),
        scripts=SCRIPTS,
    )


def _twice_as_deep(layers: int, growth: int) -> dict:
    """How much more does the backward pass keep at twice the depth?"""

    def straight(count: int) -> int:
        return count * (2 * 2 * growth + 8 * growth)

    def bent(count: int) -> int:
        return growth * count * (count - 1)

    now = straight(layers) + bent(layers)
    then = straight(2 * layers) + bent(2 * layers)
    return {
        "question": (
            f"a block of {layers} layers with bottlenecks begins with "
            f"{2 * growth} channels and grows by {growth}. For its backward "
            f"pass {now:,} maps are kept. How many times as many with "
            f"{2 * layers} layers?"
        ),
        "answer": round(then / now, 1),
        "tolerance": 0.1,
        "explain": (
            f"By (7.4) it is {then:,}. The straight part has doubled, from "
            f"{straight(layers):,} to {straight(2 * layers):,}; the quadratic "
            f"one went from {bent(layers):,} to {bent(2 * layers):,}. The "
            "deeper the block, the more the second one counts."
        ),
    }
