"""Write into every chapter what it says to Colab and Kaggle.

    python tools/write_setup.py

That is the set-up cell, whose text is tools/setup_cell.py, and the kind of
runtime that Colab opens. No chapter has to be executed again: neither is part
of the stamp.
"""

import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.chapter_rules import RUNTIME, setup_cell, wants_a_gpu


def write(path: Path) -> bool:
    """Bring one chapter up to date; say whether that changed it."""
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    notebook.cells[1].source = setup_cell(path.stem)
    for key in RUNTIME:
        notebook.metadata.pop(key, None)
    if wants_a_gpu(notebook):
        notebook.metadata.update(RUNTIME)
    if changed := nbformat.writes(notebook) != before:
        nbformat.write(notebook, path)
    return changed


if __name__ == "__main__":
    for chapter in sorted((ROOT / "chapters").glob("*.ipynb")):
        if write(chapter):
            print("changed", chapter.relative_to(ROOT))
