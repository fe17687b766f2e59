"""Print the chapters, for students and for teachers: make editions

    python tools/handouts.py [06_resnet ...]

From the pages in _build/html Chromium prints, for each chapter of _toc.yml or
for those that are named, _build/editions/student/06_resnet.pdf, with room to
write and no answers, and _build/editions/teacher/06_resnet.pdf, with all of
them and with the chapter's plan. The concept test on paper, with its key on
the last page, becomes _build/editions/teacher/concept_test.pdf.
"""

import argparse
import functools
import html
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import yaml
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.editions import GUESS

SITE = ROOT / "_build" / "html"
EDITIONS = ROOT / "_build" / "editions"
TEST = ROOT / "teaching" / "concept_test_form.html"
KINDS = ("student", "teacher")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")
STYLE = Path(__file__).with_suffix(".css").read_text("utf-8")

# Where figures get their ids; the same in each run, as the file is to be.
NO_CHANCE = "let drawn = 0; Math.random = () => (drawn += 1e-6) % 1;"

HANGS = 120_000  # milliseconds
WIDTH = 643  # of a line on A4, in pixels

NOTE = {
    "student": "Modern Convolutional Networks. A handout for students: "
    "answers and solutions are left out, and there is room for yours.",
    "teacher": "Modern Convolutional Networks. For teachers: with all "
    "answers and solutions, and the plan of the lesson at the end.",
}

# What shows most on paper: the words of buttons to press, options to choose.
TELLING = {"growing_network": "VGG D", "network_viewer": ": convolution"}

READY = """async () => {
    document.dispatchEvent(new Event("mount-figures"));
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map(
        (image) => image.decode().catch(() => null)));
    await document.fonts.ready;
    // A network comes when its figure is in sight.
    for (const figure of document.querySelectorAll("[data-figure]")) {
        figure.scrollIntoView({ behavior: "instant" });
        await new Promise((done) => setTimeout(done, 100));
    }
}"""
WAITING = """() =>
    !document.querySelector("article [data-figure]:not([data-mounted])") &&
    [...document.querySelectorAll(".network_viewer-summary")].every(
        (node) => /says/.test(node.textContent))"""
CHOOSE = """([name, words]) => {
    for (const figure of document.querySelectorAll(`div.${name}`)) {
        const node = [...figure.querySelectorAll("button, option")].find(
            (one) => one.textContent.includes(words));
        if (!node) throw new Error(`${name} has nothing called ${words}`);
        if (node.matches("button")) node.click();
        else {
            node.selected = true;
            node.parentElement.dispatchEvent(new Event("change"));
        }
    }
}"""


def chapters() -> list[str]:
    """The chapters of the book, as _toc.yml lists them: "06_resnet"."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    files = [Path(entry["file"]) for entry in toc["chapters"]]
    return [file.name for file in files if file.parent.name == "chapters"]


def find_browser() -> str:
    """The program that prints; ends with a sentence where there is none."""
    names = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else BROWSERS
    for name in names:
        if program := shutil.which(name):
            return program
    sys.exit(
        f"Chromium prints the handouts, and there is no {', no '.join(names)} "
        "here. Install Chromium or Chrome (Debian: apt install chromium), or "
        "say where it is: make editions CHROMIUM=/path/to/chrome"
    )


@functools.cache
def _page(file: Path) -> tuple[str, str, list[tuple[int, str]]]:
    """The article of a page, its title, where its headings stand."""
    text = file.read_text("utf-8")
    text = text[text.index("<article") : text.index("</article>")]
    headings = [
        (found.start(), _words(found[1]))
        for found in re.finditer(r"<h[1-6]>(.*?)</h[1-6]>", text, re.DOTALL)
    ]
    return text, headings[0][1] if headings else "", headings


def _words(markup: str) -> str:
    """A heading's words, without the sign of its link."""
    markup = re.sub(r'<a class="headerlink".*?</a>', "", markup)
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()


def _heading(file: Path, anchor: str) -> str:
    """The heading that an anchor of a page stands below, or is."""
    text, _, headings = _page(file)
    found = re.search(rf'\bid="{re.escape(anchor)}"', text)
    if not found:
        return ""
    # A section has its anchor right before its heading.
    if after := re.match(
        r"[^<]*>\s*(?:<span[^>]*></span>\s*)*<h", text[found.end() :]
    ):
        place = found.end() + after.end()
    else:
        place = found.start()
    return [words for start, words in headings if start <= place][-1]


def places(page: Path, plan: Path | None) -> dict[str, dict]:
    """Say where the links of a chapter, and of its plan, lead in the book.

    Returns:
        For each address, as the browser has it: "text", a place in words, and
        "inner", the link within the handout, or "" where it leads elsewhere.
    """
    found = {}
    parts = {page: "#", plan: "#teaching-"}
    for file in filter(None, parts):
        for link in re.findall(r'<a [^>]*?href="([^"]+)"', _page(file)[0]):
            address = urljoin(file.as_uri(), html.unescape(link))
            start, anchor = urldefrag(address)
            target = Path(url2pathname(urlsplit(start).path))
            if not start.startswith("file:") or not target.is_file():
                continue
            title, place = _page(target)[1], []
            if target not in parts:
                number = re.match(r"(\d+)\. ", title)
                place = [f"chapter {number[1]}" if number else f"“{title}”"]
            heading = _heading(target, unquote(anchor)) if anchor else title
            if heading != title:
                place.append(f"“{heading}”")
            inner = anchor and target in parts and parts[target] + anchor
            found[address] = {"text": ", ".join(place), "inner": inner or ""}
    return found


@contextmanager
def handout(
    browser: Browser, name: str, kind: str, *, site: Path = SITE
) -> Iterator[Page]:
    """Open a chapter's page and make a handout of it, ready to be printed.

    Args:
        browser: Playwright's Chromium.
        name: the chapter, "06_resnet".
        kind: "student" or "teacher".
        site: the built pages.

    Raises:
        RuntimeError: the page is not complete, or asks for something that is
            not in the book.
    """
    page = site / "chapters" / f"{name}.html"
    plan = site / "teaching" / f"{name[:2]}.html"
    plan = plan if kind == "teacher" else None
    title = _page(page)[1]
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900}, color_scheme="light"
    )
    context.set_default_timeout(HANGS)
    context.add_init_script(NO_CHANCE)
    tab, wrong = context.new_page(), []
    tab.on("request", lambda request: wrong.extend(_elsewhere(request.url)))
    tab.on("requestfailed", lambda request: wrong.append(request.url))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(page.as_uri())
    tab.evaluate(READY)
    tab.wait_for_function(WAITING)
    for choice in TELLING.items():
        tab.evaluate(CHOOSE, choice)
    tab.add_style_tag(content=STYLE + _running(title, kind))
    tab.emulate_media(media="print")
    tab.evaluate(
        SCRIPT,
        {
            "edition": kind,
            "plan": plan and plan.as_uri(),
            "teaching": plan and _page(plan)[0].partition(">")[2],
            "places": places(page, plan),
            "guess": GUESS.pattern,
            "title": title,
            "note": NOTE[kind],
        },
    )
    if wrong:
        raise RuntimeError(f"{page} is not complete: {', '.join(wrong)}")
    yield tab
    context.close()


def _elsewhere(url: str) -> list[str]:
    """The address, unless it is of a file or of something in the page."""
    return [] if url.startswith(("file:", "data:", "blob:")) else [url]


def steady(pdf: bytes) -> bytes:
    """The PDF that the same page gives at any time, of the same length.

    Chromium writes when it printed, and names elements by numbers of which
    only the order is the page's own.
    """
    pdf = re.sub(
        rb"/(?:Creation|Mod)Date \(D:[^)]*\)",
        lambda found: b" " * len(found[0]),
        pdf,
    )
    names = sorted(set(re.findall(rb"\(node(\d+)\)", pdf)))
    new = {old: b"%0*d" % (len(old), i) for i, old in enumerate(names)}
    return re.sub(
        rb"\(node(\d+)\)", lambda found: b"(node%b)" % new[found[1]], pdf
    )


def pdf_of(tab: Page) -> bytes:
    """Print an open handout: A4, tagged, with an outline."""
    return steady(
        tab.pdf(prefer_css_page_size=True, tagged=True, outline=True)
    )


def concept_test(browser: Browser) -> bytes:
    """Print the paper form of the concept test, key included."""
    tab = browser.new_page()
    tab.goto(TEST.as_uri())
    pdf = pdf_of(tab)
    tab.close()
    return pdf


def _running(title: str, kind: str) -> str:
    """What stands at the head and the foot of each page, as CSS."""
    small = "font: 7.5pt sans-serif; color: #444;"
    box = "@{place} {{ content: {what}; {small} }}"
    quoted = '"' + title.replace('"', "”") + '"'
    boxes = {
        "top-left": quoted,
        "top-right": f'"{kind} handout"',
        "bottom-left": '"Modern Convolutional Networks. Text and figures: '
        'CC BY 4.0, code: MIT"',
        "bottom-right": 'counter(page) " / " counter(pages)',
    }
    rules = (
        box.format(place=p, what=w, small=small) for p, w in boxes.items()
    )
    first = "@page :first { @top-left { content: none } }"
    return f"@page {{ {' '.join(rules)} }} {first}"


def main() -> None:
    """Print all chapters, or those that are named, and the concept test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    names = parser.parse_args().chapters or chapters()
    for name in names:
        if not (SITE / "chapters" / f"{name}.html").is_file():
            sys.exit(f"There is no page of {name} in {SITE}. First: make book")
    program = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        for kind in KINDS:
            (EDITIONS / kind).mkdir(parents=True, exist_ok=True)
            for name in names:
                start = time.monotonic()
                with handout(browser, name, kind) as tab:
                    pdf = pdf_of(tab)
                (EDITIONS / kind / f"{name}.pdf").write_bytes(pdf)
                seconds = time.monotonic() - start
                pages = len(re.findall(rb"/Type /Page\b", pdf))
                print(
                    f"{kind}/{name}.pdf: {pages} pages, "
                    f"{len(pdf) / 1e6:.1f} MB, {seconds:.1f} s",
                    flush=True,
                )
        pdf = concept_test(browser)
        (EDITIONS / "teacher" / "concept_test.pdf").write_bytes(pdf)
        print("teacher/concept_test.pdf")
        browser.close()


if __name__ == "__main__":
    main()
