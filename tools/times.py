"""The table of times at the head of a chapter: measured, never typed.

`make execute` stores the seconds of every code cell in the notebook, in
metadata.book.times, under the kind of machine that ran it, and writes the
table between two marks of one of the first cells:

    <!-- times -->
    <!-- /times -->

The columns of other kinds stay, with their dates, until they are measured
again. metadata.book.gpu_minutes may hold an estimate for a free Colab GPU.
"""

import datetime
import os
import re
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import torch
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.chapter_rules import MARKDOWN
from utils.machine import (
    KINDS,
    default_device,
    duration,
    origin,
    whole_time,
)
from utils.scale import current_scale
from utils.training import hardware

# Together they make a faster processor work like one that has only AVX2.
EMULATION = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
ORDINARY = 100  # GFLOP/s of an ordinary AVX2 machine's matrix product
SIDE = 2048  # of the matrices
LONG = 30  # seconds; a cell that takes longer may get a row
ROWS = 4  # of long cells, at most
HEAD = 5  # cells, among which the table stands
BEGIN, END = "<!-- times -->", "<!-- /times -->"
BLOCK = re.compile(f"{BEGIN}(.*?){END}", re.DOTALL)
TYPED = re.compile(
    r"(?:[\d½¼¾]|\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"few|half|several))[\s-](?:s|seconds?|min|minutes?|h|hours?)\b"
)


# Measuring


def is_emulated() -> bool:
    """Whether this processor is kept from using more than AVX2.

    Raises:
        ValueError: only some of the variables that do it are set.
    """
    given = {name: os.environ.get(name, "") for name in EMULATION}
    if not any(given.values()):
        return False
    if given != EMULATION:
        raise ValueError(
            f"{given} is neither this processor as it is nor one with AVX2 "
            "only: set all of them, as `make execute AVX2=1` does, or none"
        )
    # What is asked of the processor itself does not heed the variables.
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(able.get("avx512_f"))


def about_machine() -> dict:
    """What a column says about the machine; to be called before each run.

    The speed of a shared machine changes, and `factor` is made from it: the
    seconds of an emulated machine, times `factor`, are an ordinary one's.

    Raises:
        ValueError: an emulated machine is slower than an ordinary one.
    """
    device = default_device()
    speed, emulated = matrix_product(device), is_emulated()
    if emulated and speed < ORDINARY:
        raise ValueError(
            f"a matrix product reaches {speed:.0f} GFLOP/s and must reach "
            f"{ORDINARY} for times that can be scaled: something else is "
            "running, wait for its end and measure again"
        )
    return {
        **hardware(torch.device(device)),
        "date": datetime.date.today().isoformat(),
        "torch": str(torch.__version__),
        "scale": current_scale(),
        "gflops": round(speed, 1),
        "emulated": emulated,
        "factor": round(speed / ORDINARY, 3) if emulated else 1.0,
    }


def matrix_product(device: str) -> float:
    """GFLOP/s of a float32 matrix product, the best of nine."""
    matrix = torch.rand(SIDE, SIDE, device=device)
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # which waits for a GPU
        seconds.append(time.perf_counter() - start)
    return 2e-9 * SIDE**3 / min(seconds)


def store(
    notebook: NotebookNode, kind: str, about: dict, seconds: dict[str, float]
) -> None:
    """Put measured times into the metadata of a stamped notebook.

    Args:
        notebook: its stamp says which code the times are of.
        kind: the column, one of KINDS.
        about: what `about_machine` said.
        seconds: by the id of each code cell, as the clock said.
    """
    book = notebook.metadata["book"]
    book.setdefault("times", NotebookNode())[kind] = {
        **about,
        "code_hash": book["code_hash"],
        "seconds": {cell: round(s, 1) for cell, s in seconds.items()},
    }


def write_table(notebook: NotebookNode) -> None:
    """Write the table anew where the marks stand."""
    block = f"{BEGIN}\n\n{table(notebook)}\n\n{END}"
    for cell in notebook.cells[:HEAD]:
        if cell.cell_type == "markdown":
            cell.source = BLOCK.sub(lambda _: block, cell.source)


# The table


def table(notebook: NotebookNode) -> str:
    """The Markdown table that belongs to the notebook's metadata."""
    book = notebook.metadata.get("book", {})
    times = {kind: book.get("times", {}).get(kind) for kind in KINDS}
    estimate = book.get("gpu_minutes")
    estimate = estimate and f"about {duration(60 * estimate)}, estimated"
    heads, whole, measured = dict(KINDS), {}, {}
    for kind, column in times.items():
        if column:
            whole[kind] = duration(whole_time(column))
            measured[kind] = origin(column, book["code_hash"])
        else:
            whole[kind], measured[kind] = "not measured", "–"
    if not times["GPU"]:
        whole["GPU"] = estimate or "not measured"
    elif "T4" not in times["GPU"]["device"]:
        heads["GPU"] = "a GPU"
        if estimate:
            whole["GPU"] += f"; {estimate}, on a free Colab GPU"
    rows = [("time", heads), ("the whole chapter, default scale", whole)]
    for place, cell in _long_cells(notebook, times):
        spent = {kind: _seconds(c, cell) for kind, c in times.items()}
        rows.append((place, {k: duration(s) for k, s in spent.items()}))
    rows.append(("measured", measured))
    lines = [f"| {name} | {' | '.join(row.values())} |" for name, row in rows]
    return "\n".join([lines[0], "|---|---|---|---|", *lines[1:]])


def _seconds(column: dict | None, cell: str) -> float | None:
    """What a cell took on an ordinary machine; None if it was not there."""
    if not column or cell not in column["seconds"]:
        return None
    return column["seconds"][cell] * column["factor"]


def _long_cells(notebook: NotebookNode, times: dict) -> list[tuple[str, str]]:
    """Place and id of the longest cells, in the order of the chapter."""
    cells = _places(notebook)
    longest = {
        cell: max((_seconds(c, cell) or 0 for c in times.values()), default=0)
        for cell in cells
    }
    longest = {cell: spent for cell, spent in longest.items() if spent > LONG}
    chosen = sorted(longest, key=longest.get, reverse=True)[:ROWS]
    sections = Counter(cells[cell][0] for cell in chosen)
    return [
        (f"{place}, cell {number}" if sections[place] > 1 else place, cell)
        for cell, (place, number) in cells.items()
        if cell in chosen
    ]


def _places(notebook: NotebookNode) -> dict[str, tuple[str, int]]:
    """Of every code cell: its section or solution, and its number there."""
    found, section, number = {}, "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for token, content in pairwise(MARKDOWN.parse(cell.source)):
                if token.type == "heading_open":
                    section, number = content.content.replace("|", "\\|"), 0
        elif cell.cell_type == "code":
            number += 1
            title = re.match(r"# @title (Solution [\d.]*\d)", cell.source)
            found[cell.id] = (title[1] if title else section, number)
    return found


# The rule


def has_measured_times(notebook: NotebookNode) -> list[str]:
    """The times at the chapter's head are the measured ones, and no others."""
    head = [c.source for c in notebook.cells[:HEAD] if c.cell_type != "code"]
    blocks = BLOCK.findall("\n\n".join(head))
    rest = BLOCK.sub("", "\n\n".join(head))
    found = [
        f"typed by hand: {line.strip()!r}; times stand between {BEGIN} and "
        f"{END}, where `make execute` writes them (what is said of recorded "
        "runs may stay)"
        for line in rest.split("\n")
        if TYPED.search(line) and "recorded" not in line
    ]
    if len(blocks) != 1:
        found.append(
            f"{len(blocks)} tables of times among the first {HEAD} cells: "
            f"write {BEGIN} and {END} where the one shall stand, and "
            "`make execute`"
        )
    elif not notebook.metadata.get("book", {}).get("times"):
        found.append("its times were never measured: `make execute`")
    elif blocks[0].strip() != table(notebook):
        found.append(
            "its table of times is not what was measured, which is\n"
            + table(notebook)
        )
    return found
