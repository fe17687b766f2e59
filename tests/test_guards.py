"""The guards of conftest.py: each notebook in must_fail fails as it should."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "tests/must_fail"
REASONS = {
    "broken_promise": "raised nothing",
    "error": "RuntimeError",
    "failing_pip": "exit status 1",
    "failing_shell_command": "exit status 3",
    "unknown_cell_magic": "no_such_magic",
    "unknown_line_magic": "no_such_magic",
    "wrong_fact": "Cell outputs differ",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> dict[str, str]:
    """Run all notebooks at once; return what failed, by notebook."""
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
    found = {path.stem: "" for path in NOTEBOOKS.glob("*.ipynb")}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname").split(".")[-2]
        for failure in case.findall("failure"):
            found[name] += failure.get("message") + (failure.text or "")
    return found


@pytest.mark.parametrize("name", REASONS)
def test_bad_notebook_fails(failures, name):
    assert REASONS[name] in failures[name]


def test_good_notebook_passes(failures):
    assert failures["good"] == ""


def test_every_notebook_is_tested(failures):
    assert failures.keys() == {*REASONS, "good"}
