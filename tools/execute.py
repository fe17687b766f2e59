"""Execute chapters in place and store their outputs.

    python tools/execute.py                          all chapters
    python tools/execute.py chapters/02_alexnet.ipynb
    python tools/execute.py --check                  only look at the stamps

A chapter is written only when every cell of it ran and its outputs are fit to
be read by others. It is stamped with the hash of its code, so that a test can
tell when the code was edited afterwards. BOOK_SCALE sets the scale, as
everywhere; see utils/scale.py.
"""

import argparse
import base64
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

from tools import chapter_rules
from utils.scale import current_scale

CELL_TIMEOUT = 1800  # seconds; a chapter at full scale may train for long
SLOWEST = 5


class Unfit(Exception):
    """A chapter that was executed and must not be stored."""


def execute(path: Path) -> list[tuple[float, str]]:
    """Execute one chapter and write it back with outputs and stamp.

    Args:
        path: the notebook; its folder is the working directory.

    Returns:
        Seconds and first line of every code cell, slowest first.

    Raises:
        CellControlSignal: a cell failed or took too long.
        DeadKernelError: the kernel died.
        Unfit: an output holds stderr, a local path or the like.

    Whatever is raised, the file is left as it was.
    """
    scale = current_scale()
    notebook = nbformat.read(path, as_version=4)
    seconds = _run(notebook, path.parent)
    notebook.metadata["kernelspec"] = chapter_rules.KERNEL
    notebook.metadata["language_info"] = chapter_rules.LANGUAGE
    notebook.metadata["book"] = {
        "code_hash": chapter_rules.code_hash(notebook),
        "scale": scale,
    }
    if found := chapter_rules.has_clean_outputs(notebook):
        raise Unfit("\n".join(found))
    pack_pictures(notebook)
    _write(notebook, path)
    return seconds


def _run(notebook: NotebookNode, folder: Path) -> list[tuple[float, str]]:
    """Execute the cells in a new kernel; outputs land in the notebook."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,  # time stamps would change in every run
        resources={"metadata": {"path": str(folder)}},
    )
    seconds = []
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
            first_line = cell.source.split("\n")[0]
            seconds.append((time.perf_counter() - start, first_line))
    return sorted(seconds, reverse=True)


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


def main(arguments: list[str] | None = None) -> int:
    """Execute or check chapters; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="only compare the stamps"
    )
    options = parser.parse_args(arguments)
    chapters = options.chapters or sorted((ROOT / "chapters").glob("*.ipynb"))
    if not chapters:
        sys.exit("There is no chapter in chapters/.")
    failed = 0
    for path in chapters:
        print(path.name, flush=True)
        if options.check:
            notebook = nbformat.read(path, as_version=4)
            found = chapter_rules.has_current_stamp(notebook)
            failed += len(found)
            print("\n".join(found) or "  the outputs belong to the code")
            continue
        try:
            seconds = execute(path)
        except (CellControlSignal, DeadKernelError, Unfit) as error:
            failed += 1
            print(f"{error}\nNot written: {path}", file=sys.stderr)
            continue
        print(f"  {sum(s for s, _ in seconds):6.1f} s at {current_scale()}")
        for spent, line in seconds[:SLOWEST]:
            print(f"  {spent:6.1f} s {line}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
