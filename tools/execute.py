"""Execute chapters in place and store their outputs.

    python tools/execute.py                          all chapters
    python tools/execute.py chapters/02_alexnet.ipynb
    python tools/execute.py --check                  only look at the stamps
    python tools/execute.py --times                  only measure the times

A chapter is written only when every cell of it ran and its outputs are fit to
be read by others. It is stamped with the hash of its code, so that a test can
tell when the code was edited afterwards. The seconds of its cells go into the
table of times at its head; see tools/times.py. With --times, and where
AVX2 is emulated, nothing else is stored. BOOK_SCALE sets the scale, as
everywhere; see utils/scale.py.
"""

import argparse
import base64
import copy
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import chapter_rules, times
from utils.machine import kind_of_machine
from utils.scale import current_scale

CELL_TIMEOUT = 1800  # seconds; a chapter at full scale may train for long
SLOWEST = 5


class Unfit(Exception):
    """A chapter that was executed and must not be stored."""


def execute(
    path: Path, *, only_times: bool = False
) -> list[tuple[float, str]]:
    """Execute one chapter; write it back with outputs, stamp and times.

    Args:
        path: the notebook; its folder is the working directory.
        only_times: store nothing but the times of the cells.

    Returns:
        Seconds and first line of every code cell, slowest first.

    Raises:
        CellControlSignal: a cell failed or took too long.
        DeadKernelError: the kernel died.
        Unfit: it is no notebook, an output holds stderr, a local path or
            the like, or only times are wanted and the code was edited or
            the machine is busy.

    Whatever is raised, the file is left as it was.
    """
    scale = current_scale()
    notebook = read(path)
    if only_times and (found := chapter_rules.has_current_stamp(notebook)):
        raise Unfit("\n".join(found))
    kind = kind_of_machine()
    try:
        about = times.about_machine() if kind else {}
    except ValueError as error:
        raise Unfit(str(error)) from error
    executed = copy.deepcopy(notebook) if only_times else notebook
    seconds = _run(executed, path.parent)
    if not only_times:
        notebook.metadata["kernelspec"] = chapter_rules.KERNEL
        notebook.metadata["language_info"] = chapter_rules.LANGUAGE
        notebook.metadata.setdefault("book", NotebookNode()).update(
            code_hash=chapter_rules.code_hash(notebook), scale=scale
        )
        if found := chapter_rules.has_clean_outputs(notebook):
            raise Unfit("\n".join(found))
        pack_pictures(notebook)
    if kind:
        times.store(notebook, kind, about, seconds)
    times.write_table(notebook)
    _write(notebook, path)
    first_lines = {
        cell.id: cell.source.split("\n")[0] for cell in notebook.cells
    }
    return sorted(
        ((spent, first_lines[cell]) for cell, spent in seconds.items()),
        reverse=True,
    )


def read(path: Path) -> NotebookNode:
    """Read a notebook, or raise `Unfit` with what is there instead."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        known = ", ".join(p.name for p in known_chapters())
        raise Unfit(f"There is no {path}; the chapters are {known}") from None
    except Exception as error:  # of many kinds, by what the file holds
        raise Unfit(f"{path} cannot be read as a notebook: {error}") from error


def known_chapters() -> list[Path]:
    return sorted((ROOT / "chapters").glob("*.ipynb"))


def _run(notebook: NotebookNode, folder: Path) -> dict[str, float]:
    """Execute the cells in a new kernel; outputs land in the notebook.

    Returns:
        Seconds of every code cell, by its id.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,  # time stamps would change in every run
        resources={"metadata": {"path": str(folder)}},
    )
    seconds = {}
    # Progress bars go to stderr, and stderr is not stored: tqdm 4.66 and
    # newer are silent when they find this variable.
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    with client.setup_kernel(env=environment):
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            cell.metadata.pop("execution", None)
            start = time.perf_counter()
            client.execute_cell(cell, number)
            seconds[cell.id] = time.perf_counter() - start
    return seconds


def pack_pictures(notebook: NotebookNode) -> None:
    """Store each PNG anew without an unused alpha channel, packed tightly.

    The pixels of a photograph stay the same; an eighth of the bytes goes. A
    chart gets a palette of 256 colours, more than it needs, and is a third
    of its size then.
    """
    for cell in notebook.cells:
        image = cell.metadata.get("mystnb", {}).get("image", {})
        is_chart = "chart" in image.get("classes", "")
        for output in cell.get("outputs", []):
            if "image/png" not in output.get("data", {}):
                continue
            stored = base64.b64decode(output.data["image/png"])
            picture = Image.open(io.BytesIO(stored))
            if (
                picture.mode == "RGBA"
                and picture.getextrema()[3] == (255,) * 2
            ):
                picture = picture.convert("RGB")
            if is_chart and picture.mode == "RGB":
                picture = picture.quantize(256, dither=Image.Dither.NONE)
            packed = io.BytesIO()
            picture.save(packed, "PNG", optimize=True)
            if len(packed.getvalue()) < len(stored):
                text = base64.b64encode(packed.getvalue()).decode("ascii")
                output.data["image/png"] = text


def _write(notebook: NotebookNode, path: Path) -> None:
    """Replace the file in one step, so that no half chapter can be left."""
    new = path.with_suffix(".new")
    nbformat.write(notebook, new)
    new.replace(path)


def check(path: Path) -> int:
    """Compare the stamp; return how much is wrong with it."""
    found = chapter_rules.has_current_stamp(read(path))
    print("\n".join(found) or "  the outputs belong to the code")
    return len(found)


def print_slowest(seconds: list[tuple[float, str]]) -> None:
    print(f"  {sum(s for s, _ in seconds):6.1f} s at {current_scale()}")
    for spent, line in seconds[:SLOWEST]:
        print(f"  {spent:6.1f} s {line}")


def main(arguments: list[str] | None = None) -> int:
    """Execute or check chapters; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="only compare the stamps"
    )
    parser.add_argument(
        "--times",
        action="store_true",
        help="only store the times, for this kind of machine",
    )
    options = parser.parse_args(arguments)
    chapters = options.chapters or known_chapters()
    if not chapters:
        sys.exit("There is no chapter in chapters/.")
    try:
        only_times = not options.check and (
            options.times or times.is_emulated()
        )
    except ValueError as error:
        sys.exit(str(error))
    if only_times and not kind_of_machine():
        sys.exit(
            f"At the scale {current_scale()} this machine has no column in "
            "the tables of times: unset BOOK_SCALE, on a processor with AVX2 "
            "or a GPU"
        )
    failed = 0
    for path in chapters:
        print(path.name, flush=True)
        try:
            if options.check:
                failed += check(path)
            else:
                print_slowest(execute(path, only_times=only_times))
        except (CellControlSignal, DeadKernelError, Unfit) as error:
            failed += 1
            print(f"{error}\nNot written: {path}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
