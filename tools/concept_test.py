"""Write the concept test: .venv/bin/python tools/concept_test.py

Its page, its paper form and its Moodle file come from
teaching/concept_test.yml. Moodle and other learning platforms import the XML
as a question bank of single-choice questions.
"""

import html
import re
from pathlib import Path
from xml.etree import ElementTree

import yaml

TEACHING = Path(__file__).resolve().parent.parent / "teaching"
SOURCE = TEACHING / "concept_test.yml"
STYLE = Path(__file__).with_suffix(".css")  # of the form
CATEGORY = "Modern Convolutional Networks/Concept test"
LETTERS = "ABCD"
HEAD = """\
# Concept test

<!-- Written by tools/concept_test.py from concept_test.yml. -->

{count} questions over the book, each about one common wrong idea, and none of
them a question of a chapter's quiz. Choose an option to see what it stands
for. Give the test before the course and after it, without help by people,
notes or machines. The answers are below, so give it in class, on paper or in
Moodle; where you want to measure with it, change its numbers first. Half an
hour is meant for it, and nobody has measured that yet.

Read the wrong answers first: a class that agrees on one needs that section
again. Then compare the class's means before and after, question by question.
A question that fewer than half answer correctly after the course needs another
lesson.

**In class.** Project this page, for votes by show of hands: what an option
stands for, and which idea a question exposes, stay folded until you open them.
If you have tried it yourself, press *Start again* at its end first, for what
you chose stays marked.

**On paper.** Printed, this page has every fold open, so take its
{{download}}`paper form <concept_test_form.html>`: the questions, boxes to tick
and a line for the name. Open it in a browser and print it. The key stands
alone on the last page, which you leave out for the class. `make editions`
prints the form to `_build/editions/teacher/concept_test.pdf` and packs it into
the teacher's zip.

**In Moodle.** The {{download}}`Moodle file <concept_test.xml>` imports under
*Question bank*, *Import*, *Moodle XML format*; where a course has several
banks, as from Moodle 5 on, choose one first. The file has been checked against
the format that Moodle documents, and has not been imported into a Moodle yet.
The questions come into a category of their own. Moodle shows feedback and
right answers after an attempt unless you take those ticks away: for the first
pass clear all *Review options* of the quiz, or it hands out the key of the
second. A file that is imported again adds its questions again, so delete the
old category before.

To change a question, edit `teaching/concept_test.yml` in a clone of the book
and run, after `make setup`, `.venv/bin/python tools/concept_test.py`. It
writes the page, the form and the Moodle file.
"""
FORM = """\
<!DOCTYPE html>
<!-- Written by tools/concept_test.py from concept_test.yml. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Concept test on paper</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>Concept test</h1>
<p class="hint">Print this page. The key is alone on the last page; leave that
out for the class.</p>
<p class="name">Name <span></span></p>
<p>Tick one box for each question. Work alone, without notes or machines; a
guess is better than a gap.</p>
<ol>
{questions}
</ol>
<section>
<h1>Key</h1>
<p>For the teacher.</p>
<table>
<thead>
<tr><th>No.</th><th>Right</th><th>Chapter</th><th>The wrong idea</th></tr>
</thead>
<tbody>
{key}
</tbody>
</table>
</section>
</main>
</body>
</html>
"""


def questions() -> list[dict]:
    """The questions of the source, in order."""
    return yaml.safe_load(SOURCE.read_text("utf-8"))


def options(question: dict) -> list[tuple[str, str, bool]]:
    """(text, what it means, whether it is right), in the order shown."""
    shown = [(str(text), says, False) for text, says in question["wrong"]]
    right = (str(question["right"]), question["because"], True)
    shown.insert(LETTERS.index(question["place"]), right)
    return shown


def page(asked: list[dict]) -> str:
    """The Markdown page."""
    parts = [HEAD.format(count=len(asked))]
    for number, question in enumerate(asked, 1):
        chapter = question["chapter"]
        parts.append(f"## Question {number}\n\n**{question['question']}**\n")
        for text, says, right in options(question):
            says = f"Right. {says}" if right else says
            parts.append(
                f'<details class="choice"><summary>{html.escape(text)}'
                f"</summary>\n\n{says}\n\n</details>"
            )
        parts.append(
            f"\n<details><summary>What question {number} exposes</summary>\n\n"
            f"*{question['misconception']}.* See "
            f"[chapter {int(chapter[:2])}](../chapters/{chapter}.ipynb"
            f"#{question['section']}).\n\n</details>\n"
        )
    return "\n".join(parts)


def on_paper(words: str) -> str:
    """HTML, with no line that ends between a number and its sign."""
    return re.sub(r" (?=[%×−])|(?<=×) ", "&nbsp;", html.escape(words))


def form(asked: list[dict]) -> str:
    """The HTML of the test on paper, with its key on the last page."""
    asks, key = [], []
    for number, question in enumerate(asked, 1):
        words = on_paper(question["question"])
        asks.append(f"<li><p>{words}</p>\n<ul>")
        shown = zip(LETTERS, options(question), strict=True)
        for letter, (option, _, right) in shown:
            words = on_paper(option)
            asks.append(f"<li><b>{letter}</b> <span>{words}</span></li>")
            if right:
                idea = html.escape(question["misconception"])
                cells = number, letter, int(question["chapter"][:2]), idea
                row = "".join(f"<td>{cell}</td>" for cell in cells)
                key.append(f"<tr>{row}</tr>")
        asks.append("</ul></li>")
    return FORM.format(
        style=STYLE.read_text("utf-8"),
        questions="\n".join(asks),
        key="\n".join(key),
    )


def moodle(asked: list[dict]) -> str:
    """The Moodle XML."""

    def text(parent, tag: str, words: str, **attributes) -> None:
        node = ElementTree.SubElement(parent, tag, attributes)
        ElementTree.SubElement(node, "text").text = words

    quiz = ElementTree.Element("quiz")
    # Not "$course$/top/...": Moodle 5 would then take the course's own bank,
    # whichever was chosen.
    category = ElementTree.SubElement(quiz, "question", type="category")
    text(category, "category", f"top/{CATEGORY}")
    for number, question in enumerate(asked, 1):
        chapter = f"chapter {int(question['chapter'][:2])}"
        one = ElementTree.SubElement(quiz, "question", type="multichoice")
        text(one, "name", f"{number:02} {question['misconception']}")
        words = html.escape(question["question"])
        text(one, "questiontext", f"<p>{words}</p>", format="html")
        idea = html.escape(question["misconception"])
        says = f"<p>A common wrong idea: “{idea}.” See {chapter}.</p>"
        text(one, "generalfeedback", says, format="html")
        for tag, value in (
            ("defaultgrade", "1"),
            ("penalty", "0.3333333"),
            ("single", "true"),
            ("shuffleanswers", "true"),
            ("answernumbering", "ABCD"),
            ("showstandardinstruction", "0"),  # no "Select one:"
        ):
            ElementTree.SubElement(one, tag).text = value
        for option, says, right in options(question):
            answer = ElementTree.SubElement(
                one, "answer", fraction="100" if right else "0", format="html"
            )
            words = f"<p>{html.escape(option)}</p>"
            ElementTree.SubElement(answer, "text").text = words
            words = f"<p>{html.escape(says)}</p>"
            text(answer, "feedback", words, format="html")
        text(ElementTree.SubElement(one, "tags"), "tag", chapter)
    ElementTree.indent(quiz)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(quiz, encoding="unicode") + "\n"


def files() -> dict[str, str]:
    """All that is written: the text of each file, by its name."""
    asked = questions()
    return {
        "concept_test.md": page(asked),
        "concept_test_form.html": form(asked),
        "concept_test.xml": moodle(asked),
    }


def main() -> None:
    """Write all files."""
    for name, text in files().items():
        (TEACHING / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
