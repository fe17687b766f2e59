"""What the book needs from Sphinx beyond Jupyter Book's own settings."""

import hashlib
import json
import os
import re
from functools import partial
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)

NETWORK = re.compile(r' data-network="([A-Za-z0-9+/=]+)"')
IMAGE_FILE = re.compile(r"\.(png|jpe?g|gif|svg|webp)$", re.IGNORECASE)


def set_repository(app: Sphinx, config: Config) -> None:
    """Let every link to the repository follow from the one address.

    The address is `repository.url` of _config.yml, or BOOK_REPO_URL where
    that is set (for a fork). Pages then link with `repo:issues`, and with
    `source:README.md` or `colab:chapters/02_alexnet.ipynb` to the branch, or
    tag, that they were built of.
    """
    options = config.html_theme_options
    written = options["repository_url"]
    url = os.environ.get("BOOK_REPO_URL", written)
    url = options["repository_url"] = url.rstrip("/").removesuffix(".git")
    if url != written:
        app.connect("build-finished", partial(warn_of_upstream, url, written))
    colab = url.replace(
        "https://github.com", "https://colab.research.google.com/github"
    )
    branch = options["repository_branch"]
    config.myst_url_schemes = {
        "http": None,
        "https": None,
        "mailto": None,
        "repo": url + "/{{path}}",
        "source": f"{url}/blob/{branch}/" + "{{path}}",
        "colab": f"{colab}/blob/{branch}/" + "{{path}}",
    }
    config.myst_heading_slug_func = "bookext.jupyter_slug"


def warn_of_upstream(
    url: str, written: str, app: Sphinx, error: Exception | None
) -> None:
    """Say that these pages open chapters which fetch other code.

    A warning to Sphinx would end the build, and the pages are good to read.
    On GitHub the line becomes a note on the page of the run.
    """
    mark = "::warning::" if "GITHUB_ACTIONS" in os.environ else "\nBeware: "
    print(
        f"{mark}these pages open the chapters of {url}, but in Colab their "
        f"set-up cell fetches the code of {written}. To change that for good: "
        f"python3 tools/set_repo.py {url}"
    )


def jupyter_slug(heading: str) -> str:
    """Return the name by which a link finds a heading: the text, hyphenated.

    JupyterLab, nbviewer and nbconvert know headings by this name, so a link
    such as `#The-run` works in them, too. A page's own ids are shorter; MyST
    leads a link from one to the other.
    """
    return heading.replace(" ", "-")


def check_alt_texts(app: Sphinx, doctree: nodes.document) -> None:
    """Warn about images a listener would not understand.

    MyST-NB falls back to the file path as the alternative text, so a path
    counts as none. The build turns the warning into an error.
    """
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "").strip()
        if not alt or IMAGE_FILE.search(alt):
            logger.warning(
                "image without alt text: %s (in a notebook, set the cell's "
                "metadata mystnb.image.alt)",
                image["uri"],
                location=image,
            )


def caption_pictures_alone(app: Sphinx, page: str, source: list[str]) -> None:
    """Give what a chart's cell shows beside its picture a cell of its own.

    MyST-NB puts a cell's caption, and the name that links lead to, under
    each of its outputs, so under the data of a chart as well.
    """
    if not app.env.doc2path(page).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        if "figure" not in cell["metadata"].get("mystnb", {}):
            continue
        beside = [
            output
            for output in cell["outputs"]
            if "data" in output and "image/png" not in output["data"]
        ]
        if beside:
            kept = [o for o in cell["outputs"] if o not in beside]
            below = {"id": f"{cell['id']}-data", "outputs": beside}
            below["metadata"] = {"tags": ["remove-input"]}
            cells[-1:] = [{**cell, "outputs": kept}, {**cell, **below}]
    source[0] = json.dumps({**notebook, "cells": cells})


def name_hidden_cells(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Let a hidden cell be called by what is written on it.

    MyST-NB labels all of them alike, "Toggle hidden content", which hides the
    written words from a screen reader and from voice control.
    """
    label = ' aria-label="Toggle hidden content"'
    if "body" in context:
        context["body"] = context["body"].replace(label, "")


def move_networks(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Move the networks of figures from the page into scripts beside it.

    A notebook holds the weights itself, so that it is complete. A page would
    be heavy with them before anybody has seen the figure; so it names a
    script, which utils/figures/frame.js loads when the figure wants it. A
    script, unlike other files, is loaded from disk as well.
    """

    def move(found: re.Match) -> str:
        digest = hashlib.sha256(found[1].encode()).hexdigest()
        address = f"_networks/{digest[:16]}.js"
        script = Path(app.outdir, address)
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f'document.currentScript.dataset.network = "{found[1]}";\n'
        )
        link = context["pathto"](address, resource=True)
        return f' data-network-script="{link}"'

    if "body" in context:
        context["body"] = NETWORK.sub(move, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    app.connect("config-inited", set_repository)
    app.connect("source-read", caption_pictures_alone)
    app.connect("doctree-read", check_alt_texts)
    app.connect("html-page-context", name_hidden_cells)
    app.connect("html-page-context", move_networks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
