"""Quizzes, numeric questions and what the browser remembers of them.

A small page made from Markdown, as chapters write it, opened from disk with
the book's scripts; and the questions of the built chapters themselves.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.figure_checks import HANGS
from tests.test_pages import (
    AXE,
    AXE_RUN,
    CHAPTERS,
    opened,
    site,
    views,
)
from tools.measure_pages import served

__all__ = ["site"]

ASSETS = Path(__file__).parents[1] / "_assets"
TEXT = """# A chapter

**Predict.** How many pixels has the row?

<details class="numeric" data-answer="1234" data-unit="pixels"
  data-hint-1200="Do not round." data-hint-half="Both halves, please."
  data-hint-double="One half too many." data-hint-third="Three of them."
  data-hint-triple="One of them." data-hint-below="The last one, too."
  data-hint-above="Without the fence." data-hint-magnitude="Count the zeros."
  ><summary>Answer</summary>

1,234: we counted them.

</details>

## Share

Which share is it?

<details class="numeric" data-answer="8.2" data-tolerance="1%"
  data-unit="%"><summary>Answer</summary>

8.2 %: a twelfth or so.

</details>

## Quiz

**1. How many?**

<details class="choice"><summary>3</summary>

No, there are more of them.

</details>
<details class="choice"><summary>4</summary>

Right. Two and two.

</details>

**2. Why?**

<details class="choice"><summary>Because.</summary> Right: so it is.</details>
<details class="choice"><summary>Why not?</summary> It is no answer.</details>

## Sources

Here and there.
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """Where the small page lies on the disk."""
    scripts = "".join(
        f'<script defer src="{(ASSETS / name).as_uri()}"></script>'
        for name in ("store.js", "access.js", "questions.js", "present.js")
    )
    article = MarkdownIt("commonmark").render(TEXT)
    sections = article.replace("<h2>", "</section><section><h2>")
    file = tmp_path_factory.mktemp("questions") / "page.html"
    for name in ("speaker-notes.js", "_static/speaker_host.js"):
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).touch()  # what a presentation loads
    file.write_text(
        "<!DOCTYPE html><html lang='en' data-content_root='./'>"
        "<meta charset='utf-8'><title>A</title>"
        f"<link rel='stylesheet' href='{(ASSETS / 'book.css').as_uri()}'>"
        "<script>DOCUMENTATION_OPTIONS = {pagename: 'a'}</script>"
        f"{scripts}<main><article class='bd-article'><section>{sections}"
        "</section></article></main><footer class='extra_footer'></footer>",
        "utf-8",
    )
    return file.as_uri()


@contextmanager
def page_of(
    browser: Browser, address: str, script: str = ""
) -> Iterator[tuple[Page, BrowserContext, list[str]]]:
    """Open the page as a new reader, after a script; collect its errors."""
    context = browser.new_context()
    context.set_default_timeout(HANGS)
    context.add_init_script(script)
    page = context.new_page()
    wrong = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    yield page, context, wrong
    context.close()


def progress(page: Page) -> tuple[int, int]:
    """How many questions were answered, and how many right at once."""
    words = page.locator(".questions-progress [role=status]").inner_text()
    assert words.split()[1:3] == ["of", "4"]
    return int(words.split()[0]), int(words.split(", ")[1].split()[0])


def marks(page: Page) -> list[str]:
    """What each option says of the reader's choice."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".choice")].map(
            (option) => option.classList[1] ?? "")"""
    )


def answer(page: Page, number: int, typed: str) -> str:
    """Type an answer to a numeric question, Enter; what the page says."""
    form = page.locator(".numeric-form").nth(number)
    form.locator("input").fill(typed)
    form.locator("input").press("Enter")
    return form.locator("output").inner_text()


def test_quiz_by_keyboard(browser, address):
    with page_of(browser, address) as (page, _, wrong):
        assert progress(page) == (0, 0)
        again = page.get_by_role("button", name="Start again")
        assert not again.is_visible()
        options = page.locator(".choice > summary")
        options.nth(0).focus()
        page.keyboard.press("Enter")
        assert progress(page) == (1, 0)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert progress(page) == (1, 0), "only the first choice counts"
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert progress(page) == (2, 1)
        chosen = ["chosen-wrong", "chosen-right", "chosen-right", ""]
        assert marks(page) == chosen

        page.reload()
        assert (progress(page), marks(page)) == ((2, 1), chosen)
        again.focus()
        page.keyboard.press("Enter")
        assert (progress(page), marks(page)) == ((0, 0), [""] * 4)
        assert page.locator(".choice[open]").count() == 0
        focused = page.evaluate("document.activeElement.textContent")
        assert focused == "3", "the quiz, not a question far above it"
        page.reload()
        assert progress(page) == (0, 0)
        assert wrong == []


TYPED = {
    "1234": "Right.",
    " 1,234 ": "Right.",
    "1 234": "Right.",
    "1\u202f234": "Right.",
    "1'234": "Right.",
    "+1234.0": "Right.",
    "1234,0": "Right.",
    "1.234e3": "Right.",
    "1,234 Pixels": "Right.",
    "1.234 × 10^3": "Right.",
    "1.234·10³": "Right.",
    "123400 %": "Right.",
    "617": "Not yet. Both halves, please.",
    "2,468": "Not yet. One half too many.",
    "3702": "Not yet. One of them.",
    "1233": "Not yet. The last one, too.",
    "1235": "Not yet. Without the fence.",
    "12.34": "Not yet. Count the zeros.",
    "1.234": "Not yet. Count the zeros.",
    "1.234.000": "Not yet. Count the zeros.",
    "1.200,0": "Not yet. Do not round.",
    "1300": "Not yet: too large.",
    "0": "Not yet: too small.",
    "−1234": "Not yet: too small.",
    "0,617": "Not yet: too small.",
    "": "Type a number first.",
    "12 34": "“12 34” is not a number. Write it like 1,234 or 1.5e6.",
    "many": "“many” is not a number. Write it like 1,234 or 1.5e6.",
    "1e999": "“1e999” is not a number. Write it like 1,234 or 1.5e6.",
    ".": "“.” is not a number. Write it like 1,234 or 1.5e6.",
}


def test_numbers_as_readers_write_them(browser, address):
    with page_of(browser, address) as (page, _, wrong):
        assert {typed: answer(page, 0, typed) for typed in TYPED} == TYPED
        share = {"8.2": "Right.", "8,2 %": "Right.", "8.25%": "Right."}
        share |= {"8.3": "Not yet: too large.", "0.082": "Not yet: too small."}
        assert {typed: answer(page, 1, typed) for typed in share} == share
        assert wrong == []


def test_only_the_first_number_counts(browser, address):
    with page_of(browser, address) as (page, _, _):
        answer(page, 0, "many")
        assert progress(page) == (0, 0), "that was no answer"
        folded = page.locator(".numeric").nth(0)
        answer(page, 0, "617")
        assert not folded.evaluate("(details) => details.open")
        answer(page, 0, "1234")
        assert folded.evaluate("(details) => details.open")
        assert progress(page) == (1, 0)
        page.locator(".numeric > summary").nth(1).click()
        assert progress(page) == (2, 0), "looking it up is no right answer"
        assert answer(page, 1, "8.2") == "Right."
        assert progress(page) == (2, 0)

        page.reload()
        form = page.locator(".numeric-form").nth(0)
        assert form.locator("input").input_value() == "1234"
        assert form.locator("output").inner_text() == "Right."
        page.get_by_role("button", name="Start again").click()
        assert form.locator("input").input_value() == ""
        assert form.locator("output").inner_text() == ""
        answer(page, 0, "1234")
        assert progress(page) == (1, 1)


def test_a_journey_in_each_engine(engine, address):
    """Guess a number twice, look one up, choose two options; keys only."""
    file = Path(url2pathname(urlsplit(address).path))
    engine.open(file)
    engine.run("localStorage.clear();")  # Firefox keeps one for all files
    engine.open(file)
    engine.focus(".numeric-form input")
    engine.press(*"12,34", "Enter")
    said = ".numeric-form output"
    assert engine.text(said) == "Not yet. Count the zeros."
    engine.fill(".numeric-form input", "1 234")
    engine.press("Enter")
    assert engine.text(said) == "Right."
    engine.press("Tab", "Tab", "Tab", "Tab", "Tab")  # Check ... Answer
    engine.press("Enter", "Tab", "Enter", "Tab", "Enter")
    status = ".questions-progress [role=status]"
    expected = "3 of 4 questions of this chapter answered, 0 right"
    assert engine.text(status).startswith(expected)
    engine.press("Tab", "Space")
    expected = "4 of 4 questions of this chapter answered, 1 right"
    assert engine.text(status).startswith(expected)
    kept = json.loads(engine.run("return bookStore.export();"))["kept"]
    assert len(kept["answers/a"]) == 4
    engine.press("Tab", "Tab", "Enter")  # Start again
    assert engine.text(status).startswith("0 of 4")
    assert engine.run("return bookStore.names();") == []
    assert engine.said == []


FORBIDDEN = {
    "forbidden": """Object.defineProperty(window, "localStorage",
        {get() { throw new DOMException("no", "SecurityError"); }})""",
    "absent": 'Object.defineProperty(window, "localStorage", {value: null})',
    "full": """Storage.prototype.setItem = () => {
        throw new DOMException("no", "QuotaExceededError"); }""",
}


@pytest.mark.parametrize("how", FORBIDDEN)
def test_storage_that_is(browser, address, how):
    with page_of(browser, address, FORBIDDEN[how]) as (page, _, wrong):
        page.locator(".choice > summary").nth(1).click()
        assert answer(page, 0, "1234") == "Right."
        assert progress(page) == (2, 2)
        page.locator(".remembers > summary").click()
        said = page.locator(".remembers [role=status]")
        expect(said).to_contain_text("keeps nothing new")
        expect(said).to_contain_text("Answers remembered: 2.")
        page.keyboard.press("p")
        page.keyboard.press("Escape")
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Delete all").click()
        expect(said).to_contain_text("Answers remembered: 0.")
        assert progress(page) == (0, 0)
        assert wrong == []


NAME = "modern-convnets/answers/a"
QUESTION = "1. How many?"


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("{", 0),
        ("null", 0),
        ("[7]", 0),
        ('"text"', 0),
        (json.dumps({QUESTION: 7}), 0),
        (json.dumps({QUESTION: {"tried": "3"}}), 0),
        (json.dumps({QUESTION: {"tried": [7, None, "gone"]}}), 1),
        (json.dumps({"A question of last year?": {"tried": ["3"]}}), 0),
    ],
)
def test_what_is_kept_may_be_damaged(browser, address, kept, expected):
    script = f"localStorage.setItem({NAME!r}, {kept!r})"
    with page_of(browser, address, script) as (page, _, wrong):
        assert progress(page) == (expected, 0)
        page.locator(".choice > summary").nth(2).click()
        assert progress(page) == (expected + 1, 1)
        assert wrong == []


def test_export_and_delete_all(browser, address):
    others = "localStorage.setItem('another-book', '1')"
    with page_of(browser, address, others) as (page, context, wrong):
        page.locator(".choice > summary").nth(0).click()
        answer(page, 0, "617")
        page.locator(".remembers > summary").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as a file").click()
        assert download.value.suggested_filename == "modern-convnets.json"
        saved = Path(download.value.path()).read_text("utf-8")
        assert json.loads(saved) == {
            "book": "Modern Convolutional Networks",
            "kept": {
                "answers/a": {
                    QUESTION: {"right": False, "tried": ["3"]},
                    "Predict. How many pixels has the row?": {
                        "right": False,
                        "tried": ["617"],
                    },
                }
            },
        }

        erase = page.get_by_role("button", name="Delete all")
        page.once("dialog", lambda dialog: dialog.dismiss())
        erase.click()
        assert progress(page) == (2, 0), "the reader said no"
        page.once("dialog", lambda dialog: dialog.accept())
        erase.click()
        assert progress(page) == (0, 0)
        left = page.evaluate("Object.keys(localStorage)")
        assert left == ["another-book"]
        assert wrong == []


def test_presenter_goes_on_where_it_was_interrupted(browser, address):
    with page_of(browser, f"{address}#present") as (page, _, wrong):
        place = page.locator(".present-place")
        assert place.inner_text() == "1 / 4"
        page.keyboard.press("ArrowRight")
        page.reload()
        assert place.inner_text() == "2 / 4"
        page.keyboard.press("End")
        page.reload()
        assert place.inner_text() == "4 / 4"
        page.goto("about:blank")
        page.goto(f"{address}#present")
        assert place.inner_text() == "1 / 4", "the end was reached"
        page.keyboard.press("ArrowRight")
        assert page.evaluate("bookStore.names()") == ["present"]
        page.keyboard.press("Escape")
        assert page.evaluate("bookStore.names()") == []
        assert wrong == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_number_of_a_chapter(browser, site, chapter):
    """Its answer is right, and each hint is what a reader gets to see."""
    expected = """() => [...document.querySelectorAll(".numeric")].map(
        ({attributes, dataset}) => [[dataset.answer, "Right."],
            ...[...attributes].filter(({name}) => /hint-[\\d.]+$/.test(name))
            .map(({name, value}) => [name.slice(10), `Not yet. ${value}`])])"""
    url = (site / f"{chapter}.html").as_uri()
    with opened(browser, url) as (page, found):
        questions = page.evaluate(expected)
        assert len(questions) >= 2
        for number, sentences in enumerate(questions):
            for typed, says in reversed(sentences):
                assert answer(page, number, typed) == says
        assert found == []


@views((390, "dark"))
def test_axe_after_answers(browser, site, width, scheme):
    mine = '[".numeric-form"], ["#quiz"], [".remembers"]'
    with (
        served(site) as home,
        opened(
            browser, f"{home}/{CHAPTERS[0]}.html", width=width, scheme=scheme
        ) as (page, found),
    ):
        for option in page.locator(".choice > summary").all()[:4]:
            option.click()
        answer(page, 0, "7")
        answer(page, 1, "seven")
        page.locator(".remembers > summary").click()
        page.evaluate(AXE)
        axe = AXE_RUN.replace('["article.bd-article"]', mine)
        assert page.evaluate(axe) == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert found == []
