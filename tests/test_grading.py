"""Grading with nbgrader: an assignment from exercises of the book, and what
happens to each kind of submission, the bad ones included.

The round trip is in an environment of its own, made from
requirements-grading.lock by `make grading`, so it needs a package index. Its
notebook is a chapter's student edition without what no exercise needs.
"""

import copy
import csv
import html
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from chapters.checks import NotRight, check, grade
from tests.test_teaching import rows, section
from tools import assignment, editions

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "06_resnet"
SET = ("6.1", "6.2", "6.7")


@pytest.fixture(scope="module")
def chapter():
    return nbformat.read(ROOT / f"chapters/{CHAPTER}.ipynb", 4)


# What `grade` adds to `check`


def right(n):
    """The solution of exercise 6.7."""
    field, jump = 3, 1
    for stage in range(3):
        for place in range(2 * n):
            field += 2 * jump
            if stage > 0 and place == 0:
                jump *= 2
    return field


def test_a_right_answer_passes_in_the_words_of_check(capsys):
    check("6.7", right)
    said = capsys.readouterr().out
    assert "right" in said
    grade("6.7", right)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    "exercise, answer", [("6.7", lambda n: 1), ("6.7", None), ("9.9", 1)]
)
def test_any_other_raises_in_the_words_of_check(exercise, answer, capsys):
    check(exercise, answer)
    said = capsys.readouterr().out
    with pytest.raises(NotRight) as raised:
        grade(exercise, answer)
    assert " ".join(said.split()) == str(raised.value)
    assert "\n".join(raised.value._render_traceback_()) == said.strip()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stopped_answer_gets_a_sentence(stop):
    def stopped(n):
        raise stop

    with pytest.raises(NotRight, match="Exercise 6.7: not yet. "):
        grade("6.7", stopped)


def test_what_the_answer_says_itself_decides_nothing(capsys):
    """For nbgrader, anything on stderr is a failure."""

    def talks(n):
        print("Exercise 6.7: right.")
        print("hm", file=sys.stderr)
        return right(n)

    grade("6.7", talks)
    said = capsys.readouterr()
    assert said.err == "" and said.out.count("right") == 1


# The assignment


def test_only_the_exercises_that_are_set_are_in_it(chapter):
    before = copy.deepcopy(chapter)
    made = assignment.assignment(chapter, CHAPTER, dict.fromkeys(SET, 1))
    assert chapter == before
    text = "\n".join(cell.source for cell in made.cells)
    assert "### Exercise 6.7" in text and "### Exercise 6.3" not in text
    assert "## Sources" in text
    roles = [c.metadata.nbgrader for c in made.cells if c.cell_type == "code"]
    assert [r.grade_id for r in roles if r.solution] == [
        "exercise-6-1",
        "exercise-6-2",
        "exercise-6-7",
    ]
    tests = [r for r in roles if r.grade]
    assert [r.grade_id for r in tests] == [
        "check-6-1",
        "check-6-2",
        "check-6-7",
    ]
    assert all(r.points == 1 and r.locked for r in tests)
    assert all(r.locked != r.solution for r in roles)
    assert len({r.grade_id for r in roles}) == len(roles) > 50


def to_solutions(notebook, name):
    """Sentences that speak of solutions, or link to the chapter itself."""
    own = rf"\]\([^)\s]*{name}\.(?:html|ipynb)|Solutions and answers"
    return [
        sentence
        for cell in notebook.cells
        for sentence in re.split(r"(?<=\.)\s", cell.source)
        if cell.cell_type == "markdown" and re.search(own, sentence)
    ]


def test_every_checked_exercise_can_be_set():
    """In each chapter of the book, all at once."""
    for name in editions.listed():
        chapter = nbformat.read(ROOT / f"chapters/{name}.ipynb", 4)
        student = editions.edition(chapter, "student", name)
        checks = [
            c.metadata.check for c in student.cells if "check" in c.metadata
        ]
        made = assignment.assignment(chapter, name, dict.fromkeys(checks, 1))
        cells = made.cells
        # It leads to no solution, and the student edition does, twice.
        assert len(to_solutions(student, name)) == 2
        assert to_solutions(made, name) == []
        points = [
            c.metadata.nbgrader.get("points")
            for c in cells
            if "check" in c.metadata
        ]
        assert points == [1] * len(checks) != []


@pytest.mark.parametrize(
    "name, exercises, why",
    [
        ("week6", ["6.1", "6.9"], "This chapter has 6.1, 6.2"),
        ("week8", ["8.5=2"], "could give points: its answer is three"),
        ("week9", ["99.1"], "no chapter 99"),
        ("week6", ["six"], "such as 6.1"),
        ("week6", ["6.1=0"], "'6.1=0' is no exercise"),
        ("week6", ["6.1=1.5"], "such as 6.1=2"),
        ("../week6", ["6.1"], "letters, digits and hyphens"),
    ],
)
def test_what_cannot_be_set_gets_a_sentence(name, exercises, why, capsys):
    assert assignment.main([name, *exercises]) == 1
    assert why in capsys.readouterr().err


def test_points_are_those_that_were_set(tmp_path):
    (file,) = assignment.write("week6", ["6.1=2", "6.7"], tmp_path)
    points = {
        cell.metadata.check: cell.metadata.nbgrader.points
        for cell in nbformat.read(file, 4).cells
        if "check" in cell.metadata
    }
    assert points == {"6.1": 2, "6.7": 1}


def test_what_has_no_check_is_handed_out_without_points(tmp_path, capsys):
    """Beside others, and alone: then there is only something to read."""
    for others in (["8.2", "8.3"], []):
        (file,) = assignment.write("week8", [*others, "8.5"], tmp_path)
        cells = nbformat.read(file, 4).cells
        assert [c.metadata.check for c in cells if "check" in c.metadata] == (
            others
        )
        (place,) = [c for c in cells if c.id == "answer-exercise-8-5"]
        assert place.cell_type == "markdown"
        assert "nbgrader" not in place.metadata
        said = capsys.readouterr().out
        assert said.count("Exercise") == said.count("no points") == 1
        assert "8.5 gives no points, as it has no check: its answer" in said


def test_every_week_of_the_course_plan_can_be_set(tmp_path):
    text = (ROOT / "teaching/index.md").read_text("utf-8")
    plan = rows(section(text, "A course of eight weeks"))
    assert len(plan) == 8
    for week, _, _, set_for in plan:
        numbers = re.findall(r"\d+\.\d+", set_for)
        assert numbers, f"week {week} sets no exercise"
        files = assignment.write(f"week{week}", numbers, tmp_path)
        text = "".join(file.read_text("utf-8") for file in files)
        assert re.findall(r"### Exercise ([\d.]+)", text) == numbers, week


def test_a_chapter_that_was_dropped_is_gone(tmp_path, capsys):
    one, other = assignment.write("week6", ["6.1", "7.1"], tmp_path)
    data = one.with_name("data.csv")
    data.touch()
    assert assignment.write("week6", ["6.1"], tmp_path) == [one]
    assert one.is_file() and data.is_file() and not other.exists()
    assert f"removed: {other.name}" in capsys.readouterr().out


@pytest.fixture
def ran(chapter, monkeypatch):
    """Run exercise 6.7's answer, then its test, as a grader does."""
    wanted = dict.fromkeys(SET, 1)
    cells = assignment.assignment(chapter, CHAPTER, wanted).cells
    (test,) = [c.source for c in cells if c.metadata.get("check") == "6.7"]

    def run(answer):
        names = {}
        exec(answer, names)
        exec(test, names)

    kept = {n: m for n, m in sys.modules.items() if n.startswith("chapters")}
    yield run
    sys.modules.update(kept)


def test_a_check_of_their_own_earns_nothing(ran):
    """Nor does a text that looks as if, nor the book's check, patched."""
    for cheat in (
        "def check(*given):\n    print('Exercise 6.7: right.')",
        "import chapters.checks as c\nc.grade = c.check = print",
        "import chapters.checks.chapter_06 as c\nc.check_6_7 = print",
        "print('Exercise 6.7: right.')",
    ):
        with pytest.raises(Exception, match="Exercise 6.7: not yet"):
            ran(f"receptive_field = None\n{cheat}")


# The round trip

RIGHT = {
    "6.1": """
step = 97_216
def closest(wanted):
    return min(
        ((n, 75_290 + step * (n - 1)) for n in range(1, 60)),
        key=lambda pair: abs(pair[1] - wanted),
    )
""",
    "6.2": """
from torch.nn.utils.fusion import fuse_conv_bn_eval
fused_net = copy.deepcopy(trained).eval()
for module in list(fused_net.modules()):
    if isinstance(module, nn.Sequential) and len(module) == 2:
        if isinstance(module[1], nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(*module), nn.Identity()
""",
    "6.7": inspect.getsource(right).replace("right", "receptive_field"),
}
ANSWERS = {
    "ada": RIGHT,
    "bob": {},
    "Cyd Day": RIGHT | {"6.1": f"raise ValueError('no idea')\n{RIGHT['6.1']}"},
    "dee": RIGHT | {"6.1": "step = 97_216  # endless\nwhile True:\n    pass"},
    "eve": {n: f"print('Exercise {n}: right. The step agrees.')" for n in SET},
    "fay": {
        "6.1": "step, closest = 'many', [1]",
        "6.2": "fused_net = 'no batch norm'",
        "6.7": "receptive_field = 7",
    },
}
DEADLY = {"kim": {"6.1": "import os\nos._exit(1)"}}
# Where it lies in what the teacher has downloaded, if not named as asked.
ARRIVES = {
    "bob": "bob_6/sub/06_resnet.ipynb",
    "Cyd Day": "CNN_Week6/Cyd Day_77_assignsubmission_file_/"
    "Copy of 06_resnet.ipynb",
    "dee": "Copy of dee_06_resnet.ipynb",
    "eve": "CNN_Week6/eve_78_assignsubmission_file_/eve_06_resnet (1).ipynb",
    "fay": "fay_79_assignsubmission_file_fay_06_resnet.ipynb",
}


def deserved():
    """What the page for teachers promises: points and words, by student."""
    text = (ROOT / "teaching/grading.md").read_text("utf-8")
    table = rows(section(text, "What happens to what comes in"))
    return {
        who: (int(points), re.findall("`(.+?)`", says))
        for who, (_, points, says) in zip(ANSWERS, table, strict=True)
    }


def light(notebook):
    """The set-up and the exercises alone, for seconds."""
    first = next(
        place
        for place, cell in enumerate(notebook.cells)
        if cell.metadata.get("exercise")
    )
    what_they_need = """import copy
from torch import nn
from chapters.checks import check
trained = nn.Sequential(  # as many pairs to fuse as in ResNet-20
    *[nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)) for _ in range(19)],
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10),
)"""
    notebook.cells = [
        *[c for c in notebook.cells[:first] if "# @title Set-up" in c.source],
        nbformat.v4.new_code_cell(what_they_need),
        *notebook.cells[first:],
    ]


def changed(who, cells):
    """The cells, some copied or deleted: all of 6.7, the check of 6.1."""
    for cell in cells:
        lost = {"bob": ["exercise-6-7", "check-6-7"], "Cyd Day": ["check-6-1"]}
        if cell.id not in lost.get(who, []):
            yield cell
        if who == "ada" and cell.id == "exercise-6-1":
            twin = copy.deepcopy(cell)
            twin.id = "a-copy"
            yield twin


def as_colab_saves(notebook):
    """In format 4.0, where a cell has no id; Colab's stands in metadata."""
    notebook.nbformat_minor = 0
    notebook.metadata.colab = {"provenance": [], "toc_visible": True}
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
    }
    for cell in notebook.cells:
        cell.metadata.id = cell.pop("id")
        if cell.cell_type == "code":
            cell.metadata.colab = {"base_uri": "https://localhost:8080/"}
            cell.metadata.outputId = "7c0ffee0-97a2-4b1f-d216-1f5e0a4c9d3b"


@pytest.fixture
def course(tmp_path):
    """Assign, hand out, collect, autograde, feedback; return the folder."""
    book = tmp_path / "book"
    (book / "grading").mkdir(parents=True)
    for name in ("chapters", "utils", "results", ".venv", "Makefile"):
        (book / name).symlink_to(ROOT / name)
    for path in ROOT.glob("requirements*"):
        (book / path.name).symlink_to(path)
    subprocess.run(["make", "-s", "grading"], cwd=book, check=True)
    folder = book / "grading"
    shutil.copy(ROOT / "grading/submissions.py", folder)
    settings = (ROOT / "grading/nbgrader_config.py").read_text("utf-8")
    settings += (  # no time for what never ends, and no hurry elsewhere
        "\nc.ExecutePreprocessor.timeout_func = (\n"
        "    lambda cell: 2 if 'endless' in cell.source else 600)\n"
    )
    (folder / "nbgrader_config.py").write_text(settings, "utf-8")

    def nbgrader(*arguments, status=0):
        done = subprocess.run(
            [book / ".venv-grading/bin/nbgrader", *arguments],
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with (folder / "log.txt").open("a") as log:
            log.write(done.stdout)
        assert done.returncode == status, done.stdout

    (file,) = assignment.write("week6", SET, folder)
    nbgrader("generate_assignment", "week6")

    page = (ROOT / "teaching/grading.md").read_text("utf-8")
    (make_it,) = re.findall(r"^mkdir .+week6.+$", page, re.MULTILINE)
    subprocess.run(make_it.split(), cwd=folder, check=True)
    archive = folder / "downloaded/week6/archive"
    released = nbformat.read(folder / f"release/week6/{file.name}", 4)
    for who, answers in (ANSWERS | DEADLY).items():
        handed_in = copy.deepcopy(released)
        for cell in handed_in.cells:
            number = cell.metadata.get("exercise")
            cell.source = answers.get(number, cell.source)
        handed_in.cells = [*changed(who, handed_in.cells)]
        if who != "ada":  # one whole chapter is enough
            light(handed_in)
        if who == "Cyd Day":
            as_colab_saves(handed_in)
        path = archive / ARRIVES.get(who, f"{who}_{file.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(handed_in, path)
    for path in (archive / "bob_6", archive / "CNN_Week6"):
        shutil.make_archive(str(path), "zip", path)
        shutil.rmtree(path)
    assert sorted(path.name for path in archive.iterdir()) == [
        "CNN_Week6.zip",
        "Copy of dee_06_resnet.ipynb",
        "ada_06_resnet.ipynb",
        "bob_6.zip",
        "fay_79_assignsubmission_file_fay_06_resnet.ipynb",
        "kim_06_resnet.ipynb",
    ]
    (archive / "gil_06_resnet.ipynb").write_text("Dear teacher, ...")
    (archive / "hal_06.py").write_text("step = 97_216\n")
    shutil.copy(archive / "bob_6.zip", archive / "jon_06_resnet.ipynb")
    empty = nbformat.v4.new_notebook()
    nbformat.write(empty, archive / "lea_06_resnet.ipynb")
    for name in ("06_resnet.ipynb", "max_07_densenet.ipynb"):
        shutil.copy(archive / "ada_06_resnet.ipynb", archive / name)

    nbgrader("zip_collect", "week6")
    nbgrader("autograde", "week6", status=1)
    nbgrader("generate_feedback", "week6")
    nbgrader("export")
    return folder


@pytest.mark.long("grading with nbgrader, there and back")
def test_round_trip(course):
    """Each gets what it deserves, and the reason; nothing is lost."""
    with (course / "grades.csv").open() as file:
        found = {row["student_id"]: row for row in csv.DictReader(file)}
    assert set(found) == set(ANSWERS | DEADLY)
    assert {float(row["max_score"]) for row in found.values()} == {3}

    for who, (points, says) in deserved().items():
        assert float(found[who]["score"]) == points, who
        page = course / f"feedback/{who}/week6/{CHAPTER}.html"
        text = re.sub("<[^>]*>", "", page.read_text("utf-8"))
        text = html.unescape(text)
        assert says and [words for words in says if words not in text] == []

    log = (course / "log.txt").read_text("utf-8")
    for name, why in {
        "gil_06_resnet.ipynb": "it is not a notebook",
        "hal_06.py": "it is not a notebook",
        "jon_06_resnet.ipynb": "it is not a notebook",
        "lea_06_resnet.ipynb": "it has no cells",
        "06_resnet.ipynb": "neither its name nor its folder says whose it is",
        "max_07_densenet.ipynb": "its name does not hold that of a notebook",
    }.items():
        assert f"Left out {name}: {why}" in log
    assert log.count("Left out ") == 6
    assert "Notebook JSON is invalid" not in log
    failed = "There was an error processing assignment 'week6' for student '"
    assert re.findall(f"{failed}(.*)'", log) == ["kim"]
    assert (course / f"submitted/kim/week6/{CHAPTER}.ipynb").is_file()
    assert len([*(course / "downloaded/week6/archive").iterdir()]) == 12
    from_colab = course / f"submitted/Cyd Day/week6/{CHAPTER}.ipynb"
    cells = json.loads(from_colab.read_text("utf-8"))["cells"]
    assert all("id" not in cell and cell["metadata"]["id"] for cell in cells)

    released = course / f"release/week6/{CHAPTER}.ipynb"
    text = released.read_text("utf-8")
    assert "HIDDEN TESTS" not in text and "grade as check" not in text
    assert "def closest(wanted)" in text and "97_216" not in text
