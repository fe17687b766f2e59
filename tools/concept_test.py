"""Write the concept test's page and Moodle file: python tools/concept_test.py

Both come from teaching/concept_test.yml. Moodle and other learning platforms
import the XML as a question bank of single-choice questions.
"""

import html
from pathlib import Path
from xml.etree import ElementTree

import yaml

TEACHING = Path(__file__).resolve().parent.parent / "teaching"
SOURCE = TEACHING / "concept_test.yml"
CATEGORY = "Modern Convolutional Networks/Concept test"
HEAD = """\
# Concept test

<!-- Written by tools/concept_test.py from concept_test.yml. -->

{count} questions over the book, each about one common wrong idea. Choose an
option to see what it stands for. Give the test before the course and after it,
without help by people, notes or machines. The answers are below, so give it in
class, on paper or in Moodle; where you want to measure with it, change its
numbers first. Half an hour is meant for it, and nobody has measured that yet.

Read the wrong answers first: a class that agrees on one needs that section
again. Then compare the class's means before and after, question by question.
A question that fewer than half answer correctly after the course needs another
lesson.

Its {{download}}`Moodle file <concept_test.xml>` imports into Moodle under
*Question bank*, *Import*, *Moodle XML format*; where a course has several
banks, as from Moodle 5 on, choose one first. The questions come into a
category of their own. Moodle shows feedback and right answers after an attempt
unless you take those ticks away: for the first pass clear all *Review options*
of the quiz, or it hands out the key of the second. A file that is imported
again adds its questions again, so delete the old category before.

To change a question, edit `teaching/concept_test.yml` and run
`python tools/concept_test.py`.
"""


def questions() -> list[dict]:
    """The questions of the source, in order."""
    return yaml.safe_load(SOURCE.read_text("utf-8"))


def options(question: dict) -> list[tuple[str, str, bool]]:
    """(text, what it means, whether it is right), in the order shown."""
    shown = [(str(text), says, False) for text, says in question["wrong"]]
    right = (str(question["right"]), question["because"], True)
    shown.insert("ABCD".index(question["place"]), right)
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
            f"\nExposes: *{question['misconception']}.* See "
            f"[chapter {int(chapter[:2])}](../chapters/{chapter}.ipynb"
            f"#{question['section']}).\n"
        )
    return "\n".join(parts)


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


def main() -> None:
    """Write both files."""
    asked = questions()
    (TEACHING / "concept_test.md").write_text(page(asked), "utf-8")
    (TEACHING / "concept_test.xml").write_text(moodle(asked), "utf-8")


if __name__ == "__main__":
    main()
