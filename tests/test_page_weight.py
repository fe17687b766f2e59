"""Pages stay light on the wire and quick to show.

The bounds are those of a reader with a phone; tools/measure_pages.py prints
the numbers, and those in seconds too. They are proved on a page that is too
heavy on purpose.
"""

import pytest

from tests.test_pages import CHAPTERS, PAGES, address, opened, site
from tools import measure_pages

__all__ = ["address", "site"]

BOUNDS = {
    "kb": 500,  # packed, until the page is complete
    "all_kb": 800,  # with what comes when one scrolls to the end
    "nodes": 12_000,  # without tables
}


def too_much(cost: dict, bounds: dict = BOUNDS) -> list[str]:
    """What a page costs beyond the bounds."""
    return [
        f"{name}: {cost[name]:.0f}, bound {bound}"
        for name, bound in bounds.items()
        if cost[name] > bound
    ]


@pytest.fixture(scope="module")
def packed_address(site):
    """Where the built book is served as a host of pages does."""
    with measure_pages.served(site) as url:
        yield url


@pytest.mark.parametrize("page", [PAGES[0], *CHAPTERS])
def test_page_is_light(browser, packed_address, page):
    url = f"{packed_address}/{page}.html"
    assert too_much(measure_pages.measure(browser, url, slow=False)) == []


def test_heavy_page_is_found(browser, tmp_path):
    (tmp_path / "favicon.ico").touch()
    (tmp_path / "heavy.bin").write_bytes(bytes(6000))
    (tmp_path / "heavy.html").write_text(
        "<!DOCTYPE html><title>Heavy</title><article><p>Heavy."
        "<img alt='A' src='heavy.bin'><div style='height: 9000px'></div>"
        "<img alt='A' src='heavy.bin?later' loading=lazy>"
        "</article>" + "<br>" * 130,
        "utf-8",
    )
    with measure_pages.served(tmp_path) as url:
        cost = measure_pages.measure(browser, f"{url}/heavy.html", slow=False)
    bounds = {name: bound / 100 for name, bound in BOUNDS.items()}
    assert [line.split(":")[0] for line in too_much(cost, bounds)] == [*BOUNDS]
    assert 6 < cost["kb"] < 8 < cost["all_kb"]
    assert 130 < cost["nodes"] < 150


# How a page looks while its scripts are still on their way: as it will.
HOW_IT_LOOKS = """() => ({
    theme: document.documentElement.dataset.theme,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector("article p")).color,
    formulas: document.querySelectorAll(".katex math").length,
    in_the_way: [...document.querySelectorAll("script[src]:not([defer])")]
        .map((script) => script.src),
})"""


@pytest.mark.parametrize(
    ("page", "scheme"),
    [(CHAPTERS[0], "light"), *((page, "dark") for page in CHAPTERS)],
)
def test_first_paint_is_right(browser, address, page, scheme):
    url = f"{address}/{page}.html"
    with opened(browser, url, scheme=scheme) as (complete, _):
        in_the_end = complete.evaluate(HOW_IT_LOOKS)
    context = browser.new_context(color_scheme=scheme)
    first = context.new_page()
    first.route("**/*.js*", lambda route: route.abort())
    first.goto(url)
    at_first = first.evaluate(HOW_IT_LOOKS)
    context.close()
    assert at_first == in_the_end
    assert at_first["theme"] == scheme
    assert at_first["formulas"] > 0
    assert at_first["in_the_way"] == []


# How many sections the browser lays out, and how many may wait for that.
SECTIONS = """() => {
    const all = [...document.querySelectorAll("article > section > section")];
    return [all.filter(({ firstElementChild }) =>
        firstElementChild.checkVisibility({ contentVisibilityAuto: true })
    ).length, all.filter((section) =>
        getComputedStyle(section).contentVisibility === "auto").length];
}"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_only_sections_near_the_reader_are_laid_out(browser, address, chapter):
    with opened(browser, f"{address}/{chapter}.html", width=390) as (page, _):
        laid_out, may_wait = page.evaluate(SECTIONS)
        assert laid_out <= 3 < may_wait
        # Whoever measures the whole page has all of it.
        page.keyboard.press("p")
        assert page.evaluate(SECTIONS)[1] == 0
        page.keyboard.press("p")
        page.emulate_media(media="print")
        assert page.evaluate(SECTIONS)[1] == 0


# Jumps to every place there is, and says which are not below the page's bar.
JUMP = """async () => {
    const missed = [];
    const root = document.documentElement;
    for (const section of document.querySelectorAll("article section[id]")) {
        location.hash = section.id;
        for (let i = 0; i < 6; i += 1)
            await new Promise(requestAnimationFrame);
        const { top } = section.getBoundingClientRect();
        const rest = root.scrollHeight - scrollY - innerHeight;
        if (rest > 5 && Math.abs(top - 60) > 10)
            missed.push(`${section.id}: ${top}`);
    }
    return missed;
}"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_links_land_at_their_place(browser, address, chapter):
    """Though most of the way there is not laid out."""
    with opened(browser, f"{address}/{chapter}.html", width=390) as (page, _):
        assert page.evaluate(JUMP) == []
        page.add_style_tag(content="section[id] { scroll-margin-top: 90px }")
        assert page.evaluate(JUMP) != []
