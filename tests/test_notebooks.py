"""Every chapter keeps the rules of tools/chapter_rules.py."""

from pathlib import Path

import nbformat
import pytest

from tools.chapter_rules import (
    FILE_RULES,
    RULES,
    has_exercises,
    has_facts,
    has_quiz,
    has_sources,
)

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
LISTED = (ROOT / "_toc.yml").read_text("utf-8")
# What a chapter needs when it is whole, and in the table of contents.
OF_WHOLE_CHAPTERS = (has_facts, has_sources, has_exercises, has_quiz)

each_chapter = pytest.mark.parametrize(
    "path", CHAPTERS, ids=lambda path: path.stem
)


def name(rule):
    return rule.__name__


def test_there_are_chapters():
    assert CHAPTERS, "no notebook in chapters/: nothing would be tested"


@each_chapter
@pytest.mark.parametrize("rule", RULES, ids=name)
def test_notebook(path, rule):
    if rule in OF_WHOLE_CHAPTERS and f"chapters/{path.stem}" not in LISTED:
        pytest.skip("not in the table of contents yet")
    problems = rule(nbformat.read(path, as_version=4))
    assert not problems, "\n".join([rule.__doc__, *problems])


@each_chapter
@pytest.mark.parametrize("rule", FILE_RULES, ids=name)
def test_file(path, rule):
    problems = rule(path)
    assert not problems, "\n".join([rule.__doc__, *problems])
