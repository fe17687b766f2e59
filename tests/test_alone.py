"""Chapters stand alone: in an empty folder, without d2l, twice in one kernel.

tools/alone.py executes them, here in an environment with all packages but d2l,
which it fetches from the package index, so that needs the network. One student
edition stands alone, too, and one chapter loses its kernel in a training.
"""

import json
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.test_setup_cell import environment
from tools import alone
from tools.editions import edition

ROOT = Path(__file__).parent.parent
LISTED = (ROOT / "_toc.yml").read_text("utf-8")
QUICKEST = "04_nin"
RESUMED = "06_resnet"  # at smoke scale its training has two epochs
CHAPTERS = [
    path.stem
    for path in sorted(ROOT.glob("chapters/*.ipynb"))
    if f"chapters/{path.stem}" in LISTED
]
LONG = pytest.mark.long("each chapter alone in an empty folder, twice")


@pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(name, marks=() if name == QUICKEST else LONG)
        for name in CHAPTERS
    ],
)
def test_a_chapter_stands_alone(tmp_path, python, chapter):
    stands_alone(ROOT / f"chapters/{chapter}.ipynb", tmp_path, python)


@LONG
def test_a_student_edition_stands_alone(tmp_path, python):
    chapter = nbformat.read(ROOT / f"chapters/{QUICKEST}.ipynb", 4)
    notebook = tmp_path / f"{QUICKEST}.ipynb"
    nbformat.write(edition(chapter, "student", QUICKEST), notebook)
    stands_alone(notebook, tmp_path, python)


def stands_alone(notebook: Path, folder: Path, python: Path) -> None:
    done = subprocess.run(
        [python, ROOT / "tools/alone.py", notebook],
        cwd=folder,
        env=environment(folder, ""),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{notebook.stem}: " in done.stdout
    assert "passed twice" in done.stdout


# Ends the kernel when the first epoch of one training is kept.
LOSE_THE_KERNEL = """
import os
from utils import training

training.WORTH_KEEPING = 0

def keep_and_die(path, parts, result, keep=training.save_checkpoint):
    keep(path, parts, result)
    if (result["name"], len(result["epochs"])) == ("NAME", 1):
        os._exit(1)

training.save_checkpoint = keep_and_die
"""


@pytest.mark.long("a training whose kernel is lost")
def test_a_chapter_whose_kernel_was_lost_goes_on(tmp_path, monkeypatch):
    """All cells again, in the same folder: that is what README promises.

    Its first training goes on because the set-up cell names a folder for such
    ones, its long one, of two epochs, because it names a file.
    """
    monkeypatch.delenv("BOOK_RESUME", raising=False)
    url = alone.repository(tmp_path)
    folder = tmp_path / "reader"
    folder.mkdir()
    kept = folder / "book/checkpoints"

    def run(lost_in: str = "") -> list[str]:
        """Run all cells in a new kernel; return which trainings went on."""
        chapter = nbformat.read(ROOT / f"chapters/{RESUMED}.ipynb", 4)
        for cell in chapter.cells:  # what is there after was said in this run
            is_fact = alone.FACT in cell.metadata.get("tags", [])
            if cell.cell_type == "code" and not is_fact:
                cell.outputs = []
        if lost_in:
            source = LOSE_THE_KERNEL.replace("NAME", lost_in)
            chapter.cells.insert(2, v4.new_code_cell(source))
            with pytest.raises(alone.Failed, match="died"):
                alone.execute(chapter, folder, url, ("only",))
        else:
            alone.execute(chapter, folder, url, ("only",))
        said = "".join(alone.shown(cell) for cell in chapter.cells)
        return re.findall(r"continuing after epoch (.*)\n", said)

    assert run(lost_in="plain-20") == []
    (first,) = kept.iterdir()
    assert run(lost_in="ResNet-20") == [f"1 of {first.name}"]
    (second,) = kept.iterdir()
    assert second != first
    assert run() == [f"1 of {second.name}"]
    assert not [*kept.iterdir()], "all is done, and nothing is left over"


def notebook(*sources, tags=(), text=""):
    """A chapter that finds the book; its last cell has tags and an output."""
    first = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    cells = [v4.new_code_cell(source) for source in (first, *sources)]
    cells[-1].metadata["tags"] = list(tags)
    if text:
        cells[-1].outputs = [v4.new_output("stream", text=text)]
    return v4.new_notebook(cells=cells)


def test_what_is_noted_of_a_chapter(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_SCALE", "smoke")
    chapter = notebook("print(1)", tags=[alone.FACT], text="1\n")
    about = alone.execute(chapter, tmp_path, "file:///no/such/book")
    assert about["code_hash"] == alone.code_hash(chapter)
    assert about["scale"] == "smoke"
    assert {"Python", "PyTorch", "IPython"} <= set(about["versions"])

    record = tmp_path / "verified.json"
    alone.note("02_b", about, record)
    alone.note("01_a", {}, record)
    alone.note("02_b", about | {"scale": "full"}, record)
    noted = json.loads(record.read_text("utf-8"))
    assert list(noted) == ["01_a", "02_b"]
    assert noted["02_b"]["scale"] == "full"


TWICE = "assert 'here' not in globals(), 'again'\nhere = 1"
LEFT = "open('left', 'x').close()"


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("1 / 0", {}, "ZeroDivisionError"),
        (TWICE, {}, ": again"),
        (LEFT, {}, "FileExistsError"),
        (
            "import warnings; warnings.warn('old')",
            {},
            "the first time: on std",
        ),
        (
            "print(2)",
            {"tags": [alone.FACT], "text": "1\n"},
            "says\n2\n\nand no",
        ),
        ("import os; os._exit(3)", {}, "died"),
    ],
)
def test_a_chapter_that_does_not_is_found(tmp_path, source, options, reason):
    with pytest.raises(alone.Failed) as failure:
        alone.execute(notebook(source, **options), tmp_path, "file:///none")
    assert reason in str(failure.value)


def test_what_a_chapter_fetches_is_the_book_as_it_stands(tmp_path):
    url = alone.repository(tmp_path)
    clone = ["git", "clone", "-q", "--depth=1", url, tmp_path / "clone"]
    subprocess.run(clone, check=True)
    for file in ("utils/machine.py", "chapters/02_alexnet.ipynb"):
        fetched = tmp_path / "clone" / file
        assert fetched.read_bytes() == (ROOT / file).read_bytes()


def test_one_that_failed_is_not_noted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(alone, "repository", lambda folder: "file:///none")
    path = tmp_path / "03_bad.ipynb"
    nbformat.write(notebook("1 / 0"), path)
    monkeypatch.setattr(alone, "RECORD", tmp_path / "verified.json")
    assert alone.main(["--record", str(path)]) == 1
    assert "03_bad: " in (said := capsys.readouterr().out)
    assert "FAILED" in said
    assert not alone.RECORD.exists()
