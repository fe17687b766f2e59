"""Places have links, and a link that was published leads there for ever."""

import sys

import pytest
from bs4 import BeautifulSoup

from tests.test_pages import CHAPTERS, ROOT, address, opened, parsed, site
from tools import anchors

sys.path.insert(0, str(ROOT / "_ext"))
from anchors import kind_of

__all__ = ["address", "site"]


def test_published_places_are_there(site):
    gone, new = anchors.compared(site, anchors.published())
    assert gone == [], "readers' links lead nowhere; see tools/anchors.py"
    assert new == [], "list them: .venv/bin/python tools/anchors.py --add"


def test_a_lost_place_is_found(site):
    listed = anchors.published()
    moved = {"chapters/02_alexnet#the-run", "chapters/02_alexnet#old-run"}
    gone, new = anchors.compared(site, listed ^ moved)
    assert gone == ["chapters/02_alexnet#old-run"]
    assert new == ["chapters/02_alexnet#the-run"]


def without_link(page: BeautifulSoup) -> list[str]:
    """Figures, tables, exercises and equations that no link names."""
    # The theme's numbers of charts belong to the figure above them.
    places = page.select(
        "article :is(figure, .data-table, [data-figure], .katex-tag), "
        "article section[id^=exercise]"
    )
    links = {link["href"] for link in page.select("a.headerlink")}
    return [
        str(place)[:80]
        for place in places
        if not place.find_parent("details")
        and not links & {f"#{e['id']}" for e in around(place)}
    ]


def around(place) -> list:
    """The place, and what has an id just around it."""
    within = [place, *place.parents]
    end = next(i for i, e in enumerate(within) if e.name == "section")
    return [e for e in within[: max(end, 1)] if e.get("id")]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_place_has_a_link(site, chapter):
    page = parsed(site / f"{chapter}.html")
    assert page.select("a.place-link")
    assert without_link(page) == []


def test_a_place_without_link_is_found():
    page = BeautifulSoup(
        "<article><section id=exercise-1-1><figure id=a></figure>"
        "<div class=cell id=b><div class=data-table></div></div>"
        "<a class=headerlink href='#b'></a></section></article>",
        "html.parser",
    )
    assert len(without_link(page)) == 2


def test_the_name_of_a_cell_is_that_of_its_output():
    def cell(html: str) -> dict:
        return {"outputs": [{"data": {"text/html": [html]}}]}

    assert kind_of(cell('<div class="data-table">')) == "table"
    assert kind_of(cell("<div data-figure='{}'>")) == "figure"
    assert kind_of(cell('<details><div class="data-table">')) is None
    assert kind_of({"outputs": [{"text": "54"}]}) is None


@pytest.mark.parametrize("solution", ["2-2", "2-8"])  # in code, in words
def test_a_link_into_a_solution_opens_it(browser, site, solution):
    url = (site / "chapters/02_alexnet.html").as_uri()
    seen = f"""() => {{
        const place = document.getElementById("solution-{solution}");
        const fold = place.matches("details")
            ? place : place.querySelector("details");
        const {{ top }} = place.getBoundingClientRect();
        return [fold.open, 0 <= top && top < innerHeight];
    }}"""
    with opened(browser, url) as (page, _):
        assert page.evaluate(seen) == [False, False]
        page.evaluate(f"location.hash = 'solution-{solution}'")
        page.wait_for_function(f"({seen})().every(Boolean)")
    with opened(browser, f"{url}#solution-{solution}") as (page, _):
        page.wait_for_function(f"({seen})().every(Boolean)")


def test_a_click_copies_the_link(browser, address):
    url = f"{address}/chapters/02_alexnet.html"
    with opened(browser, url) as (page, found):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("[id='equation-2.1']").hover()
        page.locator("a[href='#equation-2.1'].place-link").click()
        page.get_by_text("Link copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.url == f"{url}#equation-2.1"
        assert found == []
