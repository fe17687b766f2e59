"""What the tests of all interactive figures need.

A figure's own tests call `check_html`, `check_stored` and `check_manners`; the
last takes an `engine` of tests/engines.py, from the fixture of that name.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Milliseconds; a busy machine is slow, and only what hangs takes so long.
HANGS = 180_000


def find_program(*names: str) -> str:
    """The first of these programs; without one there is nothing to test."""
    for name in names:
        if program := shutil.which(name):
            return program
    reason = f"no {names[0]}: the figure was NOT tested; install it"
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def in_node(script: str, cases):
    """What a script of tests/js makes of the cases, all in one process."""
    result = subprocess.run(
        [find_program("node"), str(ROOT / "tests/js" / script)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def outer_selectors(style: str) -> list[str]:
    """The selectors of a style that stand in no other rule."""
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    found, open_rules, start = [], [], 0
    for match in re.finditer(r"[{};]", style):
        before = style[start : match.start()].strip()
        start = match.end()
        if match[0] == "{":
            inside = [rule for rule in open_rules if rule[0] != "@"]
            if not inside and not before.startswith("@"):
                found.append(before)
            open_rules.append(before)
        elif match[0] == "}":
            open_rules.pop()
    assert not open_rules, f"{open_rules[0]!r} is not closed"
    return found


def outside_references(html: str) -> list[str]:
    """What a page without a network could not load; a namespace is no load."""
    html = html.replace("http://www.w3.org/2000/svg", "")
    signs = ("http:", "https:", " src=", "@import", "url(")
    return [sign for sign in signs if sign in html]


def without_content(html: str) -> str:
    """Style and scripts of a figure; what the chapter gave it is left out."""
    style, _, rest = html.partition("</style>\n")
    return style + rest[rest.rindex("</div>\n<script>") :]


def stored_figures(name: str) -> list[str]:
    """The figures of one kind that the chapters were stored with."""
    found = [
        output["data"]["text/html"]
        for file in sorted((ROOT / "chapters").glob("*.ipynb"))
        for cell in nbformat.read(file, as_version=4).cells
        for output in cell.get("outputs", [])
        if f'<div class="{name}"'
        in output.get("data", {}).get("text/html", "")
    ]
    assert found, f"no chapter has a figure of class {name}"
    return found


def check_html(name: str, html: str) -> None:
    """A figure needs nothing from outside, and its style stays inside.

    What stands in its place where no script runs says how to make it move.
    """
    assert not outside_references(html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    found = outer_selectors(style)
    assert found, "no style"
    for selector in found:
        assert f".{name}" in selector, f"{selector} reaches out of the figure"
    assert "FIGURE" not in html, "a name that frame.py has not filled in"
    fallback = html.partition("</style>")[2].partition("<script>")[0]
    assert "run this cell, or trust the notebook" in fallback


def check_stored(name: str, html: str) -> None:
    """The chapters were stored with this style and these scripts."""
    for stored in stored_figures(name):
        assert without_content(stored) == without_content(html)


def page_of(folder: Path, *figures: str) -> Path:
    """Write a page with these figures, in sections "figure1", "figure2"..."""
    sections = "".join(
        f"<section id='figure{i}'>{html}</section>"
        for i, html in enumerate(figures, start=1)
    )
    file = folder / "page.html"
    file.write_text(
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Page</title><body><main><h1>Page</h1>{sections}</main>",
        "utf-8",
    )
    return file


# What a figure must not leave behind: names that all scripts would share,
# what the browser keeps, and ids that two elements would have.
NAMES = "return Object.getOwnPropertyNames(window);"
KEPT = "return [...Object.keys(localStorage), ...Object.keys(sessionStorage)];"
TWICE = """
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
return ids.filter((id, i) => ids.indexOf(id) !== i);
"""


def left_behind(engine, page: Path, empty: Path) -> dict[str, list[str]]:
    """What `page` leaves behind and a page without figures does not.

    Both are asked in one browser in one way, since each has globals of its
    own. Firefox keeps one store for all files on the disk, so that what a
    page of the book has put there is cleared first.
    """
    engine.open(empty)
    engine.run("localStorage.clear(); sessionStorage.clear();")
    usual = set(engine.run(NAMES))
    engine.open(page)
    return {
        "names": sorted(set(engine.run(NAMES)) - usual),
        "kept": engine.run(KEPT),
        "ids twice": engine.run(TWICE),
    }


def check_manners(engine, folder: Path, name: str, html: str) -> None:
    """Two figures on one page do not meet, and the guess asks once.

    By keyboard: the guess is typed and sent, and the focus goes on to the
    answer. The second figure's guess is skipped.
    """
    (folder / "empty").mkdir()
    page, empty = page_of(folder, html, html), page_of(folder / "empty")
    left = left_behind(engine, page, empty)
    assert left == {"names": [], "kept": [], "ids twice": []}
    assert engine.count(f".{name}[data-mounted]") == 2
    guess, second = (f"#figure{i} .{name}-guess" for i in (1, 2))
    if engine.count(guess):
        engine.press("Tab")
        engine.press(*"12.5")
        assert engine.value(f"{guess} input") == "12.5"
        engine.press("Enter")
        answer = engine.text(f"{guess} [role=status]")
        assert answer.startswith("You said 12.5"), answer
        focus = "return document.activeElement.textContent"
        assert engine.run(focus) == answer
        assert engine.count(f"{guess} form") == 0
        assert engine.count(f"{second} form") == 1
        engine.click(f"{second} button", "Skip")
        (told,) = re.findall(r"[.] (It is .*)", answer)
        assert engine.text(f"{second} [role=status]") == told
    assert engine.said == []
