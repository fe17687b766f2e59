"""What pages tell to searchers, to those who cite, and on paper."""

import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from docutils.core import publish_doctree

from tests.test_pages import CHAPTERS, PAGES, ROOT, opened, parsed, site

sys.path.insert(0, str(ROOT / "_ext"))
from page_head import description

__all__ = ["site"]

TOLD = (
    "description",
    "citation_title",
    "citation_author",
    "citation_fulltext_html_url",
    "og:title",
    "og:image",
)


def untold(page: BeautifulSoup) -> list[str]:
    """What the head of a page should tell and does not."""
    told = {
        tag.get("name", tag.get("property")): tag["content"]
        for tag in page.select("meta[content]")
    }
    canonical = page.select_one("link[rel=canonical][href^='https://']")
    return [name for name in TOLD if not told.get(name)] + (
        [] if canonical else ["canonical"]
    )


def released() -> list[str]:
    """The date of the last edition, if there is one."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    date = cited.get("date-released")
    return [] if date is None else [str(date).replace("-", "/")]


@pytest.mark.parametrize("page", [PAGES[0], *CHAPTERS])
def test_the_head_tells(site, page):
    soup = parsed(site / f"{page}.html")
    assert untold(soup) == []
    dates = soup.select("meta[name=citation_publication_date]")
    assert [date["content"] for date in dates] == released()
    address = soup.select_one("link[rel=canonical]")["href"]
    assert address.endswith(f"/{page}.html")
    assert f"<loc>{address}</loc>" in (site / "sitemap.xml").read_text("utf-8")
    picture = soup.select_one("meta[property='og:image']")["content"]
    base = address.removesuffix(f"{page}.html")
    assert (site / picture.removeprefix(base)).is_file()


def test_what_is_untold_is_found():
    page = BeautifulSoup("<meta name=description content=''>", "html.parser")
    assert untold(page) == [*TOLD, "canonical"]


def test_the_description_is_the_first_paragraph_that_says_something():
    says = "A sentence of many words. " * 20
    text = description(publish_doctree(f"Short.\n\n{says}\n"))
    assert text.startswith("A sentence") and text.endswith(" …")
    assert 150 < len(text) <= 202


def test_links_are_notes_on_paper(browser, site):
    url = (site / "chapters/02_alexnet.html").as_uri()
    notes = "article .print-links li"
    with opened(browser, url) as (page, _):
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        shown = page.locator(notes).all_inner_texts()
        links = page.evaluate("""() => [...new Set([...document.
            querySelectorAll("article a[href^=http]")].map((a) =>
            a.href))]""")
        assert shown == links
        number = page.locator("article a[href^=http] + .print-only").first
        assert number.inner_text() == "[1]"
        assert number.is_visible()
        page.emulate_media(media="screen")
        assert not number.is_visible()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(notes).count() == 0


def test_code_goes_on_overleaf(browser, site):
    """Kept together, long cells leave half of the page before them blank."""
    url = (site / "chapters/02_alexnet.html").as_uri()
    with opened(browser, url) as (page, _):
        page.emulate_media(media="print")
        kept = page.evaluate("""() => {
            const kept = new Set();
            for (let node of document.querySelectorAll("article pre"))
              for (; node.tagName !== "ARTICLE"; node = node.parentElement)
                if (getComputedStyle(node).breakInside !== "auto")
                  kept.add(node.className);
            return [...kept];
        }""")
        assert kept == []
