"""What a teacher reads while a chapter is shown, in one classic script.

The pages in teaching/ are the only source: their tables of minutes and of
misconceptions, and what else on them points at a section of the chapter. The
build writes speaker-notes.js, which _assets/present.js loads when somebody
presents; a script, unlike other files, is loaded from disk as well.
"""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PLAN = re.compile(r"A lesson of (\d+) minutes")
QUESTION = re.compile(r"question (\d+) of the quiz")
OTHER_NAME = re.compile(r"question |Exercise |Figure ", re.IGNORECASE)


def words(element: Tag) -> str:
    """Return an element's text, in one line."""
    return " ".join(element.text.split())


def mark_names(page: Tag) -> None:
    """Put quotes around a link that is the name of a section.

    Without colours and lines, "at What it is not" would be hard to read.
    """
    for link in page.select('a[href*="#"]'):
        if not OTHER_NAME.match(words(link)):
            link.insert(0, "“")
            link.append("”")


def places(element: Tag, chapter: str) -> list[str]:
    """Return the anchors of a chapter that an element links to, each once."""
    to_chapter = f"../{chapter}.html#"
    links = (link["href"] for link in element.select("a[href]"))
    anchors = (
        link.removeprefix(to_chapter)
        for link in links
        if link.startswith(to_chapter)
    )
    return [*dict.fromkeys(anchors)]


def questions(element: Tag) -> list[int]:
    """Return the numbers of the quiz's questions that an element names."""
    return [int(number) for number in QUESTION.findall(words(element))]


def notes(html: str, chapter: str) -> dict:
    """Take the notes for a chapter from its built page for teachers.

    Args:
        html: the page in teaching/.
        chapter: the chapter's name, such as "chapters/06_resnet".

    Returns:
        `plans`, by their whole minutes: rows with `minutes`, `what` and
        `quiz` (numbers of questions), and with the anchors `at`, which may be
        none; `misconceptions`, with `think`, `ask`, `quiz` and `at`; and
        `hints`: what else on the page links to the chapter, `text` and `at`.

    Raises:
        ExtensionError: the page has no plan, or no misconceptions.
    """
    page = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    for mark in page.select(".headerlink"):
        mark.decompose()
    mark_names(page)
    found = {"plans": {}, "misconceptions": [], "hints": []}
    for section in page.select("section:not(:has(section))"):
        title = words(section.find("h2"))
        rows = [row.select("td") for row in section.select("tbody tr")]
        if plan := PLAN.fullmatch(title):
            found["plans"][plan[1]] = [
                {
                    "minutes": int(words(minutes)),
                    "what": words(what),
                    "at": places(show, chapter),
                    "quiz": questions(what),
                }
                for minutes, what, show in rows
            ]
        elif title == "Misconceptions":
            found["misconceptions"] = [
                {
                    "think": words(think),
                    "ask": words(ask),
                    "at": places(ask, chapter),
                    "quiz": questions(ask),
                }
                for think, ask in rows
            ]
        if title == "Goals":
            continue
        for text in section.select(":is(p, li):not(table *, li p, details *)"):
            if at := places(text, chapter):
                found["hints"].append({"text": words(text), "at": at})
    if not (found["plans"] and found["misconceptions"]):
        raise ExtensionError(
            f"the page for teachers of {chapter} needs a section 'A lesson of "
            "50 minutes' and one 'Misconceptions', each with a table"
        )
    return found


def write_notes(app: Sphinx, error: Exception | None) -> None:
    """Write the notes of all chapters that have a page for teachers."""
    if error or app.builder.name != "html":
        return
    chapters = {}
    for chapter in sorted(app.env.found_docs):
        folder, _, name = chapter.partition("/")
        page = f"teaching/{name[:2]}"
        if folder == "chapters" and page in app.env.found_docs:
            html = Path(app.builder.get_outfilename(page)).read_text("utf-8")
            chapters[chapter] = notes(html, chapter)
    written = json.dumps(chapters, ensure_ascii=False, separators=(",", ":"))
    Path(app.outdir, "speaker-notes.js").write_text(
        f"window.bookNotes = {written};\n", "utf-8"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step above."""
    app.connect("build-finished", write_notes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
