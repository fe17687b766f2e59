"""Write the repository's URL everywhere the book names it.

    python3 tools/set_repo.py https://github.com/OWNER/REPOSITORY

`repository.url` in _config.yml is the one place of truth; this script reads
the old URL there and changes both. Chapters need no new execution: the set-up
cell is not part of the stamp.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = (
    "*.md",
    "*.yml",
    "*.cff",
    "*.toml",
    "chapters/*.ipynb",
    "teaching/*.md",
    "tools/*.py",
    ".github/**/*.yml",
)
FORM = "it must have the form https://github.com/OWNER/REPOSITORY"
URL = re.compile(r"https://github\.com/([\w-]+)/([\w.-]*[\w-])")
# What GitHub's buttons and a browser's address line give.
PASTED = re.compile(
    r"\s*(?:https?://|ssh://git@|git@)?(?:www\.)?github\.com[/:]"
    r"([\w-]+)/([\w.-]*?[\w-])(?:\.git)?(?:[/?#]\S*)?\s*"
)


def repository_url(root: Path = ROOT) -> str:
    """Return `repository.url` of _config.yml.

    Raises:
        ValueError: it is not a github.com repository.
    """
    config = (root / "_config.yml").read_text("utf-8")
    url = re.search(r"^repository:\n  url: (\S*)", config, re.MULTILINE)
    if not url or not URL.fullmatch(url[1]):
        raise ValueError(
            f"_config.yml: repository.url is {url and url[1]!r}; {FORM}"
        )
    return url[1]


def set_repository(url: str, root: Path = ROOT) -> list[Path]:
    """Replace the book's URL, and the Colab and Pages links made of it.

    Args:
        url: The repository's address on github.com, as one copies it there:
            for HTTPS or SSH, with .git or a folder behind it.
        root: the checkout.

    Returns:
        The files that were changed.

    Raises:
        ValueError: `url` has another form.
    """
    new = PASTED.fullmatch(url)
    if not new:
        raise ValueError(f"the URL is {url!r}; {FORM}")
    old = URL.fullmatch(repository_url(root))
    # The name may go on with a dot, but then it is another one.
    end = r"(?=\.git\b|(?!\.?[\w-]))"
    old_slug = re.compile(
        rf"(github(?:\.com)?/){re.escape(old[1])}/{re.escape(old[2])}{end}"
    )
    old_pages = re.compile(
        rf"{re.escape(old[1])}\.github\.io/{re.escape(old[2])}{end}"
    )
    changed = []
    for path in sorted({p for place in PLACES for p in root.glob(place)}):
        before = path.read_text(encoding="utf-8")
        after = old_slug.sub(rf"\g<1>{new[1]}/{new[2]}", before)
        after = old_pages.sub(f"{new[1]}.github.io/{new[2]}", after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        for file in set_repository(sys.argv[1]):
            print("changed", file.relative_to(ROOT))
    except ValueError as error:
        sys.exit(str(error))
