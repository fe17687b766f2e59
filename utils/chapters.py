"""What the chapters define: for tools/record.py, tests and other chapters."""

import contextlib
import hashlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"


def definitions(notebook: Path, *more: str) -> dict:
    """Execute the cells tagged `definition`; return the names they made.

    What the cells print is not shown.

    Args:
        notebook: the chapter's file.
        more: functions whose cells are executed too, tagged or not.
    """
    namespace: dict = {}
    heads = tuple(f"def {name}(" for name in more)
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            tagged = "definition" in cell["metadata"].get("tags", [])
            if tagged or any(x.startswith(heads) for x in source.split("\n")):
                exec(source, namespace)
    return namespace


def chapter(name: str, *more: str) -> SimpleNamespace:
    """The same by a chapter's name: `chapter("03_vgg").vgg(...)`."""
    return SimpleNamespace(**definitions(CHAPTERS / f"{name}.ipynb", *more))


def code_hash(notebook: dict) -> str:
    """The sha256 of the code cells' sources, less the set-up cell."""
    sources = [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    kept = [s for s in sources if not s.startswith("# @title Set-up")]
    return hashlib.sha256("\0".join(kept).encode()).hexdigest()
