"""The printed handouts: what is in them, what is not, and where pages break.

One chapter is printed in `make test`, all of them in `make test-all`. What is
done with each part of a page is tested on a tiny chapter.
"""

import functools
import io
import re
import shutil
import unicodedata
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader

from tests.test_pages import CHAPTERS, ROOT, site
from tools import concept_test, handouts
from tools.handouts import KINDS, handout, pdf_of, steady

__all__ = ["site"]

NAMES = [chapter.removeprefix("chapters/") for chapter in CHAPTERS]
SHORT = "03_vgg"
ALL = [
    pytest.param(
        name,
        marks=()
        if name == SHORT
        else pytest.mark.long("the handouts of all chapters"),
    )
    for name in NAMES
]
# Of a student's handout, in the fonts of Debian, which are wide.
MOST_PAGES = 40
MOST_BYTES = 3_000_000
A4 = (595, 842)
ROOM = ".handout-room"
MARGIN = 45  # points; the foot of a page stands in it


# Code, tables and figures that fit on a page.
BLOCKS = """() => [...document.querySelectorAll(
    "pre, table, figure, .handout-exercise")]
    .filter((node) => node.closest(".handout-whole") && !node.closest(
        "[data-figure], .handout-long") && !node.querySelector(".math"))
    .map((node) => node.innerText)"""


def squeezed(text: str) -> str:
    """A text without its white space, and without ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())


class Printed:
    """A handout as a PDF reader has it."""

    def __init__(self, pdf: bytes, blocks: list[str] = ()):
        self.bytes = len(pdf)
        self.blocks = blocks  # the text of what is to stay in one piece
        self.reader = PdfReader(io.BytesIO(pdf))
        read = [self._read(page) for page in self.reader.pages]
        self.pages = [text for text, _ in read]
        self.last_lines = [line for _, line in read]
        self.text = squeezed("".join(self.pages))
        self.root = self.reader.trailer["/Root"]

    @staticmethod
    def _read(page) -> tuple[str, str]:
        """A page's text, and what stands lowest above its foot, squeezed."""
        rows: dict[int, str] = {}

        def see(text, matrix, place, *_):
            height = matrix[1] * place[4] + matrix[3] * place[5] + matrix[5]
            if text.strip() and height > MARGIN:
                row = round(height)
                rows[row] = rows.get(row, "") + text

        text = page.extract_text(visitor_text=see)
        return text, squeezed(rows[min(rows)])

    def headings(self) -> list[str]:
        """The outline, flat."""

        def flat(entries):
            for entry in entries:
                if isinstance(entry, list):
                    yield from flat(entry)
                else:
                    yield entry.title

        return [*flat(self.reader.outline)]

    def descriptions(self) -> list[str]:
        """What the tags say of pictures."""

        def below(tag):
            tag = tag.get_object()
            if isinstance(tag, list):
                for one in tag:
                    yield from below(one)
            elif isinstance(tag, dict):
                if tag.get("/S") == "/Figure" and "/Alt" in tag:
                    yield squeezed(tag["/Alt"])
                if "/K" in tag:
                    yield from below(tag["/K"])

        return [*below(self.root["/StructTreeRoot"])]

    def addresses(self) -> list[str]:
        """Where the links of the PDF lead outside of it."""
        return [
            note.get_object()["/A"]["/URI"]
            for page in self.reader.pages
            for note in page.get("/Annots", [])
            if "/URI" in note.get_object().get("/A", {})
        ]

    def fonts(self) -> dict[str, bool]:
        """Every font, and whether it is embedded."""
        found = {}
        for page in self.reader.pages:
            for font in page["/Resources"].get("/Font", {}).values():
                font = font.get_object()
                inner = font.get("/DescendantFonts", [font])[0].get_object()
                files = inner.get("/FontDescriptor", {})
                found[font.get("/BaseFont", "Type 3")] = font[
                    "/Subtype"
                ] == "/Type3" or any(
                    key.startswith("/FontFile") for key in files
                )
        return found


@pytest.fixture(scope="module")
def printed(browser, site):
    """Print a chapter, once."""

    @functools.cache
    def printed(name: str, kind: str) -> Printed:
        with handout(browser, name, kind, site=site) as tab:
            return Printed(pdf_of(tab), tab.evaluate(BLOCKS))

    return printed


# What the page folds away


def article_of(page: Path) -> Tag:
    """A page's article, read anew: these tests take it apart."""
    return BeautifulSoup(page.read_text("utf-8"), "html.parser").article


def folded(page: Path) -> tuple[list[str], list[str]]:
    """Sentences and lines of code of a page's folds, squeezed.

    Returns:
        Those that stand nowhere else: answers first, then hints.
    """
    article = article_of(page)
    answers, hints = [], []
    for node in article.select("script, style"):
        node.decompose()
    for fold in article.select("details, .tag_solution"):
        if fold.decomposed or fold.find_parent("details"):
            continue
        about = fold.summary.get_text(strip=True) if fold.summary else ""
        if about.startswith("Data of") or fold.find_parent(
            attrs={"data-figure": True}
        ):
            continue
        if fold.find_parent(class_="tag_hide-input"):
            continue
        for summary in fold.select("summary"):
            summary.extract()
        texts = [
            line
            for code in fold.select("pre")
            for line in code.get_text().split("\n")
        ]
        texts += [
            paragraph.get_text()
            for paragraph in fold.select("p")
            if not paragraph.select(".math, a")
        ]
        which = hints if about.startswith("A hint") else answers
        which += [
            squeezed(text)[:45] for text in texts if "# @title" not in text
        ]
        fold.decompose()
    rest = squeezed(article.get_text())
    return tuple(
        [text for text in found if len(text) > 14 and text not in rest]
        for found in (answers, hints)
    )


@pytest.mark.parametrize("name", ALL)
def test_answers_are_in_the_teachers_handout_only(printed, site, name):
    answers, hints = folded(site / "chapters" / f"{name}.html")
    exam, _ = folded(site / "teaching" / f"{name[:2]}.html")
    assert len(answers) > 50 and len(exam) > 3 and hints
    student, teacher = (printed(name, kind).text for kind in KINDS)
    assert [text for text in answers + exam if text in student] == []
    assert [text for text in answers + exam if text not in teacher] == []
    assert [text for text in hints if text not in student] == []
    assert squeezed("Name") in student and squeezed("Name") not in teacher[:80]
    for prompt in ("code cell", "Show the code", "Hide the code"):
        assert squeezed(prompt) not in student + teacher


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_it_is_a_good_pdf(printed, site, name, kind):
    """Tagged, with outline, title and language; A4; all fonts in it."""
    pdf = printed(name, kind)
    assert 100_000 < pdf.bytes < MOST_BYTES
    assert pdf.root["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in pdf.root
    assert pdf.root["/Lang"] == "en"
    assert kind in pdf.reader.metadata.title
    article = article_of(site / "chapters" / f"{name}.html")
    for link in article.select(".headerlink"):
        link.decompose()
    outline = [*map(squeezed, pdf.headings())]
    for heading in article.select("h1, h2, h3"):
        if not heading.select(".math"):
            assert squeezed(heading.get_text()) in outline
    assert "Links" in outline
    alts = [squeezed(image["alt"]) for image in article.select("img")]
    hidden = article.select(
        "[id^=find-the-] img, .tag_solution img, details img"
    )
    if kind == "teacher" or not hidden:
        assert alts
        assert [alt for alt in alts if alt not in pdf.descriptions()] == []
    assert all(pdf.fonts().values()), pdf.fonts()
    for page in pdf.reader.pages:
        assert [round(x) for x in page.mediabox[2:]] == pytest.approx(
            A4, abs=1
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_links_are_notes_and_lead_out_of_the_book(printed, site, name, kind):
    pdf = printed(name, kind)
    article = article_of(site / "chapters" / f"{name}.html")
    for fold in article.select("details, .tag_solution") * (kind == "student"):
        fold.decompose()
    links = [a["href"] for a in article.select("a[href^=http]")]
    bug = article.select_one("[id^=find-the-]") if kind == "student" else None
    behind = [a["href"] for a in bug.select("a")] if bug else []
    links = [link for link in links if link not in behind]
    assert len(links) > 5
    listed = pdf.text.rpartition("Links")[2]
    assert [link for link in links if squeezed(link) not in listed] == []
    assert "[1]" in pdf.text
    assert {a.partition(":")[0] for a in pdf.addresses()} <= {"http", "https"}
    assert "file:///" not in pdf.text


@pytest.mark.parametrize("name", ALL)
def test_paper_is_not_wasted(printed, name):
    student, teacher = (printed(name, kind) for kind in KINDS)
    assert len(student.pages) <= MOST_PAGES
    assert len(teacher.pages) <= MOST_PAGES + 8
    for page in (*student.pages[:-1], *teacher.pages[:-1]):
        assert len(page.split()) > 40, f"nearly empty: {page}"
    for words in ("Nothing leaves", "dropped here", "import torch\n"):
        assert words not in "".join(student.pages), words


# Where pages break


def cut(pages: list[str], blocks: list[str]) -> list[str]:
    """Blocks that no page has whole: its first and its last words."""
    pages = [squeezed(page) for page in pages]
    ends = [(squeezed(b)[:30], squeezed(b)[-30:]) for b in blocks if b.strip()]
    return [
        f"{first} ... {last}"
        for first, last in ends
        if not any(first in page and last in page for page in pages)
    ]


def left_alone(last_lines: list[str], headings: list[str]) -> list[str]:
    """Headings that end a page, as a whole or with their second line."""
    return [
        heading
        for heading in headings
        for line in last_lines
        if squeezed(heading) == line
        or (len(line) > 9 and squeezed(heading).endswith(line))
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_pages_break_where_they_should(printed, name, kind):
    pdf = printed(name, kind)
    assert len(pdf.blocks) > 40
    assert cut(pdf.pages, pdf.blocks) == []
    assert left_alone(pdf.last_lines, pdf.headings()) == []


def test_bad_breaks_are_found():
    pages = ["one two three", "four five Summary", "six"]
    assert cut(pages, ["two three", "four five"]) == []
    assert cut(pages, ["three four"]) == ["threefour ... threefour"]
    found = left_alone(["wemeasured", "Summary"], ["What we measured", "One"])
    assert found == ["What we measured"]
    assert left_alone(["asummary", "x"], ["Summary", "The x"]) == []


# What is done with each part of a page

TINY = r"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tiny</title></head><body>
<article class="bd-article"><section id="tiny">
<h1>9. Tiny: a chapter<a class="headerlink" href="#tiny">#</a></h1>
<p>By <a href="https://example.org/a">A</a>, by
<a href="https://example.org/b">B</a>, again
<a href="https://example.org/a">A</a>. See <a href="#net">there</a>, <a
href="#net">the net</a>, <a href="08_other.html#deep">chapter 8</a>, <a
href="08_other.html">chapter 8</a>, <a href="08_other.html#deep">below</a>.</p>
<div class="pst-scrollable-table-container"><table>
<tr><th>time</th><th>laptop</th></tr><tr><td>all</td><td>A TIME</td></tr>
</table></div>
CELL(import math\nfrom torch import (\n    nn,\n)\n# an import)
<section id="net"><h2>The net</h2>
CELL(class Net(nn.Module):\n    pass\n\n\nnet = Net())
CELL(figure, axis = plt.subplots()\nplt.show())
CELL(rows = recorded("09_tiny", "net"))
CELL(def draw():\n    plt.show())
<p><strong>Predict.</strong> How many?</p>
<details class="numeric" data-answer="9"><summary>Answer</summary>
<p>NINE, of course.</p></details>
<p><strong>Predict.</strong> And why?</p><p>Next.</p>
<p><strong>A bet.</strong> Which? Write it down.</p><p>Predict it yourself.</p>
<details><summary>Data of the chart</summary><table><tr><th>x</th></tr>
<tr><td>DATA</td></tr></table></details>
<div class="cell"><div class="cell_output"><div class="lab" data-figure="{}"
data-mounted><div class="lab-guess"><label>First, a guess: how deep?</label>
<form><button type="button" onclick="this.closest('div').lastChild.textContent
= 'It is DEEP.'">Skip</button></form><p role="status"></p></div>
<p class="lab-caption">It has 0.5 layers. Drag it. Right.</p></div></div></div>
<p>Nice. Two things to try:</p><ol><li>PRESS A BUTTON</li></ol>
</section>
<section id="find-the-bug"><h2>Find the bug</h2><p>A listing.</p>
<details><summary>A hint</summary><p>Count the HINTS.</p></details>
<p>Before the answer.</p>
<details><summary>The answer</summary><p>THE BUG.</p></details>
<p>It was THE BUG.</p>
<section id="how-many"><h3>How many?</h3><p>More of THAT.</p></section>
</section>
<section id="exercises"><h2>Exercises</h2>
<section id="exercise-9-1"><h3>Exercise 9.1</h3><p>Do it.</p>
<div class="cell tag_hide-cell tag_solution"><details class="admonition hide
above-input"><summary><p>Solution 9.1</p></summary><div class="cell_input">
<pre>plt.show()  # SOLVED</pre></div></details></div></section>
<section id="exercise-9-2"><h3>Exercise 9.2</h3><p>Say it.</p>
<details><summary>Solution 9.2</summary><p>SAID.</p></details></section>
</section>
<section id="quiz"><h2>Quiz</h2>
<p>Choose an answer to see whether it holds.</p><p><strong>1. Why?</strong></p>
<details class="choice"><summary>So</summary><p>WRONGLY.</p></details>
<details class="choice"><summary>Or</summary><p>Right. RIGHTLY.</p></details>
</section></section></article>
<script>const DOCUMENTATION_OPTIONS = {};</script>
<script src="../print.js"></script></body></html>"""
PLAN = """<article class="bd-article"><section id="plan"><h1>Teaching 9</h1>
<p><a href="../chapters/09_tiny.html#net">The net</a>, <a href="#more">on</a>
</p><section id="more"><h2>More</h2><details><summary>Answer 1</summary>
<p>EXAMINED.</p></details></section></section></article>"""
OTHER = """<article class="bd-article"><section id="other"><h1>8. Other</h1>
<section id="deep"><h2>Deep down</h2></section></section></article>"""


def cell(code: str) -> str:
    """A cell of code, as pages have it."""
    return (
        "<div class='cell'><div class='cell_input'><div class='highlight'>"
        f"<pre>{code}</pre></div></div></div>"
    )


def tiny_site(folder: Path, extra: str = "") -> Path:
    """Write a book of one chapter, 09_tiny, with `extra` at its end."""
    page = re.sub(
        r"^CELL\((.*)\)$", lambda found: cell(found[1]), TINY, flags=re.M
    ).replace("\\n", "\n")
    page = page.replace("</section></article>", f"{extra}</section></article>")
    for name, text in (
        ("chapters/09_tiny.html", page),
        ("chapters/08_other.html", OTHER),
        ("teaching/09.html", PLAN),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    shutil.copy(ROOT / "_assets/print.js", folder)
    return folder


@pytest.fixture(scope="module")
def tiny(browser, tmp_path_factory) -> dict[str, tuple[str, str]]:
    """The text and the HTML of both handouts of the tiny chapter."""
    folder = tiny_site(tmp_path_factory.mktemp("tiny"))
    made = {}
    for kind in KINDS:
        with handout(browser, "09_tiny", kind, site=folder) as tab:
            main = tab.locator("main")
            made[kind] = main.inner_text(), main.inner_html()
    return made


SECRETS = "NINE DEEP BUG SOLVED SAID WRONGLY RIGHTLY EXAMINED TIME".split()


def test_what_is_folded(tiny):
    student, teacher = tiny["student"][0], tiny["teacher"][0]
    assert [word for word in SECRETS if word in student] == []
    assert [word for word in SECRETS if word not in teacher] == []
    for word in ("DATA", "HINTS", "Before the answer", "0.5 layers. Right."):
        assert word in student and word in teacher, word
    # Behind the next heading the text goes on.
    assert "More of THAT." in student
    assert student.index("HINTS") > student.index("Quiz")
    assert teacher.index("HINTS") < teacher.index("Quiz")
    assert "☐ So" in student and "☐ Or" in student and "Tick one" in student
    assert "☐ So" in teacher and "☒ Or" in teacher and "Tick" not in teacher


def test_what_only_a_screen_needs_is_left_out(tiny):
    for text, _ in tiny.values():
        for word in ("import", "subplots", "recorded", "Drag", "Choose an"):
            assert word not in text, word
        assert "class Net" in text and "def draw" in text
        assert "pass\n\nnet" in text
    assert "Nice." in tiny["student"][0] and "PRESS" not in tiny["student"][0]
    assert "PRESS" in tiny["teacher"][0]


def test_there_is_room_to_write(tiny):
    """After numbers, predictions, guesses, the bug and each exercise."""
    page = BeautifulSoup(tiny["student"][1], "html.parser")
    before = [
        room.find_previous_sibling().get_text() for room in page.select(ROOM)
    ]
    assert before == [
        "Predict. How many?",
        "Predict. And why?",
        "A bet. Which? Write it down.",
        "First, a guess: how deep?",
        "Before the answer.",
        "Do it.",
        "Say it.",
    ]
    lines = [len(r.select(".handout-line")) for r in page.select(ROOM)]
    assert lines == [1, 2, 2, 1, 7, 4, 4]
    assert ROOM[1:] not in tiny["teacher"][1]


def test_links_say_where_they_lead(tiny):
    for kind, (text, inner) in tiny.items():
        start = " ".join(text[text.index("By A") :].split())
        assert start.startswith(
            "By A, by B, again A. See there (“The net”), the net, "
            "chapter 8 (“Deep down”), chapter 8, "
            "below (chapter 8, “Deep down”)."
        )
        links = BeautifulSoup(inner, "html.parser").select("a")
        assert {a["href"] for a in links} == {
            "https://example.org/a", "https://example.org/b", "#net",
        } | ({"#teaching-more"} if kind == "teacher" else set())  # fmt: skip
        page = BeautifulSoup(inner, "html.parser")
        for a in page.select("a[href^='#']"):
            assert page.select_one(a["href"]), a


def test_notes_have_one_number_for_each_address(browser, tmp_path):
    site = tiny_site(tmp_path)
    with handout(browser, "09_tiny", "student", site=site) as tab:
        text = Printed(pdf_of(tab)).text
    assert text.count("[1]") == 2 and text.count("[2]") == 1
    listed = re.findall(r"https://[^h]*", text.rpartition("Links")[2])
    assert [link[:21] for link in listed] == [
        "https://example.org/a",
        "https://example.org/b",
    ]


def test_the_head_of_a_long_table_is_repeated(browser, tmp_path):
    rows = "".join(f"<tr><td>{i}</td></tr>" for i in range(120))
    table = f"<table><thead><tr><th>COLUMN</th></tr></thead>{rows}</table>"
    site = tiny_site(tmp_path, table)
    with handout(browser, "09_tiny", "student", site=site) as tab:
        pages = Printed(pdf_of(tab)).pages
    with_rows = [page for page in pages if re.search(r"^1?\d\d$", page, re.M)]
    assert len(with_rows) > 1
    assert all("COLUMN" in page for page in with_rows)


# What goes wrong


def test_a_page_that_asks_the_network_is_refused(browser, tmp_path):
    picture = "<img alt='a cat' src='http://127.0.0.1:9/cat.png'>"
    site = tiny_site(tmp_path, picture)
    with (
        pytest.raises(RuntimeError, match="127.0.0.1:9/cat.png"),
        handout(browser, "09_tiny", "student", site=site),
    ):
        pass


def test_a_broken_page_is_refused(browser, tmp_path):
    site = tiny_site(tmp_path, "<script>throw new Error('oh no')</script>")
    with (
        pytest.raises(RuntimeError, match="not complete: .*oh no"),
        handout(browser, "09_tiny", "student", site=site),
    ):
        pass


def test_without_a_browser_a_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(SystemExit, match="Install Chromium or Chrome"):
        handouts.find_browser()
    monkeypatch.setenv("CHROMIUM", "/no/such/chrome")
    with pytest.raises(SystemExit, match="no /no/such/chrome here"):
        handouts.find_browser()


def test_without_pages_a_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(handouts, "SITE", tmp_path)
    monkeypatch.setattr("sys.argv", ["handouts.py", "06_resnet"])
    with pytest.raises(SystemExit, match="no page of 06_resnet.*make book"):
        handouts.main()


def test_the_same_page_gives_the_same_bytes(browser, tmp_path):
    site = tiny_site(tmp_path)
    made = []
    for _ in range(2):
        with handout(browser, "09_tiny", "teacher", site=site) as tab:
            made.append(pdf_of(tab))
    assert made[0] == made[1]
    assert not re.search(rb"Date \(D:", made[0])


def test_what_changes_from_print_to_print_is_made_steady():
    one = b"/CreationDate (D:20260101) /ID (node00000007) (node00000012)"
    two = b"/CreationDate (D:20270202) /ID (node00000031) (node00000045)"
    assert steady(one) == steady(two) != one
    assert len(steady(one)) == len(one)


@pytest.fixture(scope="module")
def paper(browser) -> Printed:
    """Print the concept test on paper, once."""
    return Printed(handouts.concept_test(browser))


def test_the_concept_test_has_its_key_on_a_page_of_its_own(paper):
    asked = concept_test.questions()
    *pages, key = paper.pages
    assert len(pages) == 3 and "Name" in pages[0]
    assert "Key" in key and not any("Key" in page for page in pages)
    for number, question in enumerate(asked, 1):
        texts = [text for text, _, _ in concept_test.options(question)]
        whole = [f"{number}.{question['question']}"]
        whole += [f"{a}{text}" for a, text in zip("ABCD", texts, strict=True)]
        whole = squeezed("".join(whole))
        assert [whole in squeezed(page) for page in pages].count(True) == 1
        idea = squeezed(question["misconception"])
        row = (
            f"{number}{question['place']}{int(question['chapter'][:2])}{idea}"
        )
        assert row in squeezed(key)
        assert not any(idea in squeezed(page) for page in pages)


def test_the_concept_test_is_a_good_pdf(paper):
    assert paper.root["/MarkInfo"]["/Marked"] and paper.root["/Lang"] == "en"
    assert paper.reader.metadata.title == "Concept test on paper"
    assert paper.headings() == ["Concept test", "Key"]
    assert paper.addresses() == [] and all(paper.fonts().values())
    for page in paper.reader.pages:
        assert [round(x) for x in page.mediabox[2:]] == pytest.approx(
            A4, abs=1
        )
        assert "Print this page" not in page.extract_text()
