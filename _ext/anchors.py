"""Each figure, table, equation and solution has an address of its own.

Headings and captions have one from Sphinx. The others are named here: after
the id of the notebook's cell, which stays when cells are added above it, and
solutions after their exercise. `tests/anchors.txt` keeps what was published.
"""

import json
import re

from docutils import nodes
from sphinx.application import Sphinx

SOLUTION = re.compile(r"^# @title Solution (\d+)\.(\d+)")
FOLDED = re.compile(r"<details>(?=\s*<summary>Solution (\d+)\.(\d+)\b)")


def link(anchor: str, what: str) -> str:
    """Return the link that a reader copies, as HTML."""
    return (
        f'<a class="headerlink place-link" href="#{anchor}" '
        f'title="Link to this {what}" aria-label="Link to this {what}">#</a>'
    )


def kind_of(cell: dict) -> str | None:
    """What a reader may want to link to in a cell's output."""
    shown = [
        "".join(output.get("data", {}).get("text/html", ""))
        for output in cell["outputs"]
    ]
    if any("data-figure=" in html for html in shown):
        return "figure"
    if any(
        '"data-table"' in html and "<details" not in html for html in shown
    ):
        return "table"
    return None


def name_cells(app: Sphinx, page: str, source: list[str]) -> None:
    """Write the anchor of each cell into its metadata."""
    if not app.env.doc2path(page).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        text = "".join(cell["source"]) if "source" in cell else ""
        if cell.get("cell_type") == "markdown":
            cell["source"] = FOLDED.sub(r'<details id="solution-\1-\2">', text)
        elif solution := SOLUTION.match(text):
            cell["metadata"]["anchor"] = "solution-{}-{}".format(
                *solution.groups()
            )
        elif kind := kind_of(cell) if "outputs" in cell else None:
            cell["metadata"]["anchor"] = f"{kind}-{cell['id']}"
    source[0] = json.dumps(notebook)


def link_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give the cells with an anchor that id, and below their output a link."""
    for cell in doctree.findall(nodes.container):
        anchor = cell.get("cell_metadata", {}).get("anchor")
        if not anchor:
            continue
        cell["ids"].append(anchor)
        kind = anchor.partition("-")[0]
        if kind != "solution":
            cell += nodes.raw("", link(anchor, kind), format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    # Behind bookext, which gives some outputs a cell of their own.
    app.connect("source-read", name_cells, priority=600)
    app.connect("doctree-read", link_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
