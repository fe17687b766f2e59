"""`make release`: an edition leads to itself, and main stays as it is.

One edition is made of the real book, in a repository of its own. What stops a
release is tried on a repository that holds little more than the names.
"""

import copy
import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat import v4

from _ext import bookext
from tests.test_setup_cell import MARK, NO_GPU, WHO, environment
from tools import editions, release
from tools.set_repo import repository_url, set_repository
from utils.chapters import code_hash

ROOT = Path(__file__).resolve().parent.parent
FILES = "_config.yml _toc.yml CHANGELOG.md CITATION.cff README.md".split()
PAGE = "teaching/editions.md"
FOLDERS = "_ext chapters tools utils".split()
DAY = datetime.date(2099, 2, 1)
NAME = "2099.10"  # YAML reads it as 2099.1, where it may


@pytest.fixture(autouse=True, scope="module")
def somebody():
    """Commit under a name, also where the machine has none."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in WHO.items():
            patch.setenv(key, value)
        yield


def git(folder: Path, *arguments: str) -> str:
    return release.git(folder, *arguments)


def begin(folder: Path) -> None:
    """Make a repository of a folder."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "The book")


def verify(folder: Path) -> None:
    """Note all chapters as `make verify` does, without running them."""
    noted = {
        path.stem: {"code_hash": code_hash(json.loads(path.read_text()))}
        for path in folder.glob("chapters/*.ipynb")
    }
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results/verified.json").write_text(json.dumps(noted))


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """The book's repository, of which an edition was made."""
    folder = tmp_path_factory.mktemp("release") / "book"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "samples")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / PAGE).parent.mkdir()
    for name in [*FILES, PAGE]:
        shutil.copy(ROOT / name, folder / name)
    (folder / MARK).parent.mkdir()
    (folder / MARK).touch()
    changelog = (folder / "CHANGELOG.md").read_text("utf-8")
    heading = "## Unreleased"
    changelog = changelog.replace(heading, f"{heading}\n\n- News.", 1)
    (folder / "CHANGELOG.md").write_text(changelog, "utf-8")
    if release.edition_of(folder):  # these tests run in an edition
        release.pin(folder, "")
    verify(folder)
    begin(folder)
    stat = release.release(folder, NAME, DAY)
    assert "CITATION.cff" in stat and "08_comparison.ipynb" in stat
    (folder / "utils/news.py").touch()
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Main goes on")
    return folder


@pytest.fixture(scope="module")
def edition(book) -> Path:
    """A checkout of the edition."""
    folder = book.with_name("edition")
    git(book, "worktree", "add", "-q", "--detach", str(folder), NAME)
    return folder


def changed(book: Path, old: str, new: str) -> set[str]:
    return set(git(book, "diff", "--name-only", old, new).splitlines())


def test_what_a_release_changes(book):
    news = {"CHANGELOG.md", "CITATION.cff"}
    if "None is released yet" in git(book, "show", f"main~2:{PAGE}"):
        news.add(PAGE)
    assert changed(book, "main~2", "main~1") == news
    chapters = {f"chapters/{p.name}" for p in ROOT.glob("chapters/*.ipynb")}
    leads = {"_config.yml", "tools/setup_cell.py"} | chapters
    assert len(chapters) == 8 and changed(book, "main~1", NAME) == leads
    assert git(book, "cat-file", "-t", NAME) == "tag"
    assert git(book, "rev-parse", f"{NAME}^") == git(
        book, "rev-parse", "main~1"
    )
    assert git(book, "status", "--porcelain") == ""


def test_a_page_says_that_there_is_no_edition_until_there_is_one(book):
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    page = (ROOT / PAGE).read_text("utf-8")
    said = "None is released yet" in page
    assert said == (not release.RELEASED.search(changelog))
    before, _, after = page.partition("<!-- until the first edition -->\n")
    after = after.partition("<!-- /until the first edition -->\n\n")[2]
    for commit in ("main", NAME):
        left = git(book, "show", f"{commit}:{PAGE}")
        assert left == (before + after).strip("\n")
        assert "None is released yet" not in left


def test_main_is_never_pinned(book):
    for commit in ("main~2", "main~1", "main"):
        for file in ("_config.yml", "tools/setup_cell.py"):
            assert NAME not in git(book, "show", f"{commit}:{file}"), commit


def test_an_edition_is_cited_and_dated(book):
    citation = yaml.safe_load(git(book, "show", "main:CITATION.cff"))
    assert citation["version"] == NAME
    assert str(citation["date-released"]) == "2099-02-01"
    changelog = git(book, "show", "main:CHANGELOG.md")
    assert f"\n## Unreleased\n\n## {NAME} - 2099-02-01\n\n- News" in changelog
    assert release.notes(changelog, "Unreleased") == ""
    assert release.notes(changelog, NAME).startswith("- News.")
    assert "- Old." == release.notes("# x\n## 1 - y\n\n- Old.\n\n## 0", "1")
    assert release.notes("## 2027.10 - y\n- New", "2027.1") == ""


def test_the_set_up_cell_of_each_chapter_fetches_the_edition(edition):
    cell = (edition / "tools/setup_cell.py").read_text("utf-8").rstrip()
    assert f'\nedition = "{NAME}"' in cell
    assert release.edition_of(edition) == NAME
    for path in (edition / "chapters").glob("*.ipynb"):
        before = nbformat.read(ROOT / "chapters" / path.name, 4)
        after = nbformat.read(path, 4)
        own = cell.replace("NN_chapter", path.stem)
        assert after.cells[1].source == own
        after.cells[1] = before.cells[1]
        assert after == before, "more than the set-up cell has changed"


def test_the_links_of_an_edition_lead_to_its_tag(edition, monkeypatch):
    monkeypatch.delenv("BOOK_REPO_URL", raising=False)
    config = yaml.safe_load((edition / "_config.yml").read_text("utf-8"))
    branch, url = config["repository"]["branch"], config["repository"]["url"]
    assert branch == NAME
    options = {"repository_url": url, "repository_branch": branch}
    sphinx = SimpleNamespace(html_theme_options=options)
    bookext.set_repository(None, sphinx)
    links = sphinx.myst_url_schemes
    assert links["source"] == f"{url}/blob/{NAME}/{{{{path}}}}"
    assert links["colab"].endswith(f"/blob/{NAME}/{{{{path}}}}")


def test_no_page_leads_past_the_edition():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("teaching/*.md")]
    past = [p.name for p in pages if "](repo:blob/" in p.read_text("utf-8")]
    assert past == [], "write source:FILE, which follows the branch or tag"


COLAB = "https://colab.research.google.com/github/"


@pytest.fixture
def in_edition(edition, monkeypatch):
    """Make student and teacher editions of the tag's chapters."""
    monkeypatch.setattr(editions, "ROOT", edition)
    return edition


def elsewhere(notebook, edition) -> list[str]:
    """Links to chapters that leave the edition, or miss their cell."""
    owned = repository_url().removeprefix("https://github.com/")
    tagged = f"{COLAB}{owned}/blob/{NAME}/"
    pages = f"{owned.partition('/')[0]}.github.io"
    wrong = []
    for cell in notebook.cells:
        for link in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            if f"//{pages}/" in link and "/chapters/" in link:
                wrong.append(link)
            if not link.startswith(COLAB):
                continue
            file, _, place = link.removeprefix(tagged).partition("#scrollTo=")
            path = edition / file
            found = nbformat.read(path, 4).cells if path.is_file() else []
            if not found or place and place not in {c.id for c in found}:
                wrong.append(link)
    return wrong


@pytest.mark.parametrize("kind", editions.KINDS)
def test_what_students_get_leads_to_the_tag(in_edition, kind):
    """Pages on the web go on with main; solutions there are other ones."""
    chapter = nbformat.read(in_edition / "chapters/04_nin.ipynb", 4)
    page = (ROOT / "teaching/04.md").read_text("utf-8")
    made = editions.edition(chapter, kind, "04_nin", notes=page)
    text = "\n".join(cell.source for cell in made.cells)
    assert f"/blob/{NAME}/chapters/04_nin.ipynb)" in made.cells[1].source
    assert text.count(f"/blob/{NAME}/chapters/03_vgg.ipynb#scrollTo=") > 1
    assert elsewhere(made, in_edition) == []
    for old, new in (
        (f"/blob/{NAME}/", "/blob/main/"),
        ("#scrollTo=", "#scrollTo=no-"),
        (f"]({COLAB}", "](https://modern-convnets.github.io/chapters/"),
    ):
        wrong = copy.deepcopy(made)
        for cell in wrong.cells:
            cell.source = cell.source.replace(old, new)
        assert elsewhere(wrong, in_edition), new


def test_without_a_tag_links_lead_to_the_pages():
    if release.edition_of(ROOT):
        pytest.skip("these tests run in an edition")
    made = editions.linked("[V](03_vgg.ipynb#The-block)", "04_nin")
    assert made.endswith("/chapters/03_vgg.html#the-block)")
    assert editions.unpinned(made, "../pages/") == made


def test_in_a_zip_they_lead_to_its_pages(in_edition):
    for link, there in (
        ("03_vgg.ipynb#The-block", "03_vgg.html#the-block"),
        ("03_vgg.ipynb", "03_vgg.html"),
    ):
        made = editions.linked(f"[V]({link})", "04_nin")
        assert COLAB in made
        assert (
            editions.unpinned(made, "../p/") == f"[V](../p/chapters/{there})"
        )


@pytest.mark.parametrize("commit", [NAME, "main"])
def test_a_notebook_and_its_helpers_agree(book, tmp_path, commit):
    git(book, "clone", "-q", "--bare", ".", str(tmp_path / "remote"))
    text = git(book, "show", f"{commit}:chapters/04_nin.ipynb")
    cell = nbformat.reads(text, 4).cells[1].source
    (tmp_path / "torch.py").write_text(NO_GPU, "utf-8")
    (tmp_path / "d2l").mkdir()
    (tmp_path / "d2l/__init__.py").touch()
    reader = tmp_path / "reader"
    reader.mkdir()
    url = (tmp_path / "remote").as_uri()
    done = subprocess.run(
        [sys.executable, "-c", cell],
        cwd=reader,
        env=environment(tmp_path, url) | {"PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (f"edition {NAME}" in done.stdout) == (commit == NAME)
    assert (reader / "book/utils/news.py").exists() == (commit == "main")


def test_an_edition_can_move_to_a_fork(edition):
    before = repository_url(edition)
    set_repository("https://github.com/some-school/cnn", edition)
    try:
        for path in (edition / "chapters").glob("*.ipynb"):
            source = nbformat.read(path, 4).cells[1].source
            assert f'\nedition = "{NAME}"' in source
            assert '"https://github.com/some-school/cnn"\n' in source
    finally:
        set_repository(before, edition)
    assert git(edition, "status", "--porcelain") == ""


# What stops a release


@pytest.fixture
def little(tmp_path) -> Path:
    """A repository with the places that a release writes to."""
    folder = tmp_path / "little"
    for name in ("teaching", "tools"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        PAGE: "# Editions\n\nThere are some.\n",
        "CHANGELOG.md": "# Changes\n\n## Unreleased\n\n- News.\n\n"
        "## 2027.9 - 2027-01-01\n\n- Old.\n",
        "CITATION.cff": 'title: x\nversion: "2027.9"\n'
        "date-released: 2027-01-01\n",
        "_config.yml": "repository:\n  url: x\n  branch: main\n",
        "tools/setup_cell.py": 'edition = ""\n',
        "tools/write_setup.py": "",
    }.items():
        (folder / name).write_text(text, "utf-8")
    begin(folder)
    return folder


def state(folder: Path) -> list:
    """All that a release could change."""
    texts = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    commands = ("for-each-ref", "status --porcelain -b", "worktree list")
    return [texts, *(git(folder, *line.split()) for line in commands)]


def refused(folder: Path, version: str) -> str:
    """Check that a release is refused, and nothing changes; say why."""
    before = state(folder)
    with pytest.raises(release.Refused) as error:
        release.release(folder, version, DAY)
    assert state(folder) == before
    return str(error.value)


def test_a_little_release(little):
    release.release(little, "2027.10-leeds", DAY)
    assert git(little, "tag") == "2027.10-leeds"
    release_of = git(little, "show", "2027.10-leeds:CITATION.cff")
    assert release_of.count("version:") == release_of.count("date-") == 1
    assert "Take the next number" in refused(little, "2027.10-leeds")


@pytest.mark.parametrize(
    "version",
    ["", "1.2.0", "v2027.1", "2027", "2027.0", "2027.01", "2027.1 ", "--all"]
    + ["2027.1-", "2027.1-Leeds", "2027.1/x", "main"],
)
def test_another_form_of_version(little, version):
    why = refused(little, version)
    assert repr(version) in why and "make release VERSION=2027.1" in why


@pytest.mark.parametrize("version", ["2027.9", "2027.2", "2026.12"])
def test_a_version_that_comes_too_late(little, version):
    assert "does not come after 2027.9" in refused(little, version)


@pytest.mark.parametrize("kind", ["tag", "branch"])
def test_a_name_that_is_taken(little, kind):
    git(little, kind, "2028.1")
    assert f"there is a {kind} 2028.1" in refused(little, "2028.1")


@pytest.mark.parametrize("file", ["CHANGELOG.md", "new.md"])
def test_what_is_not_committed(little, file):
    (little / file).write_text("## Unreleased\n- More\n", "utf-8")
    why = refused(little, "2028.1")
    assert "not committed" in why and file in why and "git stash -u" in why


@pytest.mark.parametrize("where", ["-c other", "--detach"])
def test_another_branch(little, where):
    git(little, "switch", "-q", *where.split())
    why = refused(little, "2028.1")
    assert "git switch main" in why
    assert ("branch other" if "other" in where else "no branch") in why


def test_nothing_is_new(little):
    changelog = "# Changes\n\n## Unreleased\n\n## 2027.9 - 2027-01-01\n- Old\n"
    (little / "CHANGELOG.md").write_text(changelog, "utf-8")
    git(little, "commit", "-qam", "Nothing")
    assert "says nothing under `## Unreleased`" in refused(little, "2028.1")


def test_chapters_that_were_not_verified_as_they_stand(little):
    (little / "chapters").mkdir()
    for name in ("01_a", "02_b"):
        notebook = v4.new_notebook(cells=[v4.new_code_cell("x = 1")])
        nbformat.write(notebook, little / f"chapters/{name}.ipynb")
    git(little, "add", ".")
    git(little, "commit", "-qm", "Two chapters")
    why = refused(little, "2028.1")
    assert "the code of 01_a, 02_b was changed" in why
    assert "Type make verify, and" in why

    verify(little)
    notebook.cells[0].source = "x = 2"
    nbformat.write(notebook, little / "chapters/02_b.ipynb")
    git(little, "add", ".")
    git(little, "commit", "-qm", "One of them edited")
    why = refused(little, "2028.1")
    assert "the code of 02_b was changed" in why
    assert "Type make verify CHAPTER=02_b, and" in why

    verify(little)
    git(little, "commit", "-qam", "Verified")
    release.release(little, "2028.1", DAY)


@pytest.mark.parametrize("commit", ["name and date", "leads to itself"])
def test_a_commit_that_fails_leaves_nothing(little, commit):
    hook = little / ".git/hooks/commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\necho No. >&2\n! grep -q "{commit}" "$1"\n')
    hook.chmod(0o755)
    assert "failed: No." in refused(little, "2028.1")


@pytest.mark.parametrize("file", ["_config.yml", "tools/setup_cell.py"])
def test_a_place_that_is_gone(little, file):
    (little / file).write_text("nothing\n", "utf-8")
    git(little, "commit", "-qam", "Gone")
    assert f"{Path(file).name} has 0 lines" in refused(little, "2028.1")


def test_the_command_says_what_it_wants():
    command = [sys.executable, ROOT / "tools/release.py", ""]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("No release: VERSION is ''; it must be")
