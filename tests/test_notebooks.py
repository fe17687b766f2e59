"""Every chapter keeps the rules of tools/chapter_rules.py."""

from pathlib import Path

import nbformat
import pytest

from tools.chapter_rules import FILE_RULES, RULES

CHAPTERS = sorted((Path(__file__).parent.parent / "chapters").glob("*.ipynb"))

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
    problems = rule(nbformat.read(path, as_version=4))
    assert not problems, "\n".join([rule.__doc__, *problems])


@each_chapter
@pytest.mark.parametrize("rule", FILE_RULES, ids=name)
def test_file(path, rule):
    problems = rule(path)
    assert not problems, "\n".join([rule.__doc__, *problems])
