"""The guards of conftest.py: each notebook in must_fail fails as it should."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "tests/must_fail"
REASONS = {
    "aborted_kernel": "Cell 1: the kernel was ended by the signal SIGABRT",
    "broken_promise": "raised nothing",
    "ended_kernel": "Cell 1: the kernel ended with exit status 3",
    "error": "RuntimeError",
    "failing_pip": "exit status 1",
    "failing_shell_command": "exit status 3",
    "killed_kernel": "Cell 1: the kernel was ended by the signal SIGKILL",
    "unknown_cell_magic": "no_such_magic",
    "unknown_line_magic": "no_such_magic",
    "wrong_fact": "Cell outputs differ",
    "wrong_solution": "Exercise 2.1: not yet.",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[ElementTree.Element]:
    """Run all notebooks at once; return what became of each cell."""
    report = tmp_path_factory.mktemp("guards") / "report.xml"
    command = "-m pytest --nbval-lax --nbval-current-env -n 2 --dist loadfile"
    run = subprocess.run(
        [sys.executable, *command.split(), "-p", "no:cacheprovider"]
        + [f"--junit-xml={report}", *sorted(NOTEBOOKS.glob("*.ipynb"))],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    return list(ElementTree.parse(report).iter("testcase"))


def notebook(case: ElementTree.Element) -> str:
    return case.get("classname").split(".")[-2]


@pytest.fixture(scope="module")
def failures(cases) -> dict[str, str]:
    """What failed, by notebook."""
    found = {path.stem: "" for path in NOTEBOOKS.glob("*.ipynb")}
    for case in cases:
        for failure in case.findall("failure"):
            found[notebook(case)] += failure.get("message") + failure.text
    return found


@pytest.mark.parametrize("name", REASONS)
def test_bad_notebook_fails(failures, name):
    assert REASONS[name] in failures[name]


def test_cells_after_a_kernels_death_say_how_it_died(cases):
    cells = [case for case in cases if notebook(case) == "killed_kernel"]
    skips = [case.find("skipped") for case in cells[2:]]
    assert len(skips) == 2
    for skip in skips:
        assert REASONS["killed_kernel"] in skip.get("message")


def test_good_notebook_passes(failures):
    assert failures["good"] == ""


def test_every_notebook_is_tested(failures):
    assert failures.keys() == {*REASONS, "good"}
