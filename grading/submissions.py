"""Whose a submission is, what is wrong with it, how long its cells may run.

nbgrader_config.py asks this file, which itself needs no nbgrader.
"""

import re
from collections.abc import Iterable
from pathlib import PurePath

import nbformat

SECONDS = 60  # for a cell that a student wrote, and for a check
MOODLE = "_assignsubmission_"  # "Ada Lovelace_77_assignsubmission_file"


def time_for(cell) -> int:
    """Seconds until a cell is stopped; the chapter's own are known to end."""
    role = cell.metadata.get("nbgrader", {})
    is_of_chapter = role.get("locked") and not role.get("grade")
    return 10 * SECONDS if is_of_chapter else SECONDS


def whose(path: str | PurePath, notebooks: Iterable[str]) -> tuple[str, str]:
    """Tell by a file's path which student has handed in which notebook.

    The student is what stands before the first underscore: of the folder that
    Moodle has named; else of the file's own name in front of the notebook's,
    without Colab's "Copy of"; else of the nearest folder with an underscore.

    Args:
        path: below the folder into which all was unpacked.
        notebooks: the names of those that were set, such as "06_resnet".

    Raises:
        ValueError: why it is nobody's, as the end of a sentence.
    """
    *folders, file = PurePath(path).parts
    if any(part.startswith(".") for part in (*folders, file)):
        raise ValueError("it is hidden, or lies in a hidden folder")
    if not file.endswith(".ipynb"):
        raise ValueError("its name does not end in .ipynb")
    found = [name for name in notebooks if name in file]
    if not found:
        raise ValueError(
            f"its name does not hold that of a notebook which was set: "
            f"{', '.join(notebooks)}"
        )
    own = re.sub(r"^(Copy of )+", "", file.partition(found[0])[0])
    nearest = folders[::-1]
    by_moodle = [folder for folder in nearest if MOODLE in folder]
    for name in (*by_moodle, own, *nearest):
        student, underscore, _ = name.partition("_")
        if underscore and student.strip():
            return student.strip(), found[0]
    raise ValueError(
        f"neither its name nor its folder says whose it is, as "
        f"ada_{found[0]}.ipynb does"
    )


def look_at(file: str | PurePath) -> None:
    """See whether a file is a notebook with something in it.

    Raises:
        ValueError: why it is not, as the end of a sentence.
    """
    try:
        cells = nbformat.read(file, 4).cells
    except Exception as error:  # of many kinds, by what the file holds
        what = str(error).partition("\n")[0][:80]
        raise ValueError(f"it is not a notebook ({what})") from error
    if not cells:
        raise ValueError("it has no cells")
