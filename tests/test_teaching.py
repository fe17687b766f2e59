"""The pages for teachers: plans that add up, links that land, a concept test
whose page, paper form and Moodle file are those of its source."""

import ast
import collections
import functools
import html
import math
import re
from pathlib import Path
from statistics import NormalDist
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from tools import concept_test

ROOT = Path(__file__).resolve().parent.parent
TEACHING = ROOT / "teaching"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
CHAPTERS = [
    entry["file"].removeprefix("chapters/")
    for entry in TOC["chapters"]
    if entry["file"].startswith("chapters/")
]
PLANS = {name: TEACHING / f"{name[:2]}.md" for name in CHAPTERS}
PAGES = sorted(TEACHING.glob("*.md"))
# What must be on the web; all else works in a room without one.
AWAY = {
    "repo:issues",
    "repo:releases",
    "source:README.md",
    "https://research.google.com/colaboratory/runtime-version-faq.html",
    "https://github.com/googlecolab/colabtools/issues/6081",
}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDED = re.compile(
    r"<details><summary>(.*?)</summary>(.*?)</details>", re.DOTALL
)


@functools.cache
def headings(file: Path) -> set[str]:
    """What a link may have behind its #, hyphens for spaces."""
    text = file.read_text("utf-8")
    if file.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    found = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {heading.strip().replace(" ", "-") for heading in found}


def wrong_links(text: str) -> list[str]:
    """Links of a page in teaching/ that lead nowhere, or away."""
    wrong = []
    for link in LINK.findall(text):
        if link in AWAY:
            continue
        name, _, heading = link.partition("#")
        target = TEACHING / name
        if not target.is_file():
            wrong.append(f"no file: {link}")
        elif not heading.isascii():
            wrong.append(f"not ASCII: {link}")
        elif heading and heading not in headings(target):
            wrong.append(f"no heading: {link}")
    return wrong


def section(text: str, heading: str) -> str:
    """What stands below a heading of level 2."""
    found = re.search(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert found, f"no section ## {heading}"
    return found[1]


def rows(table: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.split("|")[1:-1]] for line in lines[2:]]


def wrong_exam(text: str) -> list[str]:
    """Exam questions that are not numbered, or lack their answers."""
    found = FOLDED.findall(text)
    asked = re.split(r"(?m)^(\d+)\. ", FOLDED.sub("ANSWER", text))
    numbers, questions = asked[1::2], asked[2::2]
    wrong = [] if numbers else ["no exam question"]
    if numbers != [str(n + 1) for n in range(len(numbers))]:
        wrong.append(f"exam questions {' '.join(numbers)}")
    for number, question in zip(numbers, questions, strict=True):
        if not re.fullmatch(r"\S.*\n\nANSWER\s*", question, re.DOTALL):
            wrong.append(f"exam question {number} without its one answer")
    answers = [f"Answer {number}" for number in numbers]
    if [summary for summary, _ in found] != answers:
        wrong.append(f"answers: {', '.join(s for s, _ in found) or 'none'}")
    wrong += [f"{s} is empty" for s, answer in found if not answer.strip()]
    return wrong


def wrong_plan(text: str) -> list[str]:
    """Plans that do not add up or drop no row; goals without a measure;
    misconceptions, exam questions and demonstrations that are missing."""
    wrong = []
    for whole in (50, 90):
        plan = rows(section(text, f"A lesson of {whole} minutes"))
        minutes = sum(int(row[0]) for row in plan)
        if minutes != whole:
            wrong.append(f"{whole} minutes: {minutes}")
        if not any(LINK.search(row[-1]) for row in plan):
            wrong.append(f"{whole} minutes: shows nothing")
        dropped = sum(row[1].endswith("(drop first)") for row in plan)
        if dropped != 1:
            wrong.append(f"{whole} minutes: {dropped} rows to drop first")
    for goal, measure in rows(section(text, "Goals")):
        if not re.search(r"\.ipynb#(Exercise-\d\.\d|Quiz)\)", measure):
            wrong.append(f"not measured: {goal}")
    ideas = rows(section(text, "Misconceptions"))
    if len(ideas) < 4:
        wrong.append(f"{len(ideas)} misconceptions, fewer than 4")
    for idea, *question in ideas:
        if not any(question):
            wrong.append(f"no question: {idea}")
    wrong += wrong_exam(section(text, "Exam questions"))
    shown = re.findall(r"(?m)^- \S", section(text, "Without a network"))
    if len(shown) < 2:
        wrong.append(f"{len(shown)} without a network, fewer than 2")
    for question in re.findall(r"question (\d+) of the quiz", text):
        if not 1 <= int(question) <= 6:
            wrong.append(f"no question {question}")
    return wrong


def test_every_chapter_has_a_plan():
    below = [s["file"] for e in TOC["chapters"] for s in e.get("sections", [])]
    for path in PLANS.values():
        assert path.is_file()
        assert f"teaching/{path.stem}" in below


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_land(path):
    assert wrong_links(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in ROOT.glob("chapters/*.ipynb"))
)
def test_plan(name):
    """Of chapters that are not listed yet, too."""
    text = (TEACHING / f"{name[:2]}.md").read_text("utf-8")
    assert wrong_plan(text) == []
    quiz = {int(n) for n in re.findall(r"question (\d+) of the quiz", text)}
    cells = nbformat.read(ROOT / f"chapters/{name}.ipynb", 4).cells
    source = "\n".join(c.source for c in cells if "## Quiz" in c.source)
    asked = {int(n) for n in re.findall(r"(?m)^\*\*(\d+)\. ", source)}
    assert quiz <= asked


def test_what_plan_7_says_of_the_tables_of_chapter_8():
    """ResNet-20 leads the DenseNet for certain in the first one alone."""
    cells = nbformat.read(ROOT / "chapters/08_comparison.ipynb", 4).cells
    printed = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in cells
        if cell.id in ("short-matrix", "long-matrix", "fashion-matrix")
    }
    pair = "undecided: ResNet-20 and DenseNet-40, +"
    assert [pair in text for text in printed.values()] == [False, True, True]
    (short,) = (cell for cell in cells if cell.id == "short-table")
    shown = short.outputs[0]["data"]["text/plain"]
    assert 0 < shown.index("ResNet-20") < shown.index("DenseNet-40")


GOOD = """
## Goals
| Goal | Measured by |
|---|---|
| Count | [1.1](../chapters/01_representation_learning.ipynb#Exercise-1.1) |
## A lesson of 50 minutes
| Minutes | What | Show |
|--:|---|---|
| 50 | all (drop first) | [plan](index.md) |
## A lesson of 90 minutes
| Minutes | What | Show |
|--:|---|---|
| 90 | all (drop first) | [plan](index.md) |
## Misconceptions
| What students think | A question that exposes it |
|---|---|
| One | Which? |
| Two | Why? |
| Three | When? |
| Four | How many? |
## Exam questions
1. How many?

   In words.

<details><summary>Answer 1</summary>

Two.

</details>

2. Why?

<details><summary>Answer 2</summary>

So.

</details>

## Without a network
- Toss a coin.
- Toss
  two.
"""


@pytest.mark.parametrize(
    "old, new, finding",
    [
        ("| 50", "| 45", "50 minutes: 45"),
        (
            "| 90 | all (drop first)",
            "| 90 | all",
            "90 minutes: 0 rows to drop first",
        ),
        ("#Exercise-1.1", "#Sources", "not measured: Count"),
        ("| Four | How many? |\n", "", "3 misconceptions, fewer than 4"),
        ("Two | Why? |", "Two | |", "no question: Two"),
        ("Two | Why? |", "Two |", "no question: Two"),
        ("2. Why", "3. Why", "exam questions 1 3"),
        ("1. How many?\n\n   In words.", "1.", "exam questions 2"),
        ("Answer 2", "Answer 1", "answers: Answer 1, Answer 1"),
        ("Two.\n", "", "Answer 1 is empty"),
        ("- Toss\n  two.\n", "", "1 without a network, fewer than 2"),
        ("- Toss\n  two.", "- ", "1 without a network, fewer than 2"),
    ],
)
def test_a_wrong_plan_is_found(old, new, finding):
    assert wrong_plan(GOOD) == []
    assert GOOD.count(old) == 1
    assert finding in wrong_plan(GOOD.replace(old, new))


def test_an_answer_in_another_place_is_found():
    first, second = (found[0] for found in FOLDED.finditer(GOOD))
    exam = section(GOOD, "Exam questions")
    for wrong, finding in (
        (exam.replace(first, ""), "exam question 1 without its one answer"),
        (
            exam.replace(first, "").replace(second, first + second),
            "exam question 2 without its one answer",
        ),
        (
            f"{first}\n\n{exam.replace(first, '')}",
            "exam question 1 without its one answer",
        ),
        (exam.replace(second, first), "answers: Answer 1, Answer 1"),
        ("", "no exam question"),
    ):
        assert any(w.startswith(finding) for w in wrong_exam(wrong)), finding


@pytest.mark.parametrize(
    "part", ["Misconceptions", "Exam questions", "Without a network"]
)
def test_an_empty_part_of_a_plan_is_found(part):
    assert wrong_plan(GOOD.replace(section(GOOD, part), ""))
    with pytest.raises(AssertionError, match=part):
        wrong_plan(GOOD.replace(part, "Other"))


def test_a_wrong_link_is_found():
    assert wrong_links(GOOD) == []
    for old, new, finding in (
        ("Exercise-1.1", "Exercise-1.99", "no heading"),
        ("index.md", "nowhere.md", "no file"),
        ("Exercise-1.1", "Why-3-×-3?", "not ASCII"),
    ):
        (found, *_) = wrong_links(GOOD.replace(old, new))
        assert found.startswith(finding)


def without_source(page: str, sources: str) -> list[str]:
    """Quoted lines and names of "Answers are public" that no source has.

    What the section changes (`both become 8`) it says in other words.
    """
    text = section(page, "Answers are public")
    quoted = re.findall(r"(?ms)^```(?:html|python)\n(.*?)^```", text)
    quoted = [q.replace('..."', "").replace(">", "") for q in quoted]
    quoted += re.findall(r"`((?:check|wrong)_\d_\d|chapter_\d+\.py)`", text)
    quoted += re.findall(r"from `(.+?)` to", text)
    quoted += re.findall(r"begins with the case `(.+?)`", text)
    quoted += re.findall(r"(?s)the sentence \"(.+?)\"", text)
    quoted += re.findall(r"condition `(.+?)`", text)
    quoted += re.findall(r'and "(one of .+?)"', text)
    sources = " ".join(sources.replace('\\"', '"').split())
    quoted = [" ".join(q.split()) for q in quoted]
    return [q for q in quoted if q not in sources]


def wrong_sums(page: str) -> list[str]:
    """Products, and answers of exercise 1.1, that are not what it says."""
    text = section(page, "Answers are public")
    wrong = []
    for left, right in re.findall(r"(\d+(?: · \d+)+) = ([\d,]+)", text):
        if math.prod(map(int, left.split(" · "))) != int(
            right.replace(",", "")
        ):
            wrong.append(f"{left} = {right}")
    for said in re.findall(r"`places\((.+?)\)` .*?`(\(.+?\))`", text, re.S):
        n, k = map(int, said[0].split(","))
        if ast.literal_eval(said[1]) != ((n - k + 1) ** 2, (k - 1) // 2):
            wrong.append(f"places({said[0]}) is {said[1]}")
    return wrong


def test_answers_are_public_in_the_places_it_names():
    page = (TEACHING / "assistants.md").read_text("utf-8")
    sources = "\n".join(
        [
            (ROOT / "chapters/checks/chapter_01.py").read_text("utf-8"),
            *(
                cell.source
                for cell in nbformat.read(
                    ROOT / "chapters/01_representation_learning.ipynb", 4
                ).cells
            ),
            "chapter_01.py",
        ]
    )
    assert without_source(page, sources) == []
    assert wrong_sums(page) == []
    for old in (
        "9847040",
        "These are the weights alone.",
        "(32, 7), (9, 1)",
        "(28, 16, 7)",
        "right for\n28 and 5",
        "(n, k) != (28, 5)",
        "(576, 2)",
        "one of the sixteen maps",
        "`check_1_4`",
    ):
        new = old.translate(str.maketrans("0123456789a", "1234567890b"))
        assert page.count(old) == 1, old
        assert without_source(page.replace(old, new), sources), old
    for old in ("= 4,923,520", "= 4,917,248", "= 6,272", "(1024, 4)"):
        assert page.count(old) == 1, old
        assert wrong_sums(
            page.replace(old, old.replace("4", "5", 1).replace("2", "3", 1))
        ), old


def not_shown(question: dict, plans: str) -> bool:
    """Whether no row links to the question's section, or to one below it."""
    path = ROOT / f"chapters/{question['chapter']}.ipynb"
    cells = nbformat.read(path, 4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    below, level = set(), 9
    for marks, heading in re.findall(r"(?m)^(#{1,6}) (.+)$", text):
        slug = heading.strip().replace(" ", "-")
        if slug == question["section"]:
            level = len(marks)
        elif len(marks) <= level:
            level = 9
        if level < 9:
            below.add(slug)
    assert question["section"] in below
    linked = {link.partition("#")[2] for link in LINK.findall(plans)}
    return not below & linked


def plans_of(name: str, *minutes: int) -> str:
    text = PLANS[name].read_text("utf-8")
    parts = (section(text, f"A lesson of {n} minutes") for n in minutes)
    return "\n".join(parts)


def test_a_plan_shows_what_the_concept_test_asks():
    """The course of four weeks keeps chapter 8 by its plan of 50 minutes."""
    for question in concept_test.questions():
        minutes = (50,) if question["chapter"][:2] == "08" else (50, 90)
        plans = plans_of(question["chapter"], *minutes)
        assert not not_shown(question, plans), question["section"]


def test_what_no_plan_shows_is_found():
    question = {"chapter": "06_resnet", "section": "Batch-normalisation"}
    assert not_shown(question, plans_of("06_resnet", 50))
    assert not not_shown(question, plans_of("06_resnet", 90))
    above = {"chapter": "06_resnet", "section": "From-degradation-to-a-block"}
    assert not not_shown(above, "[the block](x.ipynb#The-block)")
    assert not_shown(above, "[the shortcut](x.ipynb#The-paper's-recipe)")


def test_concept_test_is_up_to_date():
    how = "after `make setup`: .venv/bin/python tools/concept_test.py"
    for name, made in concept_test.files().items():
        assert (TEACHING / name).read_text("utf-8") == made, how


def test_concept_test_is_a_fair_test():
    asked = concept_test.questions()
    assert len(asked) == 20
    places = collections.Counter(question["place"] for question in asked)
    assert set(places) == set("ABCD") and max(places.values()) <= 6
    assert {question["chapter"] for question in asked} <= set(CHAPTERS)
    for one in ("question", "misconception"):
        assert len({question[one] for question in asked}) == 20
    for question in asked:
        texts, says, _ = zip(*concept_test.options(question), strict=True)
        assert len({*texts}) == 4 and all(says)
        said = [question["question"], question["misconception"], *texts, *says]
        signs = re.findall(r"[$`<*\\]|!\[", " ".join(said))
        assert not signs, f"not plain text: {question['question']}"


def words(text: str) -> set[str]:
    """The words and numbers of a text."""
    text = html.unescape(re.sub(r"<[^>]*>", " ", text)).lower()
    return set(re.findall(r"\d[\d.,]*\d|\w+", text))


@functools.cache
def quiz(name: str) -> dict[str, set[str]]:
    """The words of each question of a chapter's quiz, and of its options."""
    cells = nbformat.read(ROOT / f"chapters/{name}.ipynb", 4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    text = text.partition("\n## Quiz\n")[2].partition("\n## ")[0]
    asked = re.split(r"(?m)^\*\*(\d+)\. ", text)[1:]
    return {
        number: words(
            " ".join(re.findall(r"\A.*|<summary>.*</summary>", question))
        )
        for number, question in zip(asked[::2], asked[1::2], strict=True)
    }


# Of the words of two questions, options included: those that are in both. It
# takes no notice of which is longer. Two questions on one topic share up to
# 23 %; those of a quiz with another number or phrase shared a third and more.
MOST_SHARED = 0.25


def repeated(asked: list[dict]) -> list[str]:
    """Questions of the concept test whose answer a quiz has given away."""
    found = []
    for n, question in enumerate(asked, 1):
        texts = [text for text, _, _ in concept_test.options(question)]
        ours = words(" ".join([question["question"], *texts]))
        for number, theirs in quiz(question["chapter"]).items():
            share = len(ours & theirs) / len(ours | theirs)
            if share > MOST_SHARED:
                found.append(
                    f"Question {n} of the concept test and question {number} "
                    f"of the quiz of {question['chapter']} share {share:.0%} "
                    f"of their words, more than {MOST_SHARED:.0%}. Students "
                    "know the quiz: ask about another situation."
                )
    return found


def test_no_question_is_one_of_a_quiz():
    asked = concept_test.questions()
    assert all(len(quiz(question["chapter"])) >= 5 for question in asked)
    assert repeated(asked) == []


def test_a_question_of_a_quiz_is_found():
    old = {
        "chapter": "06_resnet",
        "question": "You train five seeds and report the best one's test "
        "accuracy. What is wrong?",
        "place": "D",
        "right": "The test set has chosen, and luck is reported",
        "because": "",
        "wrong": [
            ("Nothing, if the other four are available on request", ""),
            ("Five seeds are too few to find the best", ""),
            ("The seeds should have been equal", ""),
        ],
    }
    asked = concept_test.questions()
    (found,) = repeated([*asked[:16], old, *asked[17:]])
    assert found.startswith("Question 17 of the concept test and question 5 ")
    assert "quiz of 06_resnet share" in found


def numbers(text: str) -> list[float]:
    """All numbers of a text; commas may group their digits."""
    found = re.findall(r"−?\d+(?:,\d{3})*(?:\.\d+)?", text)
    return [float(n.replace(",", "").replace("−", "-")) for n in found]


# From the numbers of a question those of its options, in order: one is right,
# the others are made by mistakes.
SUMS = {
    2: lambda pixels, drawn, trained: [
        trained - drawn,
        trained - pixels,
        drawn - pixels,
        trained,
    ],
    4: lambda n, _, kernel, __, stride: [
        n // stride,
        (n - kernel) / stride + 1,
        (n - kernel) / stride,
        n - kernel + 1,
    ],
    8: lambda weights, kept, pictures: [
        3 * weights,
        3 * weights + kept,
        (weights + kept) * pictures,
        3 * weights + kept * pictures,
    ],
    11: lambda a, b, c, d, v, w: [
        (max(v * a + w * b, 0) + max(v * c + w * d, 0)) / 2,
        (v * a + w * b + v * c + w * d) / 2,
        v * a + w * b + v * c + w * d,
        v * (a + c) / 2 + w * (b + d) / 2,
    ],
    13: lambda reads, _, __, makes: [
        makes,
        reads / 4 * makes,
        4 * reads * makes,
        reads * makes,
    ],
    18: lambda makes, reads: [
        reads - makes,
        reads - 3 * makes,
        reads - 4 * makes,
        reads,
    ],
}


@pytest.mark.parametrize("number", SUMS)
def test_the_options_are_what_they_say(number):
    question = concept_test.questions()[number - 1]
    made = SUMS[number](*numbers(question["question"]))
    shown = [numbers(text)[0] for text, *_ in concept_test.options(question)]
    assert shown == made


def test_the_numbers_of_other_questions_are_right():
    by = dict(enumerate(concept_test.questions(), 1))
    asked = {n: numbers(question["question"]) for n, question in by.items()}
    side, _, width, height = asked[5]
    assert width * height == 3 * side**2
    assert f"{math.log(4):.6f}" in by[12]["question"]
    spread, places = asked[17][2], [(i + 0.5) / 9_999 for i in range(9_999)]
    best = [NormalDist(0, spread).inv_cdf(p**0.1) for p in places]
    luck = sum(best) / len(best)  # the best of ten beside their mean
    assert f"{luck:.2f} points" in by[17]["because"]
    assert f"{luck / spread:.1f} standard" in by[17]["because"]
    assert luck > asked[17][0] - asked[17][1]
    few, side, _, many, small, _ = asked[20][2:]
    assert few * side**2 == 4 * many * small**2 and many == 64 * few


def longest_is_right(asked):
    """How often whoever takes the longest option, or one of them, is right."""
    return sum(
        len(str(question["right"]))
        == max(len(text) for text, _, _ in concept_test.options(question))
        for question in asked
    )


def test_the_longest_option_is_seldom_right():
    asked = concept_test.questions()
    assert longest_is_right(asked) <= 8
    wordy = [one | {"right": 90 * "x"} for one in asked[:9]]
    assert longest_is_right(wordy) == 9


def wrong_form(page: str, quiz: ElementTree.Element) -> list[str]:
    """What a paper form has that the quiz of the Moodle file has not, or the
    other way round; explanations, and a key that is not the quiz's."""
    paper = BeautifulSoup(page, "html.parser")
    read = BeautifulSoup.get_text
    wrong, key = [], []
    asked = quiz.findall("question[@type='multichoice']")
    printed = paper.select("ol > li")
    if len(printed) != len(asked):
        wrong.append(f"{len(printed)} questions, not {len(asked)}")
    for n, (one, question) in enumerate(zip(printed, asked, strict=False), 1):
        answers = question.findall("answer")
        texts = [question.findtext("questiontext/text")]
        texts += [answer.findtext("text") for answer in answers]
        texts = [read(BeautifulSoup(text, "html.parser")) for text in texts]
        said = "".join(
            [
                texts[0],
                *(f"{a} {b}" for a, b in zip("ABCD", texts[1:], strict=True)),
            ]
        )
        shown = "".join(read(one).replace("\xa0", " ").split("\n"))
        if shown != said:
            wrong.append(f"question {n}: {shown}")
        (right,) = (a for a in answers if a.get("fraction") == "100")
        chapter = question.findtext("tags/tag/text").removeprefix("chapter ")
        idea = question.findtext("name/text").partition(" ")[2]
        key.append([f"{n}", "ABCD"[answers.index(right)], chapter, idea])
    rows = paper.select("section tbody tr")
    if [[*map(read, row.select("td"))] for row in rows] != key:
        wrong.append("the key is another")
    secrets = {a.findtext("feedback/text")[3:-4] for a in quiz.iter("answer")}
    for secret in sorted(map(html.unescape, {*secrets, "Right."})):
        if secret in read(paper):
            wrong.append(f"it says: {secret}")
    return wrong


def test_the_paper_form_asks_what_moodle_asks():
    page = (TEACHING / "concept_test_form.html").read_text("utf-8")
    quiz = ElementTree.parse(TEACHING / "concept_test.xml").getroot()
    assert wrong_form(page, quiz) == []
    assert page.count("Name <span></span>") == 1
    for old, new, finding in (
        ("<li><p>", "<p>", "19 questions, not 20"),
        ("<b>B</b> <span>", "<b>B</b> <span>Right. ", "question 1: "),
        ("<b>B</b> <span>", "<b>B</b> <span>Right. ", "it says: Right."),
        ("<b>B</b>", "<b>A</b>", "question 1: "),
        ("<td>C</td>", "<td>A</td>", "the key is another"),
        ("<td>A better", "<td>The better", "the key is another"),
        (
            "</ol>",
            "The stride is forgotten; that is the result of stride 1.",
            "it says: The stride is forgotten",
        ),
    ):
        assert old in page
        found = wrong_form(page.replace(old, new, 1), quiz)
        assert any(one.startswith(finding) for one in found), (old, found)


def test_what_gives_answers_away_is_folded():
    """So that the page may be projected."""
    page = (TEACHING / "concept_test.md").read_text("utf-8")
    shown = page.partition("## Question 1\n")[2]
    folds = r"(?s)<details[^>]*><summary>(.*?)</summary>.*?</details>"
    assert len(re.findall(folds, shown)) == 20 * 5
    shown = re.sub(folds, "", shown)
    for question in concept_test.questions():
        assert f"**{question['question']}**" in shown
        shown = shown.replace(f"**{question['question']}**", "")
    assert re.sub(r"## Question \d+", "", shown).split() == []


def test_moodle_file_is_a_quiz():
    quiz = ElementTree.parse(TEACHING / "concept_test.xml").getroot()
    asked = quiz.findall("question[@type='multichoice']")
    assert quiz.tag == "quiz" and len(asked) == 20
    category, *others = quiz
    assert others == asked and category.get("type") == "category"
    path = category.findtext("category/text").split("/")
    assert path[0] == "top" and len(path) == 3
    source = concept_test.questions()
    for question, one in zip(asked, source, strict=True):
        idea, chapter = one["misconception"], int(one["chapter"][:2])
        assert idea in question.findtext("name/text")
        feedback = question.findtext("generalfeedback/text")
        assert f"wrong idea: “{html.escape(idea)}.”" in feedback
        assert question.findtext("tags/tag/text") == f"chapter {chapter}"
        assert question.findtext("showstandardinstruction") == "0"
        answers = question.findall("answer")
        fractions = [float(answer.get("fraction")) for answer in answers]
        assert sorted(fractions) == [0, 0, 0, 100]
        assert question.findtext("single") == "true"
        assert all(answer.findtext("feedback/text") for answer in answers)
        assert question.findtext("questiontext/text")
