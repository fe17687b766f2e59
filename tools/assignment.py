"""Set exercises for a grade: python tools/assignment.py week6 6.1 6.2 6.7

Writes grading/source/week6/06_resnet.ipynb: the student edition of the
chapter with these exercises and no others, each worth one point, as nbgrader
wants it. teaching/grading.md says how it goes on.
"""

import argparse
import copy
import re
import sys
from collections.abc import Collection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chapters.checks import EXCEPTIONS
from tools.editions import Unfit, edition, sections_of

FOLDER = ROOT / "grading"

# What only the grader sees. It asks the book's own checks, whatever the
# notebook has made of `check`, raises where the answer is not right, and binds
# no name that an answer may use.
TEST = """### BEGIN HIDDEN TESTS
# The book's own check decides, fresh from its file.
import sys
[sys.modules.pop(key) for key in [*sys.modules] if key.startswith("chapters")]
from chapters.checks import grade as check
### END HIDDEN TESTS
{check}"""


def assignment(
    notebook: NotebookNode, exercises: Collection[str]
) -> NotebookNode:
    """Make a student edition into the source of an assignment.

    Args:
        notebook: a student edition, left as it is.
        exercises: those to keep, such as "6.1".

    Raises:
        ValueError: one of them is not there, or has no check.
    """
    sections = sections_of(notebook)
    made = copy.deepcopy(notebook)
    made.cells = [
        cell
        for section in sections
        if not section.exercise or section.exercise in exercises
        for cell in section.cells
    ]
    for cell in made.cells:
        if cell.cell_type == "code":
            _mark(cell)
    checked = {cell.metadata.get("check") for cell in made.cells}
    there = [section.exercise for section in sections if section.exercise]
    for exercise in exercises:
        if exercise in EXCEPTIONS:
            raise ValueError(
                f"Exercise {exercise} has no check: {EXCEPTIONS[exercise]}. "
                "Read it yourself."
            )
        if exercise not in checked:
            raise ValueError(
                f"There is no exercise {exercise}. This chapter has "
                f"{', '.join(there)}."
            )
    return made


def _mark(cell: NotebookNode) -> None:
    """Tell nbgrader what a cell is: an answer, a test, or the chapter's."""
    test, answer = "check" in cell.metadata, "exercise" in cell.metadata
    if test:
        cell.source = TEST.format(check=cell.source)
    cell.metadata["nbgrader"] = {
        "grade_id": re.sub(r"\W", "-", cell.id),
        "schema_version": 3,
        "grade": test,
        "solution": answer,
        "locked": not answer,
        "task": False,
        **({"points": 1} if test else {}),
    }


def write(
    name: str, exercises: Collection[str], folder: Path = FOLDER
) -> list[Path]:
    """Write an assignment's notebooks, one a chapter; return their files.

    Raises:
        ValueError: an exercise is not there or has no check, or the name of
            the assignment could not be that of a folder.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(
            f"An assignment {name!r} would be a folder of that name: use "
            "letters, digits and hyphens, as in week6."
        )
    made = {}
    for exercise in exercises:
        if not re.fullmatch(r"\d+\.\d+", exercise):
            raise ValueError(
                f"{exercise!r} is no exercise; write its number, such as 6.1."
            )
        number = int(exercise.partition(".")[0])
        found = [*ROOT.glob(f"chapters/{number:02}_*.ipynb")]
        if not found:
            raise ValueError(f"There is no chapter {number}.")
        made.setdefault(found[0], []).append(exercise)
    notebooks = {
        chapter: assignment(
            edition(nbformat.read(chapter, 4), "student", chapter.stem), wanted
        )
        for chapter, wanted in made.items()
    }
    files = []
    for chapter, notebook in notebooks.items():
        file = folder / "source" / name / chapter.name
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, file)
        files.append(file)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write an assignment; return 1, with a sentence, if it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of the assignment, such as week6")
    parser.add_argument("exercises", nargs="+", help="such as 6.1")
    options = parser.parse_args(arguments)
    try:
        for file in write(options.name, options.exercises):
            print(file.relative_to(ROOT))
    except (Unfit, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
