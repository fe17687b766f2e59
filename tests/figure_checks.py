"""What the tests of all interactive figures need."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest


def find_program(*names: str) -> str:
    """The first of these programs; without one there is nothing to test."""
    for name in names:
        if program := shutil.which(name):
            return program
    reason = f"no {names[0]}: the figure was NOT tested; install it"
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def selectors(html: str) -> list[str]:
    """The selectors of every rule in a figure's style."""
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return re.findall(r"([^{};]+)\{[^{}]*:[^{}]*\}", style)


def outside_references(html: str) -> list[str]:
    """What a page without a network could not load; a namespace is no load."""
    html = html.replace("http://www.w3.org/2000/svg", "")
    signs = ("http:", "https:", " src=", "@import", "url(")
    return [sign for sign in signs if sign in html]


def without_content(html: str) -> str:
    """Style and scripts of a figure; what the chapter gave it is left out."""
    style, _, rest = html.partition("</style>\n")
    return style + rest[rest.rindex("</div>\n<script>") :]


def stored_figures(css_class: str) -> list[str]:
    """The figures of one kind that the chapters were stored with."""
    chapters = Path(__file__).resolve().parent.parent / "chapters"
    found = [
        output["data"]["text/html"]
        for file in sorted(chapters.glob("*.ipynb"))
        for cell in nbformat.read(file, as_version=4).cells
        for output in cell.get("outputs", [])
        if f'<div class="{css_class}"'
        in output.get("data", {}).get("text/html", "")
    ]
    assert found, f"no chapter has a figure of class {css_class}"
    return found
