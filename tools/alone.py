"""Execute chapters as a reader does who has nothing but the notebook.

    python tools/alone.py                            all chapters
    python tools/alone.py chapters/02_alexnet.ipynb
    python tools/alone.py --record                   and note it for the pages

A chapter is put into an empty folder and executed there, twice in one kernel:
whoever runs all cells again must not fail over what the first time has left.
Its set-up cell fetches the book from a git repository of this working tree.
Facts must come out as the chapter has them stored, and nothing on stderr.

The Python is the one that runs this, and it may be another than .venv's: it
needs what Colab has, nbclient and nbformat included. BOOK_SCALE is `smoke`
unless it is set. With --record a chapter that passed is noted in
results/verified.json, with the date, the versions and the hash of its code.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode, v4

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.release import edition_of
from utils.chapters import code_hash

RECORD = ROOT / "results/verified.json"
# What a chapter needs of the book; in tools it looks for the edition.
FETCHED = ("utils", "chapters", "results", "tools")
TIMEOUT = 900  # seconds of a cell
FACT = "nbval-check-output"
WHERE = """import json, platform, IPython, numpy, torch, torchvision
from utils.machine import default_device
from utils.scale import current_scale
print(json.dumps({
    "scale": current_scale(), "device": default_device(),
    "versions": {"Python": platform.python_version()} | {
        name: module.__version__ for name, module in [
            ("PyTorch", torch), ("torchvision", torchvision),
            ("NumPy", numpy), ("IPython", IPython)]}}))"""


class Failed(Exception):
    """A chapter that does not stand alone; the message says why."""


def repository(folder: Path) -> str:
    """Make a git repository of the book as it stands; return its address."""
    work = folder / "book"
    for name in FETCHED:
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.new")
        shutil.copytree(ROOT / name, work / name, ignore=ignored)
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    commands = [["init", "-q"], ["add", "."], ["commit", "-qm", "Book"]]
    if edition := edition_of(work):
        commands.append(["tag", edition])
    for command in commands:
        subprocess.run(["git", *who, *command], cwd=work, check=True)
    return work.as_uri()


def execute(
    notebook: NotebookNode,
    folder: Path,
    url: str,
    turns: tuple[str, ...] = ("first", "second"),
) -> dict:
    """Execute a chapter in a folder, twice in one kernel.

    Args:
        notebook: the chapter; its outputs are replaced.
        folder: where it runs.
        url: the repository from which its set-up cell fetches the book.
        turns: what each time is called that it runs.

    Returns:
        What is noted of it: hash of the code, date, scale, device, versions.

    Raises:
        Failed: a cell does, or says something else than it should.
    """
    stored = [shown(cell) for cell in notebook.cells]
    settings = {"BOOK_SCALE": "smoke", **os.environ, "BOOK_REPO_URL": url}
    # As in tools/execute.py: bars go to stderr.
    settings["TQDM_DISABLE"] = "1"
    for name in ("PYTHONPATH", "BOOK_DATA"):
        settings.pop(name, None)
    probe = v4.new_code_cell(WHERE)
    client = NotebookClient(
        v4.new_notebook(cells=[*notebook.cells, probe]),
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    cells = [*enumerate(notebook.cells)]
    try:
        with client.setup_kernel(env=settings):
            for turn in turns:
                for number, cell in cells:
                    if cell.cell_type == "code":
                        client.execute_cell(cell, number)
                        check(cell, stored[number], f"{turn} time")
            client.execute_cell(probe, len(cells))
    except (CellControlSignal, DeadKernelError) as error:
        raise Failed(str(error)) from error
    return {
        "code_hash": code_hash(notebook),
        "date": datetime.date.today().isoformat(),
        **json.loads(shown(probe)),
    }


def check(cell: NotebookNode, stored: str, when: str) -> None:
    """Raise `Failed` if a cell complains, or if its facts are others."""
    where = f"{cell.source[:60]!r}, the {when}"
    for output in cell.outputs:
        if output.get("name") == "stderr":
            raise Failed(f"{where}: on stderr: {output.text}")
    if FACT in cell.metadata.get("tags", []) and shown(cell) != stored:
        raise Failed(f"{where}: says\n{shown(cell)}\nand not\n{stored}")


def shown(cell: NotebookNode) -> str:
    """The text that a cell shows."""
    return "".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
    )


def note(chapter: str, about: dict, record: Path = RECORD) -> None:
    """Put what is noted of one chapter beside that of the others."""
    known = json.loads(record.read_text("utf-8")) if record.exists() else {}
    known[chapter] = about
    text = json.dumps(dict(sorted(known.items())), indent=1)
    record.write_text(text + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Execute chapters; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--record", action="store_true", help="note them")
    options = parser.parse_args(arguments)
    chapters = options.chapters or sorted(ROOT.glob("chapters/*.ipynb"))
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        url = repository(Path(temporary))
        for path in chapters:
            folder = Path(temporary, path.stem)
            folder.mkdir()
            start = time.perf_counter()
            try:
                about = execute(nbformat.read(path, 4), folder, url)
                if options.record:
                    note(path.stem, about)
                result = f"passed twice: {json.dumps(about['versions'])}"
            except Failed as error:
                failed += 1
                result = f"FAILED: {error}"
            spent = time.perf_counter() - start
            print(f"{path.stem}: {spent:.0f} s, {result}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
