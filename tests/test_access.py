"""Pages are usable by every reader: the checks of tests/access_checks.py.

`make test` does each of them once, `make test-all` on every page, at each
width and in each colour scheme that the check names.
"""

import re

import pytest

from tests import access_checks
from tests.access_checks import CHECKS, axe, sittings, unknown
from tests.figure_checks import ROOT
from tests.test_pages import BELOW, CHAPTERS, PAGES, address, opened, site
from tools.accessibility import table
from tools.measure_pages import served

__all__ = ["address", "site"]

LONG = pytest.mark.long("every reader's needs on every page")
CHECK_OF = {check.find.__name__: check for check in CHECKS}
FIRST = [(check, check.widths[0], check.schemes[0]) for check in CHECKS]
CASES = [
    pytest.param(
        names := [check.find.__name__ for check in checks],
        page,
        *view,
        id="-".join(["+".join(names), page, *map(str, view)]),
        marks=()
        if page == PAGES[0] and any((c, *view) in FIRST for c in checks)
        else LONG,
    )
    for page in [*PAGES, *BELOW, "search"]
    for checks, *view in sittings()
    # There is nothing to present on these.
    if page not in ("search", "genindex") or view[0] != 1920
]


@pytest.mark.parametrize(("names", "page", "width", "scheme"), CASES)
def test_page(browser, address, names, page, width, scheme):
    url = f"{address}/{page}.html"
    with opened(browser, url, width=width, scheme=scheme) as (opened_page, _):
        if width == 1920:
            opened_page.set_viewport_size({"width": 1920, "height": 1080})
        for name in names:
            found = unknown(CHECK_OF[name].find(opened_page))
            assert found == [], name


def test_no_check_is_left_out():
    done = sum(len(checks) for checks, *_ in sittings())
    assert done == sum(len(c.widths) * len(c.schemes) for c in CHECKS)


LONG_WORD = "Representationlearningrepresentationlearning"
BAD = {
    "axe": "<button></button>",
    "unseen_focus": "<button style='outline: 0'>No ring</button>",
    "too_wide": f"<h1 style='font-size: 3rem'>{LONG_WORD}</h1>",
    "lost_by_spacing": "<p style='width: 6em; height: 1.2em;"
    "overflow: hidden; line-height: 1; white-space: nowrap'>Six words</p>",
    "invisible_when_forced": "<button style='border: 0; background: #fc0'>"
    "Yellow</button>",
    "many_stops": "<button>Again</button>" * 61,
    "single_keys": "<script>addEventListener('keydown', ({key}) => {"
    "if (key === 'p') document.body.className = 'presenting'; })</script>",
    "small_on_the_wall": "<script>addEventListener('keydown', () => {"
    "document.body.className = 'presenting'; });</script>"
    "<p class='present-place'>1 / 1</p><p style='font-size: 12px'>Small</p>",
}


@pytest.mark.parametrize("name", BAD)
def test_check_finds(browser, tmp_path, name):
    (tmp_path / "favicon.ico").touch()
    (tmp_path / "bad.html").write_text(
        "<!DOCTYPE html><html lang='en'><title>Bad</title><body><main>"
        f"<article class='bd-article'>{BAD[name]}</article></main></body>",
        "utf-8",
    )
    width = CHECK_OF[name].widths[-1]
    with served(tmp_path) as url:
        with opened(browser, f"{url}/bad.html", width=width) as (page, _):
            assert CHECK_OF[name].find(page) != []


def test_every_check_is_proved():
    assert set(BAD) == set(CHECK_OF)


def test_page_tells_what_is_tested():
    text = (ROOT / "accessibility.md").read_text("utf-8")
    for sentence in access_checks.UNSEEN:
        assert f"- {sentence}" in text, "tools/accessibility.py writes it"
    told = re.search(r"<!-- checks -->\n(.*)<!-- /checks -->", text, re.S)[1]
    assert [row.split("|")[1:3] for row in told.splitlines()] == [
        row.split("|")[1:3] for row in table({}).splitlines()
    ], "tools/accessibility.py writes it"


CHAPTER = CHAPTERS[0]


def test_single_keys_and_the_button(browser, address):
    with opened(browser, f"{address}/{CHAPTER}.html") as (page, found):
        bar = page.locator(".present-bar")
        page.get_by_text("Keyboard shortcuts").click()
        box = page.get_by_label(re.compile("Single keys"))
        box.uncheck()
        page.reload()
        page.keyboard.press("p")
        assert bar.count() == 0
        page.get_by_role("button", name="Present this page").click()
        page.keyboard.press("b")
        assert page.locator(".present-blank").count() == 0
        page.get_by_role("button", name="Blank the screen").click()
        assert page.locator(".present-blank").count() == 1
        page.keyboard.press("Escape")
        assert bar.count() == 1
        page.keyboard.press("Escape")
        assert bar.count() == 0
        assert found == []


def test_presenter_from_anywhere(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with opened(browser, url, width=1920) as (page, found):
        place = page.locator(".present-place")
        page.evaluate("location.hash = '#present'")
        place.wait_for()
        page.evaluate("""() => {
            const link = document.createElement("a");
            link.href = "#sources";
            document.querySelector(".present-bar").append(link);
            link.click();
        }""")
        assert page.locator("#sources h2").is_visible()
        there = place.inner_text()
        page.reload()
        place.wait_for()
        assert place.inner_text() == there
        page.keyboard.press("Home")
        while not page.locator("article figure:visible").count():
            page.keyboard.press("ArrowRight")
        picture = page.locator("article figure img:visible").first
        before = picture.bounding_box()["width"]
        page.keyboard.press("z")
        assert picture.bounding_box()["width"] > before
        page.keyboard.press("z")
        assert picture.bounding_box()["width"] == pytest.approx(before, abs=1)
        while not page.locator("article input:visible").count():
            page.keyboard.press("ArrowRight")
        page.locator("article input:visible").first.focus()
        page.keyboard.press("Escape")
        assert place.count() == 0
        assert found == []


@pytest.mark.long("every reader's needs on every page")
def test_presenter_passes_axe_in_every_state(browser, address):
    """On the screens with a figure, code, exercises; enlarged, and blank."""
    url = f"{address}/{CHAPTER}.html#present"
    with opened(browser, url, width=1920, scheme="dark") as (page, found):
        page.locator(".present-place").wait_for()
        for kind in ("figure", ".cell_input", "#exercises", ".choice"):
            while not page.locator(f"article {kind}:visible").count():
                page.keyboard.press("ArrowRight")
            assert axe(page) == [], kind
            page.keyboard.press("b")
            page.locator(".present-blank").wait_for()
            assert axe(page) == [], "blank"
            page.keyboard.press("b")
            if kind == "figure":
                page.keyboard.press("z")
                page.locator(".present-enlarged").wait_for()
                assert axe(page) == [], "enlarged"
                page.keyboard.press("z")
        assert found == []


def test_copy_buttons_of_a_section(browser, address):
    with opened(browser, f"{address}/{CHAPTER}.html") as (page, _):
        names = page.evaluate("""() => [...document.querySelectorAll(
            ".copybtn")].map((button) => button.getAttribute("aria-label"))""")
        assert len(set(names)) == len(names) > 20
        assert all(name.startswith("Copy ") for name in names)
        focus = "document.activeElement.getAttribute('aria-label')"
        first = page.locator(".copybtn[aria-describedby]:visible").first
        first.focus()
        page.keyboard.press("ArrowDown")
        assert (
            page.evaluate(focus)
            == names[names.index(first.get_attribute("aria-label")) + 1]
        )
        page.keyboard.press("Enter")
        page.get_by_role("status").filter(has_text="Copied!").wait_for(
            state="attached"
        )
        assert page.evaluate(focus) in names


def test_drawers_give_the_focus_back(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with opened(browser, url, width=390) as (page, _):
        for name in ("Contents of the book", "Contents of this page"):
            page.get_by_role("button", name=name).focus()
            page.keyboard.press("Enter")
            page.locator("dialog[open]").wait_for()
            page.keyboard.press("Escape")
            page.wait_for_function(
                "document.activeElement.ariaLabel === " + repr(name)
            )


BLOCKED = """for (const kind of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, kind, { configurable: true,
        get() { throw new DOMException("blocked", "SecurityError"); } });"""


def test_colours_name_their_state_without_storage(browser, address):
    context = browser.new_context()
    context.add_init_script(BLOCKED)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{address}/{PAGES[0]}.html")
    states = []
    for _ in range(3):
        button = page.locator(".theme-switch-button").first
        states.append(button.get_attribute("aria-label"))
        button.click()
    assert states == [
        "Colours: as the system",
        "Colours: dark",
        "Colours: light",
    ]
    page.goto("about:blank")
    assert wrong == []
    context.close()
