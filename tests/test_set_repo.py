"""The repository's URL is the same everywhere, and one command moves it."""

import re
import shutil
from pathlib import Path

import pytest

from tools.set_repo import URL, repository_url, set_repository

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "_assets _ext chapters teach tests tools utils .ci .github".split()
SUFFIXES = {".md", ".yml", ".cff", ".toml", ".ipynb", ".py", ".js", ".html"}
# Addresses that can only mean this book: they lead to its own chapters and
# workflows, or are fields for it.
OWN = re.compile(
    r"colab\.research\.google\.com/github/([\w-]+/[\w.-]+)/blob"
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


@pytest.mark.parametrize(
    "url",
    [
        "github.com/a/b",
        "https://example.org/a/b",
        "https://github.com/a/b/",
        "https://github.com/a",
    ],
)
def test_other_forms_are_refused(url):
    with pytest.raises(ValueError, match="OWNER/REPOSITORY"):
        set_repository(url)
