"""Make an edition of the book that holds still: a tag.

    .venv/bin/python tools/release.py 2027.1
    python3 tools/release.py --notes 2027.1      what the changelog says of it

An edition is named by its year and its number in that year; a fork may add a
word of its own, as in 2027.1-leeds. The script makes two commits. The first
belongs to main: the changelog's section Unreleased gets the name and the date,
CITATION.cff cites them, and what teaching/editions.md says as long as there is
no edition goes. The second belongs to the edition alone: the links of the
pages and the set-up cell of the chapters lead to its tag, so that its
notebooks fetch its own helpers. That one carries the tag, and main goes on
from the first.

Both are made in a second working tree, and main moves when all is well. What
stops the script leaves everything as it was. Nothing is pushed.
"""

import datetime
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from utils.chapters import code_hash

VERSION = re.compile(r"(20\d\d)\.([1-9]\d*)(?:-([a-z][a-z0-9]*))?")
RELEASED = re.compile(rf"^## ({VERSION.pattern}) - ", re.MULTILINE)
EDITION = re.compile(r'^edition = "(.*)"', re.MULTILINE)
NONE_YET = re.compile(  # in teaching/editions.md
    r"^<!-- until the first edition -->\n.*?^<!-- /until .*? -->\n+",
    re.DOTALL | re.MULTILINE,
)
BRANCH = re.compile(r"^  branch: .*$", re.MULTILINE)


class Refused(Exception):
    """There is no release; the message says why, and the way out."""


def edition_of(root: Path) -> str:
    """Return the tag that the set-up cell of a tree fetches, or ""."""
    cell = (root / "tools/setup_cell.py").read_text("utf-8")
    return EDITION.search(cell)[1]


def git(root: Path, *arguments: str) -> str:
    """Run git there; return what it prints.

    Raises:
        Refused: git failed; with what it said.
    """
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        why = done.stderr.strip() or done.stdout.strip()
        raise Refused(f"`git {' '.join(arguments)}` failed: {why}")
    return done.stdout.strip("\n")


def order(version: str) -> tuple[int, int, str]:
    """What editions are sorted by: 2027.10 comes after 2027.9."""
    year, number, word = VERSION.fullmatch(version).groups()
    return int(year), int(number), word or ""


def notes(changelog: str, section: str) -> str:
    """Return what stands below the heading of an edition, or of Unreleased."""
    heading = rf"^## {re.escape(section)}(?: - .*)?$"
    _, *after = re.split(heading, changelog, maxsplit=1, flags=re.MULTILINE)
    return re.split("^## ", "".join(after), flags=re.MULTILINE)[0].strip()


def unverified(root: Path) -> list[str]:
    """The chapters whose code is not the one that `make verify` noted."""
    record = root / "results/verified.json"
    known = json.loads(record.read_text("utf-8")) if record.exists() else {}
    return [
        path.stem
        for path in sorted((root / "chapters").glob("*.ipynb"))
        if known.get(path.stem, {}).get("code_hash")
        != code_hash(json.loads(path.read_text("utf-8")))
    ]


def check(root: Path, version: str) -> None:
    """Look whether this edition can be made of this checkout.

    Raises:
        Refused: it cannot.
    """
    if not VERSION.fullmatch(version):
        raise Refused(
            f"VERSION is {version!r}; it must be a year and the number of "
            "the edition in that year: make release VERSION=2027.1"
        )
    branch = git(root, "branch", "--show-current")
    if branch != "main":
        raise Refused(
            f"this is {branch and f'branch {branch}' or 'no branch'}; an "
            "edition is made of main: git switch main"
        )
    if dirty := git(root, "status", "--porcelain"):
        raise Refused(
            "these files are not committed, so the edition would lack them. "
            f"Commit them, or git stash -u:\n{dirty}"
        )
    refs = git(root, "for-each-ref", "--format=%(refname)").splitlines()
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    past = [found[0] for found in RELEASED.findall(changelog)]
    for kind, folder in (("tag", "tags"), ("branch", "heads")):
        if f"refs/{folder}/{version}" in refs:
            raise Refused(
                f"there is a {kind} {version}, and an edition never moves. "
                f"Take the next number; git {kind} lists those in use"
            )
    if past and order(version) <= max(map(order, past)):
        raise Refused(
            f"{version} does not come after {max(past, key=order)}, the last "
            "edition in CHANGELOG.md. Take a higher number"
        )
    if not notes(changelog, "Unreleased"):
        raise Refused(
            "CHANGELOG.md says nothing under `## Unreleased`. Write there "
            "what is new for readers, and commit it"
        )
    if old := unverified(root):
        which = f" CHAPTER={old[0]}" * (len(old) == 1)
        raise Refused(
            f"the code of {', '.join(old)} was changed since it last ran "
            f"alone in an empty folder. Type make verify{which}, and commit "
            "results/verified.json"
        )


def replace(path: Path, pattern: re.Pattern, new: str) -> None:
    """Replace the one place of a file that the pattern finds.

    Raises:
        Refused: there is none, or more than one.
    """
    text, count = pattern.subn(lambda _: new, path.read_text("utf-8"))
    if count != 1:
        raise Refused(
            f"{path.name} has {count} lines of the form {pattern.pattern!r} "
            "and needs one"
        )
    path.write_text(text, "utf-8")


def name(root: Path, version: str, day: datetime.date) -> None:
    """Write name and date of an edition where they stand.

    That is in the changelog and in the citation; and the page for teachers
    does not say any longer that there is no edition.
    """
    heading = re.compile("^## Unreleased$", re.MULTILINE)
    both = f"## Unreleased\n\n## {version} - {day}"
    replace(root / "CHANGELOG.md", heading, both)
    page = root / "teaching/editions.md"
    page.write_text(NONE_YET.sub("", page.read_text("utf-8")), "utf-8")
    path = root / "CITATION.cff"
    cited = re.sub(
        r"^(version|date-released): .*\n",
        "",
        path.read_text("utf-8"),
        flags=re.MULTILINE,
    )
    # In quotes, or YAML reads 2027.10 as the number 2027.1.
    cited = f'{cited}version: "{version}"\ndate-released: {day}\n'
    path.write_text(cited, "utf-8")


def pin(root: Path, version: str) -> None:
    """Let the links of the pages and the set-up cells lead to the tag."""
    replace(root / "_config.yml", BRANCH, f'  branch: "{version}"')
    cell = root / "tools/setup_cell.py"
    replace(cell, EDITION, f'edition = "{version}"')
    script = root / "tools/write_setup.py"
    done = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise Refused(f"tools/write_setup.py failed: {done.stderr.strip()}")


def release(root: Path, version: str, day: datetime.date) -> str:
    """Make the commits and the tag of an edition.

    Args:
        root: a checkout of main, with nothing to commit.
        version: its name, as in 2027.1.
        day: when it is released.

    Returns:
        What was changed, as `git diff --stat` says it.

    Raises:
        Refused: it cannot be made; then nothing has changed.
    """
    check(root, version)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        tree = Path(folder, "book")
        git(root, "worktree", "add", "--detach", str(tree), "main")
        try:
            name(tree, version, day)
            git(tree, "commit", "-am", f"Edition {version}: name and date")
            main = git(tree, "rev-parse", "HEAD")
            pin(tree, version)
            git(tree, "commit", "-am", f"Edition {version} leads to itself")
            git(tree, "tag", "-a", version, "-m", f"Edition {version}")
        finally:
            git(root, "worktree", "remove", "--force", str(tree))
    try:
        git(root, "merge", "--ff-only", main)
    except Refused:
        git(root, "tag", "-d", version)
        raise
    return git(root, "diff", "--stat", "main~1", version)


DONE = """
Edition {0} is tagged, and main goes on from the commit before. Look at it:
    git show {0}
Publish both: git push --atomic origin main {0}
Or undo both: git tag -d {0} && git reset --keep HEAD~1"""

if __name__ == "__main__":
    asked = sys.argv[-1] if sys.argv[1:] else ""
    if sys.argv[1:2] == ["--notes"]:
        changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
        sys.exit(print(notes(changelog, asked)))
    try:
        print(release(ROOT, asked, datetime.date.today()))
        print(DONE.format(asked))
    except Refused as error:
        sys.exit(f"No release: {error}.")
