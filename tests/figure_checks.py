"""What the tests of all interactive figures need."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page

# Milliseconds; a busy machine is slow, and only what hangs takes so long.
HANGS = 180_000


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


@contextmanager
def page_with_two(
    browser: Browser,
    folder: Path,
    figure: str,
    *,
    width: int = 1280,
    scheme: str = "light",
) -> Iterator[tuple[Page, list[str]]]:
    """Open a page from disk that shows a figure twice.

    Args:
        browser: Playwright's browser.
        folder: Where the page may be written.
        figure: HTML of the figure.
        width: Width of the window in pixels.
        scheme: What the reader's system prefers, "light" or "dark".

    Yields:
        The page, and a list that collects what its console says.
    """
    file = folder / "page.html"
    file.write_text(
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'>"
        "<title>Two</title><body><main><h1>Two</h1>"
        f"{figure}{figure}</main>",
        "utf-8",
    )
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    page.set_default_timeout(HANGS)
    wrong = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(file.as_uri())
    yield page, wrong
    page.close()
