"""Presenter mode with its window of notes: what a teacher does in the room.

The notes come from the pages in teaching/, the clock follows a plan, and
screens turn by keys, clicker and finger. All of it from disk as well, and
with storage forbidden.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, expect
from sphinx.errors import ExtensionError

from tests.access_checks import axe, too_wide, unseen_focus
from tests.figure_checks import HANGS
from tests.test_access import BLOCKED
from tests.test_pages import CHAPTERS, ROOT, address, ids, site

sys.path.insert(0, str(ROOT / "_ext"))
import speaker_notes

__all__ = ["address", "site"]

CHAPTER = "chapters/06_resnet"
MINUTE = 60_000
expect.set_options(timeout=HANGS)


# ---- the notes -------------------------------------------------------------

PAGE = """<article class="bd-article"><section><h1>Teaching</h1>
<p>See <a href="../chapters/01_a.html">the chapter</a>.</p>
<section><h2>A lesson of 50 minutes<a class="headerlink">#</a></h2>
<table><tbody><tr><td>20</td><td>First, <code>eval()</code> (drop first)</td>
<td><a href="../chapters/01_a.html#one">One</a></td></tr>
<tr><td>30</td><td>question 2 of the quiz</td><td>the board</td></tr>
</tbody></table><p>Start <a href="../chapters/01_a.html#one">One</a> early.</p>
<p>Or <a href="../chapters/02_b.html#one">another chapter</a>.</p></section>
<section><h2>Misconceptions</h2><table><tbody><tr><td>More is more</td>
<td>question 1 of the quiz, at <a href="../chapters/01_a.html#two">Two</a>
</td></tr></tbody></table></section></section></article>"""


def test_notes_are_what_the_page_says():
    assert speaker_notes.notes(PAGE, "chapters/01_a") == {
        "plans": {
            "50": [
                {
                    "minutes": 20,
                    "what": "First, eval() (drop first)",
                    "at": ["one"],
                    "quiz": [],
                },
                {
                    "minutes": 30,
                    "what": "question 2 of the quiz",
                    "at": [],
                    "quiz": [2],
                },
            ]
        },
        "misconceptions": [
            {
                "think": "More is more",
                "ask": "question 1 of the quiz, at “Two”",
                "at": ["two"],
                "quiz": [1],
            }
        ],
        "hints": [{"text": "Start “One” early.", "at": ["one"]}],
    }


@pytest.mark.parametrize("missing", ["A lesson of 50 minutes", "Misconcep"])
def test_a_page_without_notes_fails_the_build(missing):
    with pytest.raises(ExtensionError, match="chapters/01_a needs a section"):
        speaker_notes.notes(PAGE.replace(missing, "Else"), "chapters/01_a")


def test_notes_of_all_chapters_land(site):
    """Minutes add up, and every anchor is there; so no row is never shown."""
    text = (site / "speaker-notes.js").read_text("utf-8")
    chapters = json.loads(re.fullmatch(r"window.bookNotes = (.*);\n", text)[1])
    pages = {f.stem for f in (ROOT / "teaching").glob("0*.md")}
    assert set(chapters) == {c for c in CHAPTERS if c[9:11] in pages}
    for chapter, notes in chapters.items():
        assert [*notes["plans"]] == ["50", "90"]
        for whole, rows in notes["plans"].items():
            assert sum(row["minutes"] for row in rows) == int(whole)
            assert all(row["at"] for row in rows)
        known = ids(site / f"{chapter}.html")
        rows = [row for plan in notes["plans"].values() for row in plan]
        for one in [*rows, *notes["misconceptions"], *notes["hints"]]:
            assert known.issuperset(one["at"]), (chapter, one)


# ---- two windows -----------------------------------------------------------


@contextmanager
def presented(
    browser: Browser,
    url: str,
    *scripts: str,
    scheme: str = "light",
    **options,
) -> Iterator[tuple[Page, Callable[[], Page], list[str]]]:
    """Present a page, with a clock that goes on when it is told to.

    Args:
        browser: Playwright's browser.
        url: a page of the book.
        scripts: run in every window before its own.
        scheme: "light" or "dark".
        options: of the browser's context.

    Yields:
        The page; a function that opens the window of notes and returns it;
        and a list of what went wrong in either.
    """
    context = browser.new_context(color_scheme=scheme, **options)
    context.set_default_timeout(HANGS)
    wrong = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and wrong.append(message.text)
            ),
        )
        page.on(  # one that is left while it loads is not missing
            "requestfailed",
            lambda request: (
                request.failure != "net::ERR_ABORTED"
                and wrong.append(request.url)
            ),
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith((urljoin(url, "/"), "data:", "blob:"))
                or wrong.append(f"external: {request.url}")
            ),
        )

    context.on("page", watch)
    for script in scripts:
        context.add_init_script(script)
    page = context.new_page()
    page.goto(f"{url}#present")
    page.locator(".present-place").wait_for()

    def notes() -> Page:
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        popup.value.locator("#all:not([hidden])").wait_for()
        return popup.value

    yield page, notes, wrong
    context.close()


def screen_of(page: Page) -> int:
    """The number of the screen that is shown."""
    return int(page.locator(".present-place").inner_text().split(" / ")[0])


def waits(page: Page, condition: str, *arguments) -> None:
    """Wait until something is true in a page."""
    page.wait_for_function(condition, arg=arguments)


def close(page: Page, notes: Page) -> None:
    """Close the window of notes, and wait until the page knows."""
    notes.close()
    waits(page, "() => bookPresenter.getSpeaker().closed")


def put_clock(notes: Page, minutes: float) -> None:
    """Let the clock of a lesson stand where it would after some minutes."""
    notes.evaluate(
        "(ms) => { const real = Date.now; const then = real();"
        "Date.now = () => then + ms + (real() - then); }",
        minutes * MINUTE,
    )


@pytest.mark.parametrize("kind", ["http", "disk"])
def test_a_lesson(browser, address, site, kind):
    file = f"{CHAPTER}.html"
    url = f"{address}/{file}" if kind == "http" else (site / file).as_uri()
    with presented(browser, url) as (page, open_notes, wrong):
        notes = open_notes()
        expect(notes.locator("#place")).to_contain_text("Screen 1 of ")
        expect(notes.locator("#title")).to_contain_text("6. ResNet")
        coming = notes.locator("#next-title").inner_text()
        assert len(notes.locator("#next-words").inner_text()) > 20

        # Both windows turn.
        notes.keyboard.press("PageDown")
        expect(page.locator(".present-place")).to_contain_text("2 / ")
        expect(notes.locator("#title")).to_have_text(coming)
        page.keyboard.press("PageDown")
        expect(notes.locator("#place")).not_to_contain_text("Screen 2 of")
        notes.keyboard.press("b")
        expect(page.locator(".present-blank")).to_have_count(1)
        expect(notes.locator("#state")).to_have_text("The screen is blank.")
        notes.keyboard.press("Escape")
        expect(page.locator(".present-blank")).to_have_count(0)

        # A row of the plan brings its section, and the section its notes.
        row = notes.get_by_role("button", name="Suspects on the board")
        row.click()
        expect(notes.locator("#title")).to_have_text("What it is not")
        expect(row).to_have_attribute("aria-current", "step")
        said = notes.locator("#notes")
        expect(said).to_contain_text("Minutes 6 to 14Suspects on the board")
        expect(said).to_contain_text("ResNet repaired vanishing gradients")
        expect(said).not_to_contain_text("the bias of")
        notes.get_by_role("button", name="by show of hands").click()
        expect(said).to_contain_text("4. A residual block of 2015")
        assert wrong == []


def test_the_clock_follows_the_plan(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url) as (_, open_notes, wrong):
        notes = open_notes()
        pace = notes.locator("#pace")
        expect(pace).to_have_text("Not started.")
        assert notes.locator("#time").get_attribute("aria-live") == "off"
        notes.keyboard.press("c")
        expect(pace).to_have_text("On time.")

        # Minutes 14 to 22.
        notes.get_by_role("button", name="by construction").click()
        expect(pace).to_have_text("13 minutes ahead of the plan.")
        put_clock(notes, 12.5)
        expect(pace).to_have_text("1 minute ahead of the plan.")
        put_clock(notes, 13.5 - 12.5)
        expect(pace).to_have_text("On time.")
        put_clock(notes, 25.2 - 13.5)
        expect(pace).to_have_text("3 minutes behind the plan.")
        expect(notes.locator("#planned")).to_have_text(
            "Planned for minutes 14 to 22."
        )
        notes.get_by_role("button", name="Say the time").click()
        expect(notes.locator("#spoken")).to_contain_text(
            re.compile(r"^25 minutes and \d+ seconds\. 3 minutes behind")
        )

        # The plan of 90 minutes has this section later.
        notes.locator("#plan").select_option("90")
        expect(pace).to_have_text("5 minutes ahead of the plan.")
        expect(notes.locator("#time")).to_contain_text(" of 90:00")
        notes.locator("#plan").select_option("")
        expect(pace).to_have_text("")
        expect(notes.locator("#rows-section")).to_be_hidden()
        said = notes.locator("#notes")
        expect(said).to_contain_text("In 50 minutes")
        expect(said).to_contain_text("In 90 minutes")

        notes.get_by_role("button", name="Pause").click()
        expect(pace).to_have_text("Paused.")
        put_clock(notes, 5)
        expect(notes.locator("#time")).to_contain_text(re.compile(r"^25:"))
        notes.get_by_role("button", name="Go on").click()
        expect(pace).not_to_have_text("Paused.")
        notes.get_by_role("button", name="Reset").click()
        expect(notes.locator("#time")).to_have_text("0:00")
        expect(pace).to_have_text("Not started.")
        assert wrong == []


def test_a_section_without_a_row_has_the_minutes_before_it(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url) as (page, open_notes, _):
        notes = open_notes()
        planned = notes.locator("#planned")
        expect(planned).to_have_text("The plan begins after this screen.")
        page.evaluate("bookPresenter.do.show('batch-normalisation')")
        expect(planned).to_contain_text("By now 14 minutes were to be over")
        assert notes.locator("[aria-current]").count() == 0


@pytest.mark.parametrize("forbidden", [False, True])
def test_reloads(browser, address, forbidden):
    """Either window finds the other again, and the clock goes on."""
    url = f"{address}/{CHAPTER}.html"
    scripts = [BLOCKED] if forbidden else []
    with presented(browser, url, *scripts) as (page, open_notes, wrong):
        notes = open_notes()
        expect(notes.locator("#forgets")).to_be_visible(visible=forbidden)
        notes.keyboard.press("c")
        put_clock(notes, 7)
        notes.keyboard.press("c")  # paused, so that it is kept
        expect(notes.locator("#time")).to_contain_text(re.compile("^7:"))
        page.reload()
        page.locator(".present-place").wait_for()
        notes.keyboard.press("PageDown")
        waits(page, "() => bookPresenter.getSpeaker()")
        turned = screen_of(page)
        notes.keyboard.press("PageDown")
        expect(page.locator(".present-place")).not_to_have_text(
            re.compile(f"^{turned} /")
        )
        if not forbidden:
            notes.reload()
            notes.locator("#all:not([hidden])").wait_for()
            expect(notes.locator("#time")).to_contain_text(re.compile("^7:"))
            close(page, notes)
            notes = open_notes()
        expect(notes.locator("#time")).to_contain_text(re.compile("^7:"))
        assert wrong == []


def test_the_window_says_when_nobody_presents(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url) as (page, open_notes, wrong):
        notes = open_notes()
        trouble = notes.locator("#trouble")
        expect(trouble).to_be_hidden()
        page.keyboard.press("p")
        expect(trouble).to_contain_text("not presented now")
        page.keyboard.press("p")
        expect(trouble).to_be_hidden()
        page.goto("about:blank")
        put_clock(notes, 1)
        expect(trouble).to_contain_text("does not answer")
        notes.goto(f"{address}/_static/speaker.html")
        assert wrong == []


def test_opened_alone_it_says_what_it_is(browser, address):
    page = browser.new_page()
    page.goto(f"{address}/_static/speaker.html")
    expect(page.locator("#trouble")).to_contain_text("press p there")
    assert page.locator("#all").is_hidden()
    page.close()


def test_a_blocked_window_and_a_clock_without_one(browser, address):
    script = "window.open = () => null;"
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url, script) as (page, _, wrong):
        note = page.locator(".present-note")
        page.keyboard.press("c")
        expect(note).to_contain_text("press Notes first")
        page.get_by_role("button", name="Notes and clock").click()
        expect(note).to_contain_text("Allow pop-ups")
        page.keyboard.press("PageDown")
        expect(note).to_have_text("")
        assert wrong == []


def test_a_page_without_a_page_for_teachers(browser, address):
    url = f"{address}/distributed.html"
    with presented(browser, url) as (_, open_notes, wrong):
        notes = open_notes()
        expect(notes.locator("#notes")).to_contain_text("has no notes")
        expect(notes.locator("#rows-section")).to_be_hidden()
        notes.keyboard.press("c")
        expect(notes.locator("#run")).to_have_text("Pause")
        assert wrong == []


def test_only_its_own_window_may_ask(browser, address):
    """Another page, in a frame, sends the same messages in vain."""
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url) as (page, _, _):
        waits(page, "() => window.bookNotes && bookPresenter")
        page.evaluate("""() => new Promise((done) => {
            const frame = document.createElement("iframe");
            frame.srcdoc = `<script>parent.postMessage(
                { book: "speaker", do: "turn", value: 5 }, "*");</` +
                "script>";
            addEventListener("message", () => setTimeout(done));
            document.body.append(frame);
        })""")
        assert screen_of(page) == 1


def test_nothing_of_it_is_loaded_before(browser, address):
    asked = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    assert not [url for url in asked if "speaker" in url]
    page.keyboard.press("p")
    waits(page, "() => window.bookNotes")
    assert len([url for url in asked if "speaker" in url]) == 2
    page.close()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(1280, "light"), (390, "dark"), (390, "light"), (1280, "dark")],
)
def test_every_reader(browser, address, width, scheme):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url, scheme=scheme) as (_, open_notes, wrong):
        notes = open_notes()
        notes.set_viewport_size({"width": width, "height": 800})
        notes.keyboard.press("c")
        notes.get_by_role("button", name="Suspects on the board").click()
        expect(notes.locator("#title")).to_have_text("What it is not")
        assert notes.evaluate("document.documentElement.dataset.theme") == (
            scheme
        )
        notes.locator("summary").click()
        assert axe(notes) == []
        if scheme == "light":
            assert unseen_focus(notes) == []
        if width == 390:
            notes.set_viewport_size({"width": 320, "height": 800})
            assert too_wide(notes) == []
        else:
            notes.emulate_media(forced_colors="active")
            assert unseen_focus(notes) == []
        small = notes.evaluate("""() => [...document.querySelectorAll(
            "button, select")].filter((one) => one.checkVisibility()
                && (one.offsetWidth < 44 || one.offsetHeight < 44))
            .map((one) => one.textContent)""")
        assert small == []
        assert wrong == []


LOW_HEADINGS = """() => [...document.querySelectorAll("section > h3")].filter(
    (heading) => {
        bookPresenter.do.show(heading.parentElement.id);
        return heading.getBoundingClientRect().top > innerHeight / 2;
    }).map((heading) => heading.textContent)"""


def test_a_section_of_a_plan_does_not_begin_at_the_bottom(browser, address):
    url = f"{address}/{CHAPTER}.html"
    wall = {"width": 1920, "height": 1080}
    with presented(browser, url, viewport=wall) as (page, _, wrong):
        assert page.locator("section > h3").count() > 15
        assert page.evaluate(LOW_HEADINGS) == []
        assert wrong == []


# ---- clicker and finger ----------------------------------------------------


def test_a_clicker(browser, address):
    url = f"{address}/{CHAPTER}.html"
    taken = """(key) => !document.body.dispatchEvent(new KeyboardEvent(
        "keydown", { key, bubbles: true, cancelable: true }))"""
    with presented(browser, url) as (page, _, wrong):
        page.keyboard.press("PageDown")
        assert screen_of(page) == 2
        page.keyboard.press("PageUp")
        assert screen_of(page) == 1
        for key in (".", "b"):
            page.keyboard.press(key)
            assert page.locator(".present-blank").count() == 1
            page.keyboard.press(key)
            assert page.locator(".present-blank").count() == 0
        page.evaluate("window.stays = true")
        page.keyboard.press("F5")
        page.keyboard.press("Shift+F5")
        assert page.evaluate("window.stays") and page.evaluate(taken, "F5")
        page.keyboard.press("Escape")
        assert page.locator(".present-bar").count() == 0
        assert not page.evaluate(taken, "F5"), "then it reloads, as ever"
        page.keyboard.press(".")
        assert page.locator(".present-blank").count() == 0
        assert wrong == []


def test_a_clicker_turns_although_the_mouse_was_in_a_slider(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url) as (page, _, _):
        page.evaluate("bookPresenter.do.show('take-a-block-out')")
        page.evaluate("""() => {
            const field = document.createElement("input");
            field.type = "range";
            field.id = "slider";
            document.querySelector("#take-a-block-out > :is(h2, h3)")
                .append(field);
        }""")
        field = page.locator("#slider")
        here = screen_of(page)
        field.focus()
        page.keyboard.press("PageUp")
        assert screen_of(page) == here, "keys move the slider"
        field.click()
        page.keyboard.press("PageUp")
        assert screen_of(page) == here - 1


def test_a_figure_is_operated_while_presenting(browser, address):
    """By mouse and by keys, which lead within it and turn no screen."""
    url = f"{address}/{CHAPTER}.html"
    wall = {"width": 1920, "height": 1080}
    with presented(browser, url, viewport=wall) as (page, _, wrong):
        page.evaluate("bookPresenter.do.show('take-a-block-out')")
        viewer = page.locator(".network_viewer")
        while not viewer.is_visible():
            page.keyboard.press("ArrowRight")
        says = viewer.locator(".network_viewer-summary")
        expect(says).to_have_text(re.compile("^All blocks on.*says airplane"))
        here = screen_of(page)

        viewer.get_by_role("button", name="truck").click()
        expect(says).to_have_text(re.compile("^All blocks on.*says truck"))
        viewer.get_by_role("switch", name="Block 3").click()
        expect(says).to_have_text(re.compile("^Off: 3. The"))
        stands = page.evaluate("scrollY")
        for key in ("ArrowRight", "Enter"):
            page.keyboard.press(key)
        expect(says).to_have_text(re.compile("^Off: 3, 4. The"))
        page.keyboard.press("Home")
        page.keyboard.press(" ")
        expect(says).to_have_text(re.compile("^Off: 1, 3, 4. The"))
        for _ in range(12):  # past the last one
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(says).to_have_text(re.compile("^Off: 1, 3, 4, 9. The"))
        assert (screen_of(page), page.evaluate("scrollY")) == (here, stands)

        page.keyboard.press("PageUp")
        assert screen_of(page) == here - 1, "a clicker turns all the same"
        assert wrong == []


def swipe(page: Page, client, x: int, y: int, dx: int, dy: int = 0) -> None:
    """Move a finger over the page, as Chromium's own touch screen does."""
    client.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]},
    )
    for part in (0.5, 1):
        point = {"x": x + part * dx, "y": y + part * dy}
        client.send(
            "Input.dispatchTouchEvent",
            {"type": "touchMove", "touchPoints": [point]},
        )
    client.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )


def test_a_finger(browser, address):
    url = f"{address}/{CHAPTER}.html"
    with presented(browser, url, has_touch=True) as (page, _, wrong):
        client = page.context.new_cdp_session(page)
        swipe(page, client, 600, 300, -200)
        assert screen_of(page) == 2
        swipe(page, client, 600, 300, 200)
        assert screen_of(page) == 1
        swipe(page, client, 600, 300, -30)
        swipe(page, client, 600, 300, -100, 90)
        assert screen_of(page) == 1, "too short, or more down than left"

        # A figure keeps its swipes, and so does code that scrolls sideways.
        page.evaluate("bookPresenter.do.show('take-a-block-out')")
        while not page.locator("[data-mounted]:visible").count():
            page.keyboard.press("ArrowRight")
        here = screen_of(page)
        box = page.locator("[data-mounted]:visible").bounding_box()
        swipe(page, client, int(box["x"]) + 250, int(box["y"]) + 20, -200)
        assert screen_of(page) == here
        page.evaluate("""() => {
            const code = document.createElement("pre");
            code.style = "overflow: auto; width: 300px; position: fixed;"
                + "top: 0; left: 0; height: 90px; z-index: 99";
            code.textContent = "x".repeat(300);
            document.querySelector("article").append(code);
        }""")
        swipe(page, client, 250, 40, -200)
        assert screen_of(page) == here
        page.evaluate("document.querySelector('article > pre').remove()")
        swipe(page, client, 10, 40, 200)
        assert screen_of(page) == here - 1

        small = page.evaluate("""() => [...document.querySelectorAll(
            ".present-bar button:not([hidden])")].filter((one) =>
            one.offsetWidth < 44 || one.offsetHeight < 44).length""")
        assert small == 0
        assert wrong == []


# ---- storage forbidden -----------------------------------------------------


@pytest.mark.parametrize("kind", ["http", "disk"])
def test_a_chapter_with_storage_forbidden(browser, address, site, kind):
    """Quiz, numbers and guesses work, and say what is not kept."""
    file = f"{CHAPTERS[0]}.html"
    url = f"{address}/{file}" if kind == "http" else (site / file).as_uri()
    with presented(browser, url, BLOCKED) as (page, open_notes, wrong):
        page.keyboard.press("Escape")
        status = page.locator(".questions-progress [role=status]")
        expect(status).to_contain_text("leaving the page forgets your answers")
        page.locator("#quiz details.choice summary").first.click()
        expect(status).to_contain_text(re.compile("^1 of"))
        form = page.locator(".numeric-form").first
        form.locator("input").fill("many")
        form.locator("button").click()
        expect(form.locator("output")).to_contain_text("is not a number")
        form.locator("input").fill("26")
        form.locator("button").click()
        expect(form.locator("output")).to_have_text("Right.")
        expect(status).to_contain_text(re.compile("^2 of"))
        saved = json.loads(page.evaluate("bookStore.export()"))
        assert len(saved["kept"][f"answers/{CHAPTERS[0]}"]) == 2

        # What was answered is there after a presentation, too.
        page.keyboard.press("p")
        notes = open_notes()
        expect(notes.locator("#forgets")).to_be_visible()
        notes.keyboard.press("c")
        expect(notes.locator("#pace")).not_to_have_text("Not started.")
        close(page, notes)
        notes = open_notes()
        expect(notes.locator("#run")).to_have_text("Pause")
        page.keyboard.press("Escape")
        expect(status).to_contain_text(re.compile("^2 of"))
        assert wrong == []


# ---- Firefox ---------------------------------------------------------------


@pytest.mark.long("the figures in Firefox and, where it is, WebKit")
def test_a_lesson_in_firefox(firefox, site):
    """From disk, where its windows are strangers to each other."""
    firefox.open(site / f"{CHAPTER}.html")
    driver = firefox.driver
    page = driver.current_window_handle
    firefox.press("p", "s")
    end = time.monotonic() + HANGS / 1000
    while len(driver.window_handles) < 2:
        assert time.monotonic() < end, "no second window"
        time.sleep(0.1)
    (notes,) = {*driver.window_handles} - {page}
    driver.switch_to.window(notes)
    firefox.wait_for("#place", "Screen 1 of ")
    firefox.press("PageDown")
    firefox.wait_for("#place", "Screen 2 of ")
    firefox.press("c")
    firefox.wait_for("#run", "Pause")
    firefox.run("document.querySelectorAll('#rows button')[1].click();")
    firefox.wait_for("#title", "What it is not")
    firefox.wait_for("#notes", "ResNet repaired vanishing gradients")
    firefox.wait_for("#pace", "5 minutes ahead of the plan.")
    driver.switch_to.window(page)
    assert firefox.count("article h2:not(.present-off)") > 0
    driver.refresh()
    driver.switch_to.window(notes)
    # The page is still loading, and nobody hears a click until it presents.
    end = time.monotonic() + HANGS / 1000
    while "Representable is not learnable" not in firefox.text("#title"):
        assert time.monotonic() < end, firefox.text("#title")
        firefox.run("document.querySelectorAll('#rows button')[2].click();")
        time.sleep(0.1)
    driver.close()
    driver.switch_to.window(page)
    own = [said for said in firefox.said if not said.startswith("[PST]")]
    assert own == []
