"""The reuse map: which source each reader of a dense block depends on."""

from collections.abc import Sequence

from IPython.display import HTML

from utils.figures.frame import figure

KINDS = ("weight", "signal", "cut")


def reuse_map(wires: Sequence[dict]) -> HTML:
    """The interactive figure that shows the wires of dense blocks.

    Args:
        wires: each a dict with "block" and "reader", counted from 1,
            "source", 0 for the block's input, and the numbers "weight",
            "signal" and "cut". Reader r has the sources 0 to r - 1; the last
            reader of a block is its exit.

    Raises:
        ValueError: a block lacks a wire or has one twice.
    """
    blocks = []
    for number in sorted({wire["block"] for wire in wires}):
        own = [wire for wire in wires if wire["block"] == number]
        last = max(wire["reader"] for wire in own)
        known = {(wire["reader"], wire["source"]): wire for wire in own}
        wanted = {(r, s) for r in range(1, last + 1) for s in range(r)}
        if set(known) != wanted or len(own) != len(wanted):
            raise ValueError(
                f"block {number} has {len(own)} wires; its {last} readers "
                f"have {len(wanted)}, each of them once"
            )
        blocks.append(
            [
                [
                    [round(known[r, s][kind], 5) for kind in KINDS]
                    for s in range(r)
                ]
                for r in range(1, last + 1)
            ]
        )
    if not blocks:
        raise ValueError("no wires; wanted those of at least one block")
    rows = "".join(
        f"<tr><th>block {number}, exit</th>"
        + "".join(f"<td>{cut:.3f}</td>" for _, _, cut in block[-1])
        + "</tr>"
        for number, block in enumerate(blocks, start=1)
    )
    return figure(
        "reuse_map",
        {"blocks": blocks, "kinds": KINDS},
        f"<p>Loss added by cutting the exit from each source:</p>"
        f"<table>{rows}</table>",
    )
