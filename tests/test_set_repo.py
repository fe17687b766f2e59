"""The repository's URL is the same everywhere, and one command moves it."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from _ext import bookext
from tools.set_repo import URL, repository_url, set_repository

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "_assets _ext chapters teaching tests tools utils".split()
FOLDERS += [".ci", ".github"]
SUFFIXES = {".md", ".yml", ".cff", ".toml", ".ipynb", ".py", ".js", ".html"}
# Addresses that can only mean this book: they lead to its own chapters and
# workflows, or are fields for it. YOU stands for a teacher's own name.
OWN = re.compile(
    r"colab\.research\.google\.com/github/((?!YOU/)[\w-]+/[\w.-]+)/blob"
    r"|github\.com/([\w-]+/[\w.-]+)/(?:actions|blob/main/chapters)"
    r"|repository-code: https://github\.com/(\S+)"
    r"|book_url = \W+https://github\.com/([\w-]+/[\w.-]+)"
)


def texts(root):
    """Return the path and the text of the checkout's files."""
    paths = [*root.iterdir()]
    for folder in FOLDERS:
        paths += (root / folder).rglob("*")
    return [
        (path, path.read_text("utf-8"))
        for path in paths
        if path.suffix in SUFFIXES and "vendor" not in path.parts
    ]


def test_all_places_agree():
    slug = repository_url().removeprefix("https://github.com/")
    found = [
        (str(path.relative_to(ROOT)), next(filter(None, match.groups())))
        for path, text in texts(ROOT)
        for match in OWN.finditer(text)
        if path != Path(__file__)
    ]
    assert ("tools/setup_cell.py", slug) in found
    assert [place for place in found if place[1] != slug] == []


def test_set_repository_leaves_nothing_behind(tmp_path):
    old = URL.fullmatch(repository_url())
    copy = tmp_path / "book"
    for path, _ in texts(ROOT):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    readme = (
        f"https://colab.research.google.com/github/{old[1]}/{old[2]}/blob "
        f"https://{old[1]}.github.io/{old[2]}/ "
        f"https://github.com/{old[1]}/{old[2]}.git "
        f"https://github.com/{old[1]}/{old[2]}-extras"
    )
    (copy / "README.md").write_text(readme, "utf-8")

    set_repository("https://github.com/some-school/cnn", copy)

    assert repository_url(copy) == "https://github.com/some-school/cnn"
    assert (copy / "README.md").read_text("utf-8") == (
        "https://colab.research.google.com/github/some-school/cnn/blob "
        "https://some-school.github.io/cnn/ "
        "https://github.com/some-school/cnn.git "
        f"https://github.com/{old[1]}/{old[2]}-extras"
    )
    slug = re.compile(rf"\b{old[1]}(?:/|\.github\.io/){old[2]}(?![\w-])")
    left = [str(path) for path, text in texts(copy) if slug.search(text)]
    assert left == []


@pytest.fixture
def checkout(tmp_path):
    """Write a checkout of little more than its address."""
    (tmp_path / "_config.yml").write_text(CONFIG, "utf-8")
    return tmp_path


CONFIG = """title: A book
repository:
  url: https://github.com/o/book
  branch: main
"""


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("https://github.com/a/b/", "https://github.com/a/b"),
        ("https://github.com/a/b.git", "https://github.com/a/b"),
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("ssh://git@github.com/a/b.git", "https://github.com/a/b"),
        ("github.com/a/b", "https://github.com/a/b"),
        ("http://www.github.com/a/b", "https://github.com/a/b"),
        (
            "https://github.com/a/b/tree/main/chapters",
            "https://github.com/a/b",
        ),
        ("https://github.com/a/b?tab=readme#run", "https://github.com/a/b"),
        (" https://github.com/a/b\n", "https://github.com/a/b"),
        (
            "https://github.com/a-1/my.course",
            "https://github.com/a-1/my.course",
        ),
        ("git@github.com:a/my.course.git", "https://github.com/a/my.course"),
        (
            "https://github.com/a/b.github.io",
            "https://github.com/a/b.github.io",
        ),
        ("https://github.com/a/_b-c", "https://github.com/a/_b-c"),
    ],
)
def test_what_people_paste_is_taken_there_and_back(checkout, pasted, url):
    set_repository(pasted, checkout)
    assert repository_url(checkout) == url
    set_repository("https://github.com/o/book", checkout)
    assert (checkout / "_config.yml").read_text("utf-8") == CONFIG


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/b",
        "https://gist.github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/..",
        "https://github.com/a/b c",
        "a/b",
        "",
    ],
)
def test_other_forms_are_refused(checkout, url):
    with pytest.raises(ValueError, match="OWNER/REPOSITORY"):
        set_repository(url, checkout)
    assert (checkout / "_config.yml").read_text("utf-8") == CONFIG


def test_a_config_without_an_address_is_named(checkout):
    for config in ("title: x\n", CONFIG.replace("github.com/o", "x.org")):
        (checkout / "_config.yml").write_text(config, "utf-8")
        with pytest.raises(ValueError, match="_config.yml: repository.url"):
            set_repository("https://github.com/a/b", checkout)


def test_another_name_that_begins_alike_stays(checkout):
    text = "".join(
        f"[x](https://github.com/o/{name}) github/o/{name}/blob, "
        for name in ("book.js", "book-2", "books", "book.io", "book_x")
    )
    (checkout / "README.md").write_text(text, "utf-8")
    set_repository("https://github.com/a/b", checkout)
    assert (checkout / "README.md").read_text("utf-8") == text


def test_the_readme_can_be_followed_after_a_move():
    """It clones into a folder that it names itself, and enters that."""
    readme = (ROOT / "README.md").read_text("utf-8")
    clone = re.search(r"^git clone \S+ (\S+)\ncd (\S+)$", readme, re.MULTILINE)
    assert clone[1] == clone[2]


def build(url, monkeypatch, **variables):
    """Let the extension configure itself; return the links it makes."""
    monkeypatch.delenv("BOOK_REPO_URL", raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = {"repository_url": url, "repository_branch": "main"}
    config = SimpleNamespace(html_theme_options=options)
    at_end = []
    app = SimpleNamespace(connect=lambda event, call: at_end.append(call))
    bookext.set_repository(app, config)
    for call in at_end:
        call(app, None)
    return options["repository_url"], config.myst_url_schemes["repo"]


def test_a_build_for_the_written_address_says_nothing(monkeypatch, capsys):
    url = "https://github.com/o/book"
    for same in (url, url + "/", url + ".git", url + ".git/"):
        assert build(url, monkeypatch, BOOK_REPO_URL=same)[0] == url
    assert build(url, monkeypatch) == (url, url + "/{{path}}")
    assert capsys.readouterr().out == ""


def test_a_build_for_a_fork_says_whose_code_colab_runs(monkeypatch, capsys):
    url, fork = "https://github.com/o/book", "https://github.com/a/my.course"
    built = build(url, monkeypatch, BOOK_REPO_URL=fork + ".git")
    assert built == (fork, fork + "/{{path}}")
    beware = capsys.readouterr().out
    assert beware.startswith("\nBeware: these pages open the chapters of")
    assert f"fetches the code of {url}." in beware
    assert beware.endswith(f"python3 tools/set_repo.py {fork}\n")
    build(url, monkeypatch, BOOK_REPO_URL=fork, GITHUB_ACTIONS="true")
    assert capsys.readouterr().out.startswith("::warning::these pages")
