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

sys.path.insert(0, str(Path(__file__).parent))
from submissions import SECONDS, look_at, time_for, whose

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
        nb = nbformat.v4.upgrade(nb)  # in Colab's format cells have no ids
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
        course = self.parent.coursedir
        week = course.assignment_id
        folder = Path(course.root, "downloaded", week, "extracted")
        path = Path(submitted_file).relative_to(folder)
        sources = Path("source", week).glob("*.ipynb")
        notebooks = sorted(source.stem for source in sources)
        try:
            look_at(submitted_file)
            student, notebook = whose(path, notebooks)
        except ValueError as wrong:
            self.log.error("Left out %s: %s", path, wrong)
            return None
        return {"student_id": student, "file_id": notebook}


c.ZipCollectApp.collector_plugin = Notebooks

# nbgrader calls a program that lies beside it, and its database warns of what
# does no harm.
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)
warnings.simplefilter("ignore", SAWarning)
