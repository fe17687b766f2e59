"""The Inception builder: a block by its six numbers, under a budget."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML

from utils.figures.frame import figure

SCRIPTS = ("numbers.js",)
NUMBERS = 6  # 1 × 1, reduction and 3 × 3, reduction and 5 × 5, projection


def inception_builder(
    blocks: Mapping[str, Sequence[int]],
    *,
    inputs: int = 192,
    side: int = 28,
    field: int = 27,
    jump: int = 8,
    pooled: Sequence[str] = ("3b", "4e"),
) -> HTML:
    """The interactive figure that prices an Inception block.

    The reader chooses one of the blocks and sets its widths; the budget is
    what the block costs as it is given here.

    Args:
        blocks: by name, in order: the maps of the 1 × 1 branch, of the
            reduction and the 3 × 3, of the reduction and the 5 × 5, and of
            the projection. A reduction of 0 is none.
        inputs, side: channels and side of what the first block reads.
        field, jump: the receptive field of one value there, and how many
            pixels two neighbouring places are apart.
        pooled: behind these blocks a 3 × 3 pooling halves the side.

    Raises:
        ValueError: a block has not six whole numbers, or no outputs.
    """
    stages = {}
    for name, widths in blocks.items():
        widths = list(widths)
        whole = all(type(w) is int and w >= 0 for w in widths)
        if len(widths) != NUMBERS or not whole:
            raise ValueError(
                f"block {name!r} is {widths}; wanted six whole numbers from "
                "0 on: 1 × 1, reduction, 3 × 3, reduction, 5 × 5, projection"
            )
        one, _, three, _, five, pool = widths
        outputs = one + three + five + pool
        if outputs == 0:
            raise ValueError(f"block {name!r} makes no maps: {widths}")
        stages[name] = {
            "inputs": inputs,
            "side": side,
            "field": field,
            "jump": jump,
            "widths": widths,
        }
        # The largest field that a block hands on, and what pooling adds.
        field += 4 * jump if five else 2 * jump if three or pool else 0
        inputs = outputs
        if name in pooled:
            field, jump, side = field + 2 * jump, 2 * jump, (side + 1) // 2
    rows = "".join(
        f"<tr><th>{name}</th><td>reads {s['inputs']} channels</td>"
        f"<td>widths {', '.join(map(str, s['widths']))}</td></tr>"
        for name, s in stages.items()
    )
    return figure(
        "inception_builder",
        {"stages": stages},
        f"<table>{rows}</table>",
        guess=_twice_the_five(*next(iter(stages.items()))),
        scripts=SCRIPTS,
    )


def _twice_the_five(name: str, stage: dict) -> dict:
    """By how much does the work of a block grow with twice the 5 × 5?"""
    one, reduce3, three, reduce5, five, pool = stage["widths"]
    c = stage["inputs"]
    work = c * (one + pool)
    for fewer, outputs, places in ((reduce3, three, 9), (reduce5, five, 25)):
        read, first = (fewer, c * fewer) if fewer else (c, 0)
        work += first + places * read * outputs
    more = 25 * (reduce5 or c) * five
    return {
        "question": (
            f"in block {name} the 5 × 5 makes {five} maps. Give it "
            f"{2 * five}, and leave its reduction at {reduce5}. By how many "
            "per cent does the work of the block grow?"
        ),
        "answer": round(100 * more / work, 1),
        "unit": "%",
        "tolerance": 2,
        "explain": (
            f"The kernel reads the {reduce5} maps of its reduction, not the "
            f"{c} of the block. Once it is reduced, more of it is cheap."
        ),
    }
