"""At the foot of a chapter: when its code last ran, and with which versions.

Nothing is typed. That it was executed says the notebook, where
tools/execute.py has stored the times of its cells; that it stands alone says
results/verified.json, which tools/alone.py writes. Both name the hash of the
code that ran, so a chapter that was edited since claims nothing.
"""

import json
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from utils.chapters import code_hash

SHOWN = ("Python", "PyTorch", "NumPy", "IPython")  # of the versions noted


def verified(code: str, times: dict, tried: dict | None) -> str:
    """What a page says about its code, in one or two sentences.

    Args:
        code: hash of the code as it stands.
        times: `book.times` of the notebook's metadata.
        tried: what results/verified.json notes of the chapter, if anything.
    """
    said = []
    runs = [
        column
        for column in times.values()
        if column["code_hash"] == code and not column["emulated"]
    ]
    if runs:
        last = max(runs, key=lambda column: column["date"])
        torch = last["torch"].partition("+")[0]
        said.append(
            f"This chapter's code was last executed on {last['date']}, at the "
            f"scale {last['scale']}, with PyTorch {torch}."
        )
    if tried and tried["code_hash"] == code:
        versions = ", ".join(
            f"{name} {tried['versions'][name].partition('+')[0]}"
            for name in SHOWN
        )
        said.append(
            f"Alone in an empty folder it ran, twice in one kernel, on "
            f"{tried['date']}, at the scale {tried['scale']}, with {versions}."
        )
    return " ".join(said) or (
        "The code of this chapter was changed since it was last verified."
    )


def write_foot(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Put the sentences below a chapter's text."""
    path = Path(app.srcdir, f"{page}.ipynb")
    if "body" not in context or not path.exists():
        return
    record = Path(app.srcdir, "results/verified.json")
    known = json.loads(record.read_text("utf-8")) if record.exists() else {}
    notebook = json.loads(path.read_text("utf-8"))
    times = notebook["metadata"].get("book", {}).get("times", {})
    said = verified(code_hash(notebook), times, known.get(path.stem))
    context["body"] += f'\n<p class="verified">{said}</p>\n'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step above."""
    app.connect("html-page-context", write_foot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
