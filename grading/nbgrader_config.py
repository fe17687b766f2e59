"""How nbgrader grades exercises of the book: see teaching/grading.md.

nbgrader is run in this folder, and whatever it makes stays here.
"""

import os
import sys
import warnings
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.plugins import FileNameCollectorPlugin
from nbgrader.preprocessors import (
    ClearSolutions,
    NbGraderPreprocessor,
    OverwriteCells,
)
from sqlalchemy.exc import SAWarning

SECONDS = 60  # for a cell that a student wrote, and for a check
CHAPTERS = sorted(Path("../chapters").glob("*.ipynb"))


def time_for(cell):
    """Seconds until a cell is stopped; the chapter's own are known to end."""
    role = cell.metadata.get("nbgrader", {})
    is_of_chapter = role.get("locked") and not role.get("grade")
    return 10 * SECONDS if is_of_chapter else SECONDS


c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "convnets"
c.CourseDirectory.ignore.append("*.safetensors")  # networks that chapters save

# The cells run with the Python of .venv, at smoke scale: see `make grading`.
c.ExecutePreprocessor.kernel_name = "convnets"
c.ExecutePreprocessor.timeout_func = time_for
c.ExecutePreprocessor.iopub_timeout = SECONDS
c.ExecutePreprocessor.error_on_timeout = {
    "ename": "TimeIsUp",
    "evalue": "",
    "traceback": [
        f"TimeIsUp: this cell was stopped. One that you wrote has {SECONDS} "
        "seconds: look for a loop that does not end."
    ],
}

# The chapter's own cells are graded as they were handed out, whatever students
# have tried in them.
c.LockCells.lock_readonly_cells = False


class PutBack(NbGraderPreprocessor):
    """Brings back checks that were deleted, to the end of the notebook.

    nbgrader's own add_missing_cells fails where the answer is gone as well, or
    where a cell was copied.
    """

    def preprocess(self, nb, resources):
        for cell in nb.cells:
            if "grade_id" not in cell.metadata.get("nbgrader", {}):
                cell.metadata.pop("nbgrader", None)
        there = {c.metadata.nbgrader.grade_id for c in nb.cells if marked(c)}
        about = resources["nbgrader"]
        source = Path("source", about["assignment"], about["notebook"])
        nb.cells += [
            cell
            for cell in nbformat.read(f"{source}.ipynb", 4).cells
            if marked(cell)
            and cell.metadata.nbgrader.grade
            and cell.metadata.nbgrader.grade_id not in there
        ]
        return nb, resources


def marked(cell):
    return "nbgrader" in cell.metadata


steps = Autograde.sanitize_preprocessors.default()
steps.insert(steps.index(OverwriteCells), PutBack)
c.Autograde.sanitize_preprocessors = steps

# Without this, what a library warns of would cost the mark.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s).*"

# The stubs are there already.
c.GenerateAssignment.preprocessors = [
    step
    for step in GenerateAssignment.preprocessors.default()
    if step is not ClearSolutions
]


class Notebooks(FileNameCollectorPlugin):
    """Collects notebooks; says of every other file what is wrong with it."""

    def collect(self, submitted_file):
        try:
            cells = nbformat.read(submitted_file, 4).cells
            found = cells and super().collect(submitted_file)
            wrong = "its name does not say whose it is, as ada_06_resnet.ipynb"
        except Exception as error:
            found, what = None, str(error).partition("\n")[0][:80]
            wrong = f"it is not a notebook ({what})"
        if not found:
            self.log.error("Left out %s: %s", Path(submitted_file).name, wrong)
        return found


# "ada_06_resnet.ipynb", "ada_06_resnet (1).ipynb", a zip or a folder "ada_..."
# with the notebook in it, as learning platforms hand them out.
c.ZipCollectApp.collector_plugin = Notebooks
c.FileNameCollectorPlugin.named_regexp = (
    r".*/extracted/(?P<student_id>[^/_]+)_(?:[^/]*[_/])??"
    rf"(?P<file_id>{'|'.join(chapter.stem for chapter in CHAPTERS)})"
    r"[^/]*\.ipynb$"
)

# nbgrader calls a program that lies beside it, and its database warns of what
# does no harm.
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)
warnings.simplefilter("ignore", SAWarning)
