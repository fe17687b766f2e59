"""The built pages, as a reader's browser sees them.

Every page is opened wide and narrow, light and dark, over http and from disk;
`make test` does a part of that, `make test-all` the rest. `look` returns what
is wrong with a page; the bars it holds are proved on pages that are wrong on
purpose.
"""

import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from tests.figure_checks import HANGS
from tools.measure_pages import served

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
LISTED = [entry["file"] for entry in TOC["chapters"]]
CHAPTERS = [file for file in LISTED if file.startswith("chapters/")]
PAGES = [TOC["root"], *LISTED, "genindex"]
# The pages below those: words and tables, which need fewer looks.
BELOW = [
    section["file"]
    for entry in TOC["chapters"]
    for section in entry.get("sections", [])
]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
AXE = (ROOT / "tests" / "vendor" / "axe.min.js").read_text("utf-8")

LONG = pytest.mark.long("the pages in every size and colour scheme")


def views(*short: tuple[int, str]) -> pytest.MarkDecorator:
    """Every width and colour scheme; those not in `short` are long."""
    every = itertools.product([1280, 390], ["light", "dark"])
    return pytest.mark.parametrize(
        ("width", "scheme"),
        [
            pytest.param(*view, marks=() if view in short else LONG)
            for view in every
        ],
    )


SETTLED = """async () => {
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => {
        image.loading = "eager";
        return image.decode().catch(() => null);
    }));
    // What the page does in idle moments: figures, stops of the Tab key.
    const end = Date.now() + HANGS;
    const wrong = (box) =>
        box.tabIndex !== (box.scrollWidth > box.clientWidth ? 0 : -1);
    const waiting = () => [
        ...document.querySelectorAll("[data-figure]:not([data-mounted]), "
            + "article pre:not([tabindex])"),
        ...[...document.querySelectorAll("article div.math")].filter(wrong)];
    for (let left; (left = waiting()[0]); ) {
        if (Date.now() > end)
            throw new Error(`never settled: ${left.outerHTML.slice(0, 99)}`);
        await new Promise(requestIdleCallback);
    }
}""".replace("HANGS", str(HANGS))

FINDINGS = """() => {
    const found = [];
    for (const formula of document.querySelectorAll(".math")) {
        const words = formula.textContent.slice(0, 40);
        const seen = formula.querySelector(".katex-html");
        if (!seen || !formula.querySelector("math"))
            found.push(`formula not typeset: ${words}`);
        else if (seen.firstChild.getBoundingClientRect().left + 1
                < formula.getBoundingClientRect().left)
            found.push(`formula cut off: ${words}`);
    }
    for (const icon of document.querySelectorAll("[class*='fa-']"))
        if (getComputedStyle(icon, "::before").maskImage === "none")
            found.push(`icon without a picture: ${icon.className}`);
    for (const image of document.images) {
        const name = image.src.split("/").pop().slice(0, 60);
        const alt = image.getAttribute("alt");
        if (!image.complete || !image.naturalWidth)
            found.push(`broken image: ${name}`);
        if (alt === null || (image.closest("article") && !alt.trim()))
            found.push(`image without alt text: ${name}`);
        else if (/\\.(png|jpe?g|gif|svg|webp)$/i.test(alt))
            found.push(`alt text is a file name: ${alt}`);
    }
    const wide = document.documentElement.scrollWidth;
    if (wide > window.innerWidth)
        found.push(`scrolls sideways: ${wide} px in ${window.innerWidth}`);
    return found;
}"""

# Upstream's list of references has roles that axe calls deprecated.
AXE_RUN = """async () => {
    const article = document.querySelector("article.bd-article");
    if (!article) return [];
    const result = await axe.run({
        include: [["article.bd-article"]], exclude: [[".citation-list"]]});
    return result.violations.map((v) => `axe ${v.id}: ${v.help}: `
        + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 100)).join(" | "));
}"""


@contextmanager
def opened(
    browser: Browser, url: str, *, width: int = 1280, scheme: str = "light"
) -> Iterator[tuple[Page, list[str]]]:
    """Open a page and wait until it is complete.

    Args:
        browser: Playwright's browser.
        url: Address of the page, http or file.
        width: Width of the window in pixels.
        scheme: What the reader's system prefers, "light" or "dark".

    Yields:
        The page, and a list that collects requests to other hosts, failed
        requests and errors for as long as the page is open.
    """
    parts = urlsplit(url)
    home = f"{parts.scheme}://{parts.netloc}/"
    found = []
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    context.set_default_timeout(HANGS)
    # What is not the book's must not be asked for, and is not answered here.
    context.route(
        lambda address: not address.startswith((home, "data:", "blob:")),
        lambda route: (
            found.append(f"external request: {route.request.url}"),
            route.abort(),
        ),
    )
    page = context.new_page()
    page.on(
        "console",
        lambda message: (
            message.type == "error"
            and found.append(f"console error: {message.text}")
        ),
    )
    page.on("pageerror", lambda error: found.append(f"page error: {error}"))
    page.on(
        "requestfailed",
        lambda request: found.append(f"failed request: {request.url}"),
    )
    page.on(
        "response",
        lambda response: (
            response.status >= 400
            and found.append(f"status {response.status}: {response.url}")
        ),
    )
    page.goto(url, wait_until="load")
    page.evaluate(SETTLED)
    yield page, found
    context.close()


def look(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    scheme: str = "light",
    axe: bool = True,
) -> list[str]:
    """Return what is wrong with a page, an empty list if nothing is.

    Args:
        browser: Playwright's browser.
        url: Address of the page, http or file.
        width: Width of the window in pixels.
        scheme: "light" or "dark".
        axe: Also run axe-core on the article.
    """
    with opened(browser, url, width=width, scheme=scheme) as (page, found):
        findings = page.evaluate(FINDINGS)
        theme = page.evaluate("document.documentElement.dataset.theme")
        if theme and theme != scheme:
            findings.append(f"theme is {theme} where {scheme} is preferred")
        if axe:
            page.evaluate(AXE)
            findings += page.evaluate(AXE_RUN)
        return found + findings


@pytest.fixture(scope="session")
def site() -> Path:
    """The built book; `make test` has just built it."""
    assert (SITE / "index.html").exists(), "no pages to test; first: make book"
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the built book is served."""
    with served(site) as url:
        yield url


@views((1280, "light"), (390, "dark"))
@pytest.mark.parametrize("page", [*PAGES, "search"])
def test_page_over_http(browser, address, page, width, scheme):
    """In every view axe is run by tests/test_access.py, too."""
    url = f"{address}/{page}.html"
    axe = (width, scheme) in ((1280, "light"), (390, "dark"))
    assert look(browser, url, width=width, scheme=scheme, axe=axe) == []


@views((390, "dark"))
@pytest.mark.parametrize("page", BELOW)
def test_page_below_over_http(browser, address, page, width, scheme):
    url = f"{address}/{page}.html"
    axe = (width, scheme) == (390, "dark")
    assert look(browser, url, width=width, scheme=scheme, axe=axe) == []


@views((390, "light"))
@pytest.mark.parametrize("page", [*PAGES, "search"])
def test_page_from_disk(browser, site, page, width, scheme):
    url = (site / f"{page}.html").as_uri()
    assert look(browser, url, width=width, scheme=scheme, axe=False) == []


BAD = {
    "external request": '<img alt="A" src="https://example.org/a.png">',
    "failed request": '<img alt="A" src="http://127.0.0.1:9/a.png">',
    "status 404": '<img alt="A cat" src="missing.png">',
    "console error": "<script>console.error('oh')</script>",
    "page error": "<script>throw new Error('oh')</script>",
    "formula not typeset": '<span class="math">\\(x\\)</span>',
    "formula cut off": '<div class="math" style="width: 9em"><math></math>'
    '<span class="katex-html"><span style="display: block; margin-left: -4em">'
    "long</span></span></div>",
    "icon without a picture": '<i class="fa-solid fa-cat"></i>',
    "broken image": '<img alt="A cat" src="data:image/png;base64,AAAA">',
    "image without alt text": "<img src='data:image/gif;base64,R0lGODlhAQABA"
    "IAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'>",
    "alt text is a file name": '<img alt="img/cat.png" src="cat.png">',
    "scrolls sideways": '<div style="width: 3000px">wide</div>',
    "axe color-contrast": '<p style="color: #eee; background: #fff">pale</p>',
    "axe button-name": "<button></button>",
    "theme is light": "<script>document.documentElement.dataset.theme = "
    "'light'</script>",
}


@pytest.mark.parametrize("expected", BAD)
def test_look_finds(browser, tmp_path, expected):
    (tmp_path / "bad.html").write_text(
        "<!DOCTYPE html><html lang='en'><title>Bad</title><body><main>"
        f"<article class='bd-article'>{BAD[expected]}</article></main></body>",
        "utf-8",
    )
    with served(tmp_path) as url:
        findings = look(browser, f"{url}/bad.html", scheme="dark")
    assert any(finding.startswith(expected) for finding in findings), findings


def test_look_passes_a_good_page(browser, tmp_path):
    (tmp_path / "favicon.ico").touch()
    (tmp_path / "good.html").write_text(
        "<!DOCTYPE html><html lang='en'><title>Good</title><body><main>"
        "<article class='bd-article'><p>Well.</p></article></main></body>",
        "utf-8",
    )
    with served(tmp_path) as url:
        assert look(browser, f"{url}/good.html") == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_presenter_mode(browser, address, chapter):
    url = f"{address}/{chapter}.html#present"
    with opened(browser, url) as (page, found):
        place = page.locator(".present-place")
        first, total = place.inner_text().split(" / ")
        assert (first, int(total) > 5) == ("1", True)
        page.keyboard.press("ArrowRight")
        assert place.inner_text() == f"2 / {total}"
        page.keyboard.press("End")
        assert place.inner_text() == f"{total} / {total}"
        page.keyboard.press("Escape")
        assert place.count() == 0
        assert page.locator(".present-off").count() == 0
        page.keyboard.press("p")
        assert place.count() == 1
        page.keyboard.press("p")

        page.keyboard.press("Control+k")  # the search field
        page.keyboard.type("pooling")
        assert place.count() == 0
        assert found == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_slides_show_everything_once(browser, address, chapter):
    text = """() => [...document.querySelectorAll("article pre,"
        + "article section > :is(h1, h2, h3, p, ul, figure, details)")]
        .filter((element) => !element.closest(".present-off"))
        .map((element) => element.textContent)"""
    with opened(browser, f"{address}/{chapter}.html") as (page, _):
        everything = page.evaluate(text)
        page.keyboard.press("p")
        place = page.locator(".present-place")
        total = place.inner_text().split(" / ")[1]
        shown = []
        for number in range(1, int(total) + 1):
            for _ in range(20):  # a long one is scrolled first
                if place.inner_text() == f"{number} / {total}":
                    break
                page.keyboard.press("ArrowRight")
            assert place.inner_text() == f"{number} / {total}"
            shown += page.evaluate(text)
        assert shown == everything


@pytest.mark.parametrize("tag", ["slide", "slide-break"])
def test_an_author_begins_a_screen(browser, address, tag):
    """What shared a screen no longer does, once the cell has the tag."""
    pair = {
        # The code of a cell, and what stands before it or comes out of it.
        "slide": (".cell:has(> .cell_output)", "previousElementSibling"),
        "slide-break": (
            ".cell_input:has(+ .cell_output)",
            "nextElementSibling",
        ),
    }
    together = """([selector, beside]) => [...document.querySelectorAll(
        `article ${selector}`)].findIndex((one) => {
          const on = (each) => each && !each.closest(".present-off")
            && !each.matches(".present-off")
            && !each.querySelector(".present-off");
          return on(one) && on(one[beside]);
        })"""
    with opened(browser, f"{address}/{CHAPTERS[0]}.html") as (page, _):
        page.keyboard.press("p")
        for _ in range(60):
            place = page.evaluate(together, pair[tag])
            if place >= 0:
                break
            page.keyboard.press("ArrowRight")
        assert place >= 0
        page.keyboard.press("Escape")
        page.evaluate(
            """([selector, place, tag]) => document.querySelectorAll(
            `article ${selector}`)[place].closest(".cell").classList.add(
            `tag_${tag}`)""",
            [pair[tag][0], place, tag],
        )
        page.keyboard.press("p")  # goes on at the same place
        page.keyboard.press("ArrowLeft")
        for _ in range(4):
            assert page.evaluate(together, pair[tag]) != place
            page.keyboard.press("ArrowRight")


@functools.cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@functools.cache
def ids(path: Path) -> set[str]:
    """What a link's fragment can name on a page."""
    return {element["id"] for element in parsed(path).find_all(id=True)}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_buttons_lead_to_the_chapter(site, chapter):
    soup = parsed(site / f"{chapter}.html")
    links = {a["href"] for a in soup.select(".article-header-buttons a[href]")}
    repository = CONFIG["repository"]
    url = os.environ.get("BOOK_REPO_URL", repository["url"])
    url = url.rstrip("/").removesuffix(".git")
    colab = url.replace("github.com", "colab.research.google.com/github")
    assert f"{colab}/blob/{repository['branch']}/{chapter}.ipynb" in links
    assert url in links

    notebook = next(link for link in links if link.endswith(".ipynb"))
    downloads = {link for link in links if "_sources/" in link}
    assert downloads, notebook
    for link in downloads:
        stored = (site / chapter).parent / link
        assert stored.read_bytes() == (ROOT / f"{chapter}.ipynb").read_bytes()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_data_of_charts_follow_their_captions(site, chapter):
    notebook = (ROOT / f"{chapter}.ipynb").read_text("utf-8")
    shown = parsed(site / f"{chapter}.html").find_all(
        "summary", string="Data of the chart"
    )
    assert len(shown) == notebook.count("<summary>Data of the chart<")
    assert not any(summary.find_parent("figure") for summary in shown)


def dead_links(here: Path) -> list[str]:
    """Links of a page to files, or to places in files, that do not exist."""
    dead, here = [], here.resolve()
    for link in parsed(here).select("a[href]"):
        parts = urlsplit(link["href"])
        # A script of the book's answers to #present, not an element.
        if parts.scheme or parts.fragment == "present":
            continue
        target = (here.parent / unquote(parts.path)) if parts.path else here
        target = target.resolve()  # without "..": each page is parsed once
        if not target.is_file():
            dead.append(link["href"])
        elif parts.fragment and target.suffix == ".html":
            if unquote(parts.fragment) not in ids(target):
                dead.append(link["href"])
    return dead


@pytest.mark.parametrize("page", [*PAGES, *BELOW])
def test_internal_links_lead_somewhere(site, page):
    assert dead_links(site / f"{page}.html") == []


def test_dead_links_are_found(tmp_path):
    (tmp_path / "other.html").write_text("<h2 id='there'>There</h2>", "utf-8")
    page = tmp_path / "page.html"
    around = f"../{tmp_path.name}/other.html#there"
    good = ["other.html", "other.html#there", "#here", around]
    bad = ["missing.html", "other.html#here", "#there", "other.html#There"]
    page.write_text(
        "<h1 id='here'>Here</h1>"
        + "".join(f"<a href='{link}'>link</a>" for link in good + bad),
        "utf-8",
    )
    assert dead_links(page) == bad
