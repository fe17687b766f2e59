"""Whose a submission is, by the names that Moodle, Colab and students give,
and how long its cells may run: what needs no nbgrader.
"""

import re
from pathlib import Path

import nbformat
import pytest

from grading.submissions import look_at, time_for, whose
from tests.test_teaching import rows, section

ROOT = Path(__file__).resolve().parent.parent
SET = ("05_googlenet", "06_resnet")
MOODLE = "Ada Lovelace_77_assignsubmission_file"


@pytest.mark.parametrize(
    "path, student",
    [
        # as students hand it in
        ("ada_06_resnet.ipynb", "ada"),
        ("Ada Lovelace_06_resnet.ipynb", "Ada Lovelace"),
        ("ada_l_06_resnet (1).ipynb", "ada"),
        ("ada_06_resnet-2.ipynb", "ada"),
        # a copy made in Colab
        ("Copy of ada_06_resnet.ipynb", "ada"),
        ("Copy of Copy of ada_06_resnet.ipynb", "ada"),
        # a folder or a zip of theirs
        ("ian_6/06_resnet.ipynb", "ian"),
        ("ian_6/sub/06_resnet.ipynb", "ian"),
        ("ian_6/sub/Copy of 06_resnet.ipynb", "ian"),
        ("CNN_Week6/ian_6/06_resnet.ipynb", "ian"),
        # a folder for each, from Moodle
        (f"{MOODLE}/06_resnet.ipynb", "Ada Lovelace"),
        (f"{MOODLE}/ada_06_resnet.ipynb", "Ada Lovelace"),
        (f"{MOODLE}/Copy of 06_resnet.ipynb", "Ada Lovelace"),
        (f"{MOODLE}_/my_work/06_resnet.ipynb", "Ada Lovelace"),
        (f"CNN_Week6/{MOODLE}_/06_resnet.ipynb", "Ada Lovelace"),
        # all in one folder, from Moodle and from Canvas
        (f"{MOODLE}_ada_06_resnet.ipynb", "Ada Lovelace"),
        (f"CNN_Week6/{MOODLE}_06_resnet.ipynb", "Ada Lovelace"),
        ("CNN_Week6/ada_06_resnet.ipynb", "ada"),
        ("lovelaceada_LATE_77_4711_06_resnet-1.ipynb", "lovelaceada"),
    ],
)
def test_a_name_says_whose_it_is(path, student):
    assert whose(path, SET) == (student, "06_resnet")


def test_the_table_for_teachers_is_right():
    page = (ROOT / "teaching/grading.md").read_text("utf-8")
    table = rows(section(page, "Hand out and collect"))
    for _, arrives, student in table:
        paths = re.findall("`(.+?)`", arrives)
        assert paths and {whose(path, SET) for path in paths} == {
            (student, "06_resnet")
        }


@pytest.mark.parametrize(
    "path, why",
    [
        ("06_resnet.ipynb", "says whose it is, as ada_06_resnet.ipynb does"),
        ("Copy of 06_resnet.ipynb", "neither its name nor its folder"),
        ("_06_resnet.ipynb", "neither its name nor its folder"),
        ("work/06_resnet.ipynb", "neither its name nor its folder"),
        ("ada_homework.ipynb", "which was set: 05_googlenet, 06_resnet"),
        ("ada_07_densenet.ipynb", "does not hold that of a notebook"),
        ("ada_06_resnet.ipynb.txt", "does not end in .ipynb"),
        (".._06_resnet.ipynb", "hidden"),
        ("ada_6/.ipynb_checkpoints/06_resnet-checkpoint.ipynb", "hidden"),
    ],
)
def test_any_other_name_gets_a_sentence(path, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        whose(path, SET)


def test_each_notebook_that_was_set_is_known():
    assert whose("ada_05_googlenet.ipynb", SET) == ("ada", "05_googlenet")


def test_a_file_that_is_no_notebook_or_has_no_cells_gets_a_sentence(tmp_path):
    file = tmp_path / "ada_06_resnet.ipynb"
    for text in (b"", b"Dear teacher, ...", b"{}", b"PK\3\4\xff"):
        file.write_bytes(text)
        with pytest.raises(ValueError, match=r"^it is not a notebook \(.+\)$"):
            look_at(file)
    notebook = nbformat.v4.new_notebook()
    nbformat.write(notebook, file)
    with pytest.raises(ValueError, match="^it has no cells$"):
        look_at(file)
    notebook.cells = [nbformat.v4.new_code_cell("step = 97_216")]
    nbformat.write(notebook, file)
    look_at(file)


@pytest.mark.parametrize(
    "role, seconds",
    [
        ({"locked": True, "grade": False, "solution": False}, 600),
        ({"locked": True, "grade": True, "solution": False}, 60),
        ({"locked": False, "grade": False, "solution": True}, 60),
        ({}, 60),  # a copy of a cell
        (None, 60),  # one that a student has added
    ],
    ids=["the chapter's", "a check", "an answer", "a copy", "added"],
)
def test_only_the_chapters_own_cells_have_ten_minutes(role, seconds):
    metadata = {} if role is None else {"nbgrader": role}
    cell = nbformat.v4.new_code_cell("pass", metadata=metadata)
    assert time_for(cell) == seconds
