"""Under each exercise of a chapter: what help with it is fair.

The lines come from chapters/fair_help.py while the pages are built, so that no
notebook repeats them.
"""

import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chapters.fair_help import with_help


def add_lines(app: Sphinx, page: str, source: list[str]) -> None:
    """Write the lines into a chapter's text."""
    if not app.env.doc2path(page).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = with_help("".join(cell["source"]))
    source[0] = json.dumps(notebook)


def mark_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Give the lines a class, by which book.css makes them quiet."""
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("Fair help:"):
            paragraph["classes"].append("fair-help")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    app.connect("source-read", add_lines)
    app.connect("doctree-read", mark_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
