"""Each exercise says what help is fair: on its page, and to its teacher."""

import collections
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

from chapters.fair_help import HELP, KINDS, line, with_help
from tests.test_pages import CHAPTERS, parsed, site
from tests.test_teaching import rows, section
from tools.editions import GUESS, IN_WORDS

__all__ = ["site"]

ROOT = Path(__file__).resolve().parent.parent


def exercises() -> list[str]:
    """The numbers of all exercises, of chapters that are not listed, too."""
    return [
        number
        for path in sorted((ROOT / "chapters").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
        for number in re.findall(r"(?m)^### Exercise (.+)$", cell.source)
    ]


# The kinds


def wrong_kinds(there: list[str], kinds: dict[str, str]) -> list[str]:
    """Exercises without a kind or with two, and kinds of no exercise."""
    listed = collections.Counter(" ".join(kinds.values()).split())
    wrong = [f"no kind: {number}" for number in there if not listed[number]]
    wrong += [
        f"no exercise: {number}" for number in listed if number not in there
    ]
    wrong += [f"two kinds: {n}" for n, times in listed.items() if times > 1]
    wrong += [
        f"unused: {kind}" for kind, of in kinds.items() if not of.split()
    ]
    return wrong


def test_every_exercise_has_a_kind():
    assert [*HELP] == [*KINDS]
    assert len(exercises()) > 50
    assert wrong_kinds(exercises(), KINDS) == []


def test_a_wrong_kind_is_found():
    kinds = {"A": "1.1 1.2", "B": "2.1"}
    assert wrong_kinds(["1.1", "1.2", "2.1"], kinds) == []
    for there, kinds, finding in (
        (["1.1", "1.10"], {"A": "1.1"}, "no kind: 1.10"),
        (["1.1"], {"A": "1.1 1.2"}, "no exercise: 1.2"),
        (["1.1"], {"A": "1.1", "B": "1.1"}, "two kinds: 1.1"),
        (["1.1"], {"A": "1.1", "B": ""}, "unused: B"),
    ):
        assert wrong_kinds(there, kinds) == [finding]


def test_an_exercise_without_a_kind_is_named():
    with pytest.raises(LookupError, match=r"9\.9 .* KINDS in chapters/fair_"):
        line("9.9")


def test_a_line_asks_for_nothing_to_be_written():
    """Where it did, editions would add places to write into."""
    for sentence in HELP.values():
        assert not GUESS.search(sentence) and not IN_WORDS.search(sentence)


# Where the line stands


@pytest.mark.parametrize(
    "text",
    [
        "### Exercise 1.1\nDo it.HERE",
        "### Exercise 1.1\n\nDo it.\n\n```\n# two\n```HERE",
        "Before.\n\n### Exercise 1.1\nDo it.HERE\n\n## Quiz\n",
        "### Exercise 1.1\nDo it.HERE\n\n<details><summary>Solution</summary>"
        "\n\nSo.\n\n</details>\n\n### Exercise 1.1\nAgain.HERE",
        "## Exercises\n\nTry exercise 1.1 first, or ### Exercise 1.1\n",
    ],
)
def test_it_stands_under_the_text(text):
    expected = text.replace("HERE", f"\n\n{line('1.1')}")
    assert with_help(text.replace("HERE", "")) == expected


def words(element: Tag) -> str:
    return " ".join(element.text.split())


def without_line(article: Tag) -> list[str]:
    """Exercises of a page that have not their line right below the text."""
    found = []
    for exercise in article.select("section[id^=exercise-]"):
        (number,) = re.findall(r"Exercise (\d+\.\d+)", exercise.h3.text)
        lines = exercise.select(":scope > .fair-help")
        said = re.sub("[*`]", "", line(number))
        if [words(one) for one in lines] != [said]:
            found.append(number)
        elif lines[0].find_previous(["h3", "details"]) is not exercise.h3:
            found.append(number)
    return found


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_page_shows_it(site, page):
    article = parsed(site / f"{page}.html").article
    assert len(article.select("section[id^=exercise-]")) >= 6
    assert without_line(article) == []


def test_a_page_without_it_is_found():
    right = (
        "<section id=exercise-1-1><h3>Exercise 1.1</h3><p>Do it.</p>"
        f"<p class=fair-help>{line('1.1').replace('*', '')}</p>"
        "<details></details></section>"
    )
    for wrong, old, new in (
        ([], "", ""),
        (["1.1"], "class=fair-help", ""),
        (["1.1"], "Not the number", "Or the number"),
        (["1.1"], "<p>Do it", "<details></details><p>Do it"),
        (["1.1"], "</section>", "<p class=fair-help>Any</p></section>"),
    ):
        page = right.replace(old, new) if old else right
        assert without_line(BeautifulSoup(page, "html.parser")) == wrong


# What teachers read of it


def wrong_rows(page: str) -> list[str]:
    """Kinds whose row in teaching/assistants.md says something else."""
    wrong = []
    table = rows(section(page, "What help is fair"))
    for kind, numbers in KINDS.items():
        of = numbers.split()
        row = next((r for r in table if r[0].startswith(f"{kind}: ")), None)
        if row is None:
            wrong.append(f"no row: {kind}")
            continue
        named = re.findall(r"\d+\.\d+", row[0])
        if not named or not {*named} <= {*of}:
            wrong.append(f"not of this kind: {kind}")
        if f": {len(of)} exercises" not in row[0]:
            wrong.append(f"another number of them: {kind}")
        if row[1] != HELP[kind]:
            wrong.append(f"another sentence: {kind}")
    return wrong


def test_teachers_read_the_same():
    page = (ROOT / "teaching/assistants.md").read_text("utf-8")
    assert wrong_rows(page) == []
    for old, new, finding in (
        ("| Words and plans:", "| Words:", "no row: Words and plans"),
        (
            "13 exercises",
            "14 exercises",
            "another number of them: A measurement",
        ),
        ("such as 2.5", "such as 1.1", "not of this kind: Code that"),
        (
            "Not the draft",
            "Nor the draft",
            "another sentence: Words and plans",
        ),
    ):
        assert page.count(old) == 1
        (found,) = wrong_rows(page.replace(old, new))
        assert found.startswith(finding)
