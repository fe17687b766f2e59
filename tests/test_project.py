"""Promises of the project's own files: pins, addresses, the cover."""

import os
import re
import subprocess
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml

from tools.times import EMULATION

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
URL = CONFIG["repository"]["url"]
TESTS = sorted(ROOT.glob("tests/*.py"))


def locked_versions(package: str) -> list[str]:
    """Versions of a package in requirements.lock, one per Python version."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    return re.findall(rf"^{package}==(\S+)", lock, re.MULTILINE)


def test_jupyter_book_stays_on_1():
    required = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert "jupyter-book==1.0.4.post1" in required
    assert locked_versions("jupyter-book") == ["1.0.4.post1"]


@pytest.mark.parametrize("package, major", [("numpy", 2), ("matplotlib", 3)])
def test_lock_is_of_today(package, major):
    versions = locked_versions(package)
    assert versions
    assert all(int(version.split(".")[0]) >= major for version in versions)


def test_d2l_imports_with_todays_numpy():
    assert int(version("numpy").split(".")[0]) >= 2
    assert import_module("d2l.torch").__name__ == "d2l.torch"


def is_written(chapter: Path) -> bool:
    """A chapter that is not, says so under its title, and is not listed."""
    title = nbformat.read(chapter, as_version=4).cells[0].source
    return "This chapter is not written yet." not in title


def test_toc_lists_every_chapter():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    files = [entry["file"] for entry in toc["chapters"]]
    listed = [file for file in files if file.startswith("chapters/")]
    found = sorted((ROOT / "chapters").glob("*.ipynb"))
    written = [path.stem for path in found if is_written(path)]
    assert listed == [f"chapters/{name}" for name in written]


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff"])
def test_repository_url_agrees(name):
    text = (ROOT / name).read_text("utf-8")
    address = r"https://github\.com/[\w-]+/[\w.-]*[\w-]"
    assert set(re.findall(address, text)) == {URL}


@pytest.mark.parametrize(
    "pattern",
    ["index.md", "_toc.yml", "_ext/*.py", "_assets/*.*", "utils/*.py"]
    + ["Makefile", ".ci/*", ".github/workflows/*.yml"],
)
def test_repository_url_is_nowhere_else(pattern):
    paths = list(ROOT.glob(pattern))
    assert paths
    for path in paths:
        assert URL.encode() not in path.read_bytes(), path


def test_the_last_edition_is_cited():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first, *past = re.findall("^## (.+)$", changelog, re.MULTILINE)
    assert first == "Unreleased"
    cited = [str(citation.get(key)) for key in ("version", "date-released")]
    assert cited == (past[0].split(" - ") if past else ["None", "None"])


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\(([^):]+)\)", text)
    assert targets
    assert [name for name in targets if not (ROOT / name).exists()] == []


SCALES = [
    "at most 45 seconds on one AVX2 thread",
    "at most 8 minutes on two AVX2 cores, 4 where bfloat16 is built in",
]
COMMANDS = [
    "`make test` takes at most 18 minutes",
    "takes at most 60 minutes",
]
PROMISES = {
    "README.md": SCALES + COMMANDS,
    "CONTRIBUTING.md": SCALES + COMMANDS,
    "index.md": SCALES,
}
A_TIME = re.compile(
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty)"
    r"[ -](?:minute|second|hour)s?\b"
)


def other_times(text: str, promises: list[str]) -> list[str]:
    """Times in a text that are not among these promises."""
    for promise in [*promises, "about 10 minutes on a free Colab GPU"]:
        text = text.replace(promise, "")
    return A_TIME.findall(text)


@pytest.mark.parametrize("name", PROMISES)
def test_documents_promise_the_same_times_and_no_others(name):
    text = " ".join((ROOT / name).read_text("utf-8").split())
    missing = [words for words in PROMISES[name] if words not in text]
    assert missing == []
    assert other_times(text, PROMISES[name]) == []


@pytest.mark.parametrize(
    "old", ["at most 5 minutes", "Ten-minute", "five minutes", "45 seconds"]
)
def test_other_times_are_found(old):
    found = other_times(
        f"{'. '.join(SCALES)}. It takes {old.lower()}.", SCALES
    )
    assert len(found) == 1 and found[0] in old.lower()


def test_what_make_test_leaves_out_is_named():
    sources = "".join(file.read_text("utf-8") for file in TESTS)
    long = re.findall(r'mark\.long\(\s*"(.+?)"', sources)
    marks = re.findall(r"mark\.long", sources)
    assert len(long) == len(marks) > 0, "a mark does not say what is long"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r'echo "- (.+?)"', makefile))
    assert named == set(long) | {
        "every chapter once more as on a processor without AVX-512"
    }


@pytest.mark.parametrize("switch", [[], ["AVX2=1"]])
def test_the_switch_of_make_sets_what_the_times_look_for(tmp_path, switch):
    recipe = tmp_path / "show.mk"
    recipe.write_text("show:\n\t@env\n", "utf-8")
    # The make that runs these tests may have been given the switch itself.
    inherited = {*EMULATION, "AVX2", "MAKEFLAGS", "MAKELEVEL"}
    done = subprocess.run(
        ["make", "-f", "Makefile", "-f", str(recipe), "show", *switch],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in inherited},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.partition("=")[::2] for line in done.stdout.splitlines()]
    seen = {name: value for name, value in lines if name in EMULATION}
    assert seen == (EMULATION if switch else {})
