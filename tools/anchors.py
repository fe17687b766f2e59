"""Keep the links that readers have copied: python tools/anchors.py [--add]

Compares the built pages with tests/anchors.txt, the list of all places that a
link was ever published to. --add writes new places into the list. Where a
heading was renamed, its old name stays a place if the Markdown below it has
<a id="the-old-name"></a>.
"""

import argparse
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "anchors.txt"
# What shows its link, and the solutions.
PLACES = "section[id], figure[id], .math[id], .cell[id], details[id], dt[id]"


def published(file: Path = LIST) -> set[str]:
    """The places in the list, as "chapters/02_alexnet#the-run"."""
    return set(file.read_text("utf-8").split())


def compared(site: Path, listed: set[str]) -> tuple[list[str], list[str]]:
    """What the pages lack of the list, and the list of the pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    shown, ids = set(), set()
    files = [toc["root"]]
    for entry in toc["chapters"]:
        below = entry.get("sections", [])
        files += [entry["file"], *(section["file"] for section in below)]
    for page in files:
        html = (site / f"{page}.html").read_text("utf-8")
        article = BeautifulSoup(html, "html.parser").select_one("article")
        shown |= {f"{page}#{place['id']}" for place in article.select(PLACES)}
        ids |= {f"{page}#{e['id']}" for e in article.find_all(id=True)}
    return sorted(listed - ids), sorted(shown - listed)


def main() -> None:
    """Say what differs; with --add write new places into the list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html")
    parser.add_argument("--add", action="store_true")
    options = parser.parse_args()
    listed = published() if LIST.exists() else set()
    gone, new = compared(options.site, listed)
    for place in gone:
        print(f"gone: {place}")
    for place in new:
        print(f"new: {place}")
    if options.add:
        LIST.write_text("\n".join(sorted(listed | {*new})) + "\n", "utf-8")
    sys.exit(bool(gone))


if __name__ == "__main__":
    main()
