"""What all interactive figures share: how their HTML is put together."""

import base64
import json
import re
from html import escape
from pathlib import Path

from IPython.display import HTML

FIGURES = Path(__file__).parent

# Where no script runs: in a notebook that JupyterLab does not trust, on
# GitHub, in a browser without JavaScript.
STILL = (
    "<p><em>This figure moves. In a notebook, run this cell, or trust the "
    "notebook (in JupyterLab: View, Activate Command Palette, Trust "
    "Notebook). In a page, it needs JavaScript.</em></p>"
)


def figure(
    name: str,
    data: dict,
    fallback: str,
    *,
    guess: dict | None = None,
    scripts: tuple[str, ...] = (),
    network: bytes | None = None,
) -> HTML:
    """One piece of HTML that needs no library and no connection.

    It is a style, one element with the data and a fallback, and a script.
    Equal arguments give equal HTML.

    Args:
        name: the folder in `utils/figures`, and the class of the element.
        data: what `mount(element, data)` of the folder's view.js gets; it
            must be possible as JSON.
        fallback: HTML to read where no script runs.
        guess: a question that the reader may answer first, with a number:
            "question", "answer" and "explain" (a sentence or two), and if
            need be "unit" and "tolerance" (how far off still counts; 0).
        scripts: files of `utils/figures` that view.js needs as well.
        network: a network as `utils.network_file` writes it. mount gets
            `data.network`, a function that promises its bytes.

    Raises:
        ValueError: the answer of the guess is no finite number.
    """
    if guess is not None:
        guess = {"unit": "", "tolerance": 0} | guess
        if not abs(guess["answer"]) < float("inf"):
            raise ValueError(
                f"the answer {guess['answer']!r} of the guess is no finite "
                "number, so no guess could be compared with it"
            )
        data = data | {"guess": guess}
    # In single quotes, since JSON is full of double ones.
    packed = json.dumps(data, ensure_ascii=False, allow_nan=False)
    packed = escape(packed, quote=False).replace("'", "&#39;")
    attributes = f"class=\"{name}\" data-figure='{packed}'"
    if network is not None:
        text = base64.b64encode(network).decode("ascii")
        attributes += f' data-network="{text}"'
    style = _read("frame.css", f"{name}/style.css").replace("FIGURE", name)
    files = ("frame.js", *scripts, f"{name}/arithmetic.js", f"{name}/view.js")
    script = _read(*files).replace("FIGURE", name)
    return HTML(
        f"<style>{style}</style>\n"
        f"<div {attributes}>{STILL}{fallback}</div>\n"
        f'<script>(function () {{\n"use strict";\n{script}mountAll();\n'
        "})();</script>"
    )


def _read(*files: str) -> str:
    """The texts of these files; a figure without arithmetic has none.

    Comments that have lines of their own and indentation are left out: every
    notebook and every page carries these texts.
    """
    paths = [FIGURES / file for file in files]
    text = "".join(
        path.read_text("utf-8")
        for path in paths
        if path.name != "arithmetic.js" or path.exists()
    )
    comment = r"^\s*(/\*.*?\*/|//[^\n]*)\n"
    text = re.sub(comment, "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^\s+", "", text, flags=re.MULTILINE)
