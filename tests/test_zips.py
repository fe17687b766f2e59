"""The zips for a room without a network: whole, and usable as they unpack.

Handouts are stand-ins, but for one that is printed in a test that is long; all
else is real.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from packaging.requirements import Requirement
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.test_pages import CHAPTERS, ROOT, look, site
from tests.test_presenter import presented
from tools import concept_test, zips
from tools import editions as notebooks
from tools.editions import edition
from tools.set_repo import repository_url
from tools.zips import STEMS, Missing, contents, pack

__all__ = ["site"]

NAMES = [chapter.removeprefix("chapters/") for chapter in CHAPTERS]
KINDS = list(STEMS)
RUN = ["06_resnet", "08_comparison"]  # from their zip; 8 reads other chapters
PRINTED = "03_vgg"
MOST = 20_000_000  # bytes less handouts; test_handouts.py says how large those
CELL = (ROOT / "tools/setup_cell.py").read_text("utf-8")
OWNER, NAME = repository_url().split("/")[-2:]
HOME = f"https://{OWNER}.github.io/{NAME}/"
# Whoever asks the network gets an error at once, as in a room without one.
NO_NETWORK = """import socket

def refuse(*_, **__):
    raise OSError("There is no network.")

socket.socket.connect = socket.create_connection = refuse
socket.getaddrinfo = refuse
"""
# As the chapters do. What is imported must be what was unpacked.
PROBE = """
import sys
from pathlib import Path
import utils.scale, chapters.checks
from d2l import torch as d2l
from utils.chapters import chapter
from utils.data import load
from utils.results import RESULTS, recorded

for module in (utils.scale, chapters.checks, d2l):
    print(Path(module.__file__).relative_to(Path.cwd().parent))
print(load("cifar10").train.images.shape, load("fashion-mnist").class_names[0])
print(len(recorded("06_resnet", "resnet-20")), [*RESULTS.rglob("*.pt")][0])
print(chapter("03_vgg").vgg.__name__)
chapters.checks.check("6.7", lambda n: 0)
"""


@pytest.fixture(scope="module")
def editions(tmp_path_factory) -> Path:
    """Make a folder of notebooks, and handouts that stand for real ones."""
    folder = tmp_path_factory.mktemp("editions")
    for kind in KINDS:
        (folder / kind).mkdir()
        for name in {*NAMES, *RUN}:
            chapter = nbformat.read(ROOT / f"chapters/{name}.ipynb", 4)
            notes = (ROOT / f"teaching/{name[:2]}.md").read_text("utf-8")
            made = edition(chapter, kind, name, notes=notes)
            nbformat.write(made, folder / kind / f"{name}.ipynb")
            (folder / kind / f"{name}.pdf").write_bytes(b"%PDF-1.4 " * 99)
    (folder / "teacher" / "concept_test.pdf").write_bytes(b"%PDF-1.4 " * 99)
    return folder


@pytest.fixture(scope="module")
def packed(editions, site, tmp_path_factory) -> dict[str, Path]:
    """Pack both zips."""
    folder = tmp_path_factory.mktemp("zips")
    where = {"editions": editions, "names": sorted({*NAMES, *RUN})}
    return {kind: pack(kind, folder, **where) for kind in KINDS}


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory) -> dict[str, Path]:
    """Unpack both into empty folders."""
    folders = {}
    for kind, path in packed.items():
        folder = tmp_path_factory.mktemp(f"a {kind}'s Übungen")
        with zipfile.ZipFile(path) as file:
            file.extractall(folder)
        (folders[kind],) = folder.iterdir()
    return folders


@pytest.fixture
def offline(tmp_path) -> dict[str, str]:
    """Return the variables of a user without settings and network."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK, "utf-8")
    kept = {k: v for k, v in os.environ.items() if k[:5] != "BOOK_"}
    return kept | {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "BOOK_SCALE": "smoke",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


# What is in them


def test_what_is_in_them(packed):
    for kind, path in packed.items():
        assert path.stat().st_size < MOST
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            assert file.testzip() is None
            assert {info.date_time for info in file.infolist()} == {zips.DATE}
        assert all(name.isascii() for name in names)
        assert {name.split("/")[0] for name in names} == {STEMS[kind]}
        inside = {name.partition("/")[2] for name in names}
        for name in NAMES:
            for ending in ("ipynb", "pdf"):
                assert f"student/{name}.{ending}" in inside
                has = f"teacher/{name}.{ending}" in inside
                assert has == (kind == "teacher")
            assert f"pages/chapters/{name}.html" in inside
        has = "teacher/concept_test.pdf" in inside
        assert has == (kind == "teacher")
        for name in ("README.txt", "LICENSE", "LICENSE-text", "d2l/LICENSE"):
            assert name in inside
        for waste in ("__pycache__", ".map$", "/locales/", "fontawesome.js$"):
            assert [n for n in inside if waste in f"{n}$"] == []


def test_the_readme_names_what_is_there(unpacked):
    for folder in unpacked.values():
        text = (folder / "README.txt").read_text("utf-8")
        assert text.isascii() and max(map(len, text.splitlines())) < 80
        named = re.findall(r"[\w-]+(?:/[\w.*-]+|\.txt)", text)
        assert len(named) > 2
        for name in named:
            assert [*folder.glob(name)] or name.startswith("https"), name


def answers() -> list[str]:
    """How the answers to the exam questions of all listed plans begin."""
    found = []
    for name in NAMES:
        text = (ROOT / f"teaching/{name[:2]}.md").read_text("utf-8")
        found += re.findall(
            r"<summary>Answer \d+</summary>\s+([^\n*`<&]{25,45})", text
        )
    return found


def misconceptions() -> list[str]:
    """How what students think begins, in all listed plans."""
    found = []
    for name in NAMES:
        text = (ROOT / f"teaching/{name[:2]}.md").read_text("utf-8")
        rows = text.partition("## Misconceptions")[2].partition("\n## ")[0]
        found += re.findall(r"^\| ([^\n*`<&|'\"]{12,45})", rows, re.M)[1:]
    return [text.strip() for text in found]


def explanations() -> list[str]:
    """How the concept test explains its options, up to a sign that is written
    in another way in pages."""
    asked = concept_test.questions()
    says = [says for one in asked for _, says, _ in concept_test.options(one)]
    return [re.match("[^'’\"“&<]*", text)[0][:45] for text in says]


def test_students_get_nothing_of_the_teachers(unpacked):
    texts = {
        kind: "".join(
            file.read_text("utf-8")
            for file in sorted(folder.rglob("*"))
            if file.suffix in {".html", ".js", ".md", ".ipynb", ".xml"}
        )
        for kind, folder in unpacked.items()
    }
    assert len(answers()) > 20 and len(misconceptions()) > 40
    for secrets in (answers(), misconceptions(), explanations()):
        assert [text for text in secrets if text in texts["student"]] == []
        assert [text for text in secrets if text not in texts["teacher"]] == []
    plan = unpacked["student"] / "pages/teaching/06.html"
    assert "is for teachers" in plan.read_text("utf-8")
    kept = {path.name for path in unpacked["student"].rglob("concept_test*")}
    assert kept == {"concept_test.html"}, "the page that says: for teachers"
    (key,) = unpacked["teacher"].rglob("concept_test_form.html")
    assert "<h1>Key</h1>" in key.read_text("utf-8")


def test_chapters_are_there_as_far_as_others_read_them(unpacked):
    for notebook in sorted((ROOT / "chapters").glob("*.ipynb")):
        copy = unpacked["student"] / "chapters" / notebook.name
        cells = nbformat.read(copy, as_version=4).cells
        wanted = nbformat.read(notebook, as_version=4).cells
        definitions = [
            c.source
            for c in wanted
            if "definition" in c.metadata.get("tags", "")
        ]
        sources = [c.source for c in cells]
        assert [d for d in definitions if d not in sources] == []
        solutions = {s for s in sources if s.startswith("# @title Solution")}
        assert solutions <= {*definitions}


def test_requirements_are_the_notebooks(unpacked):
    text = (unpacked["student"] / "requirements.txt").read_text("utf-8")
    names = {Requirement(line).name for line in text.splitlines()}
    assert {"torch", "torchvision", "safetensors", "pandas"} <= names
    assert not {"d2l", "jupyter-book", "playwright", "pytest"} & names


def test_equal_input_gives_equal_bytes(editions, packed, tmp_path):
    again = shutil.copytree(editions, tmp_path / "editions")
    for file in again.rglob("*"):
        os.utime(file, (0, 0))
    names = sorted({*NAMES, *RUN})
    second = pack("student", tmp_path, editions=again, names=names)
    assert second.read_bytes() == packed["student"].read_bytes()


# How they work


def lost(pages: Path) -> list[str]:
    """What pages name and no file is: "page: address"."""
    found = []
    for page in sorted(pages.rglob("*.html")):
        text = page.read_text("utf-8")
        for address in re.findall(
            r'(?:href|src|network-script)="([^"]+)"', text
        ):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).exists():
                found.append(f"{page.relative_to(pages)}: {address}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_link_is_lost(unpacked, kind):
    assert lost(unpacked[kind] / "pages") == []


def test_a_lost_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#x">b</a> <a href="#y">y</a> <img src="a.html?v=1">'
    )
    assert lost(tmp_path) == ["a.html: b.html#x"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "page", ["index", "chapters/06_resnet", "search", "teaching/06"]
)
def test_pages_open_from_the_folder(browser, unpacked, kind, page):
    url = (unpacked[kind] / f"pages/{page}.html").as_uri()
    assert look(browser, url, axe=False) == []


@pytest.mark.parametrize("kind", KINDS)
def test_presenter_mode_has_the_notes_of_the_teachers_zip(
    browser, unpacked, kind
):
    url = (unpacked[kind] / "pages/chapters/06_resnet.html").as_uri()
    with presented(browser, url) as (page, open_notes, wrong):
        notes = open_notes()
        page.evaluate("bookPresenter.do.show('what-it-is-not')")
        expect(notes.locator("#title")).to_have_text("What it is not")
        said = notes.locator("#notes")
        if kind == "student":
            none = "This copy of the book has no notes on this page."
            expect(said).to_have_text(none)
            expect(notes.locator("#rows-section")).to_be_hidden()
        else:
            expect(said).to_contain_text("What students think")
        assert wrong == []


def test_notebooks_lead_to_the_pages(unpacked):
    for kind, folder in unpacked.items():
        notebook = folder / kind / "06_resnet.ipynb"
        text = notebook.read_text("utf-8")
        assert HOME not in text
        led = set(re.findall(r"\]\((\.\./pages/[^)#\s]+)", text))
        assert len(led) > 4
        assert [to for to in led if not (notebook.parent / to).exists()] == []
        page = (folder / "pages/chapters/06_resnet.html").read_text("utf-8")
        (source,) = re.findall(r'"(\.[^"]*/06_resnet\.ipynb)"', page)
        assert source == f"../../{kind}/06_resnet.ipynb"


def test_notebooks_of_a_tag_lead_to_the_pages(tmp_path, monkeypatch):
    """Though they lead to Colab before they are packed."""
    monkeypatch.setattr(notebooks, "edition_of", lambda root: "2099.1")
    link = notebooks.linked("[V](03_vgg.ipynb#The-block)", "04_nin")
    assert "/blob/2099.1/chapters/03_vgg.ipynb#scrollTo=" in link
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "04_nin.ipynb").write_text(link, "utf-8")
    (folder / "04_nin.pdf").touch()
    files = dict(zips._editions(tmp_path, "student", ["04_nin"], "https:"))
    there = b"[V](../pages/chapters/03_vgg.html#the-block)"
    assert files["student/04_nin.ipynb"] == there


def test_a_notebook_finds_all_it_needs_without_a_network(unpacked, offline):
    done = subprocess.run(
        [sys.executable, "-c", f"{CELL}\n{PROBE}"],
        cwd=unpacked["student"] / "student",
        env=offline,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    modules = "utils/scale.py\nchapters/checks/__init__.py\nd2l/torch.py\n"
    assert done.stdout.startswith(modules), "silent, and from the folder"
    assert "torch.Size([9000, 3, 32, 32])" in done.stdout
    assert "Exercise 6.7: not yet." in done.stdout


def test_the_network_is_really_gone(offline):
    ask = "import urllib.request as u; u.urlopen('http://127.0.0.1:9')"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=offline,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "There is no network." in done.stderr


@pytest.mark.long("two student editions from their zip, without a network")
@pytest.mark.parametrize("name", RUN)
def test_an_edition_runs_without_a_network(unpacked, offline, name):
    notebook = unpacked["student"] / "student" / f"{name}.ipynb"
    runner = "from nbclient.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", runner, "--inplace", "--timeout=300", notebook],
        cwd=notebook.parent,
        env=offline,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    cells = nbformat.read(notebook, as_version=4).cells
    checks = [cell for cell in cells if "check" in cell.metadata]
    assert len(checks) >= 4
    for cell in checks:
        assert ": not yet." in cell.outputs[0].text


# As `make editions` does, in a process of its own, which has its own browser.
MAKE = """
import sys
from pathlib import Path
from tools import editions, handouts, zips

name, folder = sys.argv[1], Path(sys.argv.pop())
editions.FOLDER = handouts.EDITIONS = folder
assert editions.main([name]) == 0
handouts.main()
for kind in zips.STEMS:
    print(zips.pack(kind, folder, editions=folder, names=[name]))
"""


@pytest.mark.long("the zips with a real handout")
def test_what_the_three_tools_make_goes_together(site):
    folder = ROOT / "_build/editions-tested"
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", MAKE, PRINTED, folder],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for kind, stem in STEMS.items():
        with zipfile.ZipFile(folder / f"{stem}.zip") as packed:
            notebook, pdf = (
                packed.read(f"{stem}/{kind}/{PRINTED}.{ending}")
                for ending in ("ipynb", "pdf")
            )
        assert nbformat.reads(notebook, 4).metadata.edition.kind == kind
        assert kind in PdfReader(io.BytesIO(pdf)).metadata.title
    shutil.rmtree(folder)


# What is missing


def test_what_was_not_made_is_named(editions, site, tmp_path):
    with pytest.raises(Missing, match="index.html. First: make book"):
        contents("student", site=tmp_path, editions=editions)
    some = shutil.copytree(editions, tmp_path / "editions")
    (some / "student" / f"{NAMES[-1]}.pdf").unlink()
    with pytest.raises(Missing, match=r"pdf. First: make editions \(Chrom"):
        contents("student", editions=some)
    (some / "teacher" / "concept_test.pdf").unlink()
    with pytest.raises(Missing, match=r"concept_test.pdf. First: make edit"):
        contents("teacher", editions=some, names=NAMES[:1])
    (some / "student" / f"{NAMES[0]}.ipynb").unlink()
    with pytest.raises(Missing, match="ipynb. First: make editions$"):
        pack("teacher", tmp_path, editions=some)
    assert not [*tmp_path.glob("*.zip*")], "half a zip"
