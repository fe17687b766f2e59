"""Set exercises for a grade: python tools/assignment.py week6 6.1=2 6.2 6.7

Writes grading/source/week6/06_resnet.ipynb: the student edition of the
chapter with these exercises and no others, each worth one point where it does
not say otherwise, as nbgrader wants it. One that has no check stays in without
points. teaching/grading.md says how it goes on.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
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
    chapter: NotebookNode, name: str, points: Mapping[str, int]
) -> NotebookNode:
    """Make a chapter's student edition into the source of an assignment.

    It does not say where the solutions are.

    Args:
        chapter: it is left as it is.
        name: of the chapter's file, such as "06_resnet".
        points: of the exercises to keep, by their number, such as "6.1". One
            without a check is kept with its place for an answer, and gives
            none.

    Raises:
        Unfit: no student edition can be made of the chapter.
        ValueError: one of the exercises is not there.
    """
    made = edition(chapter, "student", name, graded=True)
    sections = sections_of(made)
    made.cells = [
        cell
        for section in sections
        if not section.exercise or section.exercise in points
        for cell in section.cells
    ]
    for cell in made.cells:
        if cell.cell_type == "code":
            _mark(cell, points)
    there = [section.exercise for section in sections if section.exercise]
    for exercise in points:
        if exercise not in there:
            raise ValueError(
                f"There is no exercise {exercise}. This chapter has "
                f"{', '.join(there)}."
            )
    return made


def _mark(cell: NotebookNode, points: Mapping[str, int]) -> None:
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
        **({"points": points[cell.metadata["check"]]} if test else {}),
    }


def write(
    name: str, exercises: Iterable[str], folder: Path = FOLDER
) -> list[Path]:
    """Write an assignment's notebooks, one a chapter; return their files.

    What the assignment had of other chapters is removed. That, and which
    exercises give no points, is printed.

    Args:
        name: of the assignment, such as "week6".
        exercises: such as "6.1", or "6.1=2" where it is worth two points.
        folder: where nbgrader is run.

    Raises:
        ValueError: an exercise is not there, its points are no whole number
            from 1 or nothing could give them, or the name of the assignment
            could not be that of a folder.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(
            f"An assignment {name!r} would be a folder of that name: use "
            "letters, digits and hyphens, as in week6."
        )
    made = {}
    for exercise in exercises:
        if not re.fullmatch(r"\d+\.\d+(=[1-9]\d*)?", exercise):
            raise ValueError(
                f"{exercise!r} is no exercise; write its number, such as 6.1, "
                "and its points if they are not one, such as 6.1=2."
            )
        number, _, points = exercise.partition("=")
        if points and number in EXCEPTIONS:
            raise ValueError(
                f"Exercise {number} has no check that could give points: "
                f"{EXCEPTIONS[number]}. Set it as {number}, and read it."
            )
        chapter = int(number.partition(".")[0])
        found = [*ROOT.glob(f"chapters/{chapter:02}_*.ipynb")]
        if not found:
            raise ValueError(f"There is no chapter {chapter}.")
        made.setdefault(found[0], {})[number] = int(points or 1)
    notebooks = {
        chapter: assignment(nbformat.read(chapter, 4), chapter.stem, wanted)
        for chapter, wanted in made.items()
    }
    for number in [one for wanted in made.values() for one in wanted]:
        if number in EXCEPTIONS:
            print(
                f"Exercise {number} gives no points, as it has no check: "
                f"{EXCEPTIONS[number]}. Read it yourself."
            )
    names = {chapter.name for chapter in notebooks}
    for file in (folder / "source" / name).glob("*.ipynb"):
        if file.name not in names:  # or nbgrader would go on handing it out
            file.unlink()
            print(f"removed: {file.name}, which is no longer set")
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
    parser.add_argument(
        "exercises", nargs="+", help="such as 6.1, or 6.1=2 for two points"
    )
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
