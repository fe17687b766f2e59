"""What _ext makes of a page: formulas, coloured code, pictures."""

import re
import sys
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from tests.test_pages import ROOT, address, opened, site

sys.path.insert(0, str(ROOT / "_ext"))
import formulas
import light_pages

__all__ = ["address", "site"]


@pytest.fixture(scope="module")
def little_book(tmp_path_factory):
    """A page with formulas and pictures everywhere; built, as HTML."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / '_ext')!r})\n"
        "extensions = ['myst_parser', 'formulas', 'light_pages']\n"
        "html_theme = 'sphinx_book_theme'\n"
        "html_math_renderer = 'katex'\n"
        "myst_enable_extensions = ['dollarmath']\n",
        "utf-8",
    )
    Image.new("RGB", (40, 30)).save(folder / "even.png")
    (folder / "drawn.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    )
    (folder / "index.md").write_text(
        "# The size $n'$\n\n## Of $k \\times k$\n\n"
        "| kernel | size |\n|---|---|\n| $3^2$ | $n - 2$ |\n\n"
        "$$\nn' = n - k + 1 \\tag{9.1}\n$$\n\n<details>\n\n$$n < k$$\n\n"
        "</details>\n\n![Black](even.png) ![Nothing](drawn.svg)\n",
        "utf-8",
    )
    out = folder / "out"
    app = Sphinx(folder, folder, out, out / "trees", "html", status=None)
    app.build()
    assert app.statuscode == 0
    return BeautifulSoup(
        (out / "index.html").read_text("utf-8"), "html.parser"
    ), out


def test_formulas_are_typeset_everywhere(little_book):
    page, _ = little_book
    for place in ("h1", "h2", "td", "details", ".page-toc", "#equation-9\\.1"):
        formula = page.select_one(f"{place} .katex")
        assert formula.select_one(".katex-html[aria-hidden=true]"), place
        assert formula.select_one("math annotation"), place
    tex = page.select_one("#equation-9\\.1 annotation").text
    assert tex == r"n' = n - k + 1 \tag{9.1}"


def test_a_wrong_formula_is_named():
    with pytest.raises(ValueError, match="Undefined control sequence"):
        formulas.typeset(r"\alhpa", display=False)
    assert "katex" in formulas.typeset(r"\alpha", display=False)


def test_katex_and_its_styles_are_of_one_version():
    script = (ROOT / "_ext/vendor/katex/katex.min.js").read_text("utf-8")
    styles = ROOT / "_assets/vendor/katex/katex.min.css"
    version = re.search(
        r'katex-version:after\{content:"([\d.]+)"', styles.read_text("utf-8")
    )[1]
    assert f'"{version}"' in script
    for font in re.findall(r"url\((.*?)\)", styles.read_text("utf-8")):
        assert (styles.parent / font).is_file()


def test_a_copied_formula_is_its_latex(browser, address):
    with opened(browser, f"{address}/chapters/02_alexnet.html") as (page, _):
        copied = page.evaluate("""() => {
            const formula = document.getElementById("equation-2.1");
            getSelection().selectAllChildren(formula);
            const event = new ClipboardEvent("copy",
                { bubbles: true, clipboardData: new DataTransfer() });
            formula.dispatchEvent(event);
            return event.clipboardData.getData("text/plain");
        }""")
    assert copied.strip() == (
        r"$$n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 "
        r"\tag{2.1}$$"
    )


def test_a_formula_is_a_stop_where_it_scrolls(browser, address):
    url = f"{address}/chapters/06_resnet.html"
    stops = """() => Object.fromEntries(["6.1", "6.4"].map((tag) =>
        [tag, document.getElementById("equation-" + tag).tabIndex]))"""
    with opened(browser, url, width=390) as (page, _):
        assert page.evaluate(stops) == {"6.1": -1, "6.4": 0}
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_function(f"({stops})()['6.4'] === -1")


def test_the_theme_makes_no_stops(little_book):
    """access.js does; a theme without the known part must not pass."""
    _, out = little_book
    script = out / "_static/scripts/pydata-sphinx-theme.js"
    assert '[":not(*)"].join' in script.read_text("utf-8")
    app = SimpleNamespace(outdir=out)
    with pytest.raises(ExtensionError, match="in 0 places"):
        light_pages.take_tab_stops(app, None)  # for the second time


def test_pictures_come_when_they_are_needed(little_book):
    page, out = little_book
    even, drawn = page.select("article img")
    assert even["loading"] == drawn["loading"] == "lazy"
    assert (even["width"], even["height"]) == ("40", "30")
    assert even["src"] == "_images/even.webp"
    assert drawn["src"] == "_images/drawn.svg"
    with Image.open(out / even["src"]) as picture:
        assert picture.convert("RGB").getcolors() == [(40 * 30, (0, 0, 0))]
    assert not (out / "_images/even.png").exists()


def test_code_has_spans_only_where_it_has_colours(little_book):
    notebook = nbformat.read(ROOT / "chapters/02_alexnet.ipynb", as_version=4)
    code = "\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "code"
    )
    usual = highlight(code, PythonLexer(), HtmlFormatter())
    # Names, points and blanks: in both styles they look like the text.
    plain = re.compile(r'<span class="(?:n|nn|nx|p|pm|w)">(.*?)</span>')
    ours = highlight(code, PythonLexer(), light_pages.Highlighter())
    assert ours == plain.sub(r"\1", usual)
    assert ours.count("<span") < usual.count("<span") / 2
