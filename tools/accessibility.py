"""Write the page on accessibility from a test of all pages.

    python tools/accessibility.py

Does every check of tests/access_checks.py on every page of the built book, in
light and dark, at every width, and writes what it found into accessibility.md.
Takes some minutes.
"""

import re
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright

from tests.access_checks import CHECKS, KNOWN, UNSEEN, Check
from tests.figure_checks import find_program
from tests.test_pages import BELOW, LISTED, SETTLED, TOC

PAGE = ROOT / "accessibility.md"
SITE = ROOT / "_build" / "html"


def table(results: dict[str, str]) -> str:
    """The checks, a line each, with what was found."""
    rows = ["| Promise | WCAG 2.1 | Found |", "|---|---|---|"]
    for check in CHECKS:
        found = results.get(check.promise, "")
        rows.append(f"| {check.promise} | {check.criteria} | {found} |")
    return "\n".join(rows) + "\n"


def found_by(check: Check, browser, pages: list[Path]) -> str:
    """What a check finds on all pages, in words."""
    views, found = 0, []
    for page in pages:
        for width in check.widths:
            for scheme in check.schemes:
                context = browser.new_context(
                    viewport={"width": width, "height": width * 9 // 16},
                    color_scheme=scheme,
                )
                tab = context.new_page()
                tab.goto(page.as_uri())
                tab.evaluate(SETTLED)
                found += check.find(tab)
                views += 1
                context.close()
    for finding in found:
        print(f"{check.promise}: {finding}", flush=True)
    kinds = [
        told
        for known, told in KNOWN.items()
        if any(re.search(known, finding) for finding in found)
    ]
    new = len({f for f in found if not any(re.search(k, f) for k in KNOWN)})
    kinds += [f"{new} new"] * (new > 0)
    return f"{', '.join(kinds) or 'nothing'}, in {views} views"


def write(results: dict[str, str], pages: int, browser: str) -> None:
    """Put the table, the date and what is known to fail into the page."""
    text = PAGE.read_text("utf-8")
    parts = {
        "checks": table(results),
        "run": f"{date.today():%-d %B %Y}, Chromium {browser}, "
        f"{pages} pages.\n",
        "fails": "".join(f"- {sentence}\n" for sentence in UNSEEN),
    }
    for name, part in parts.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, part=part: found[1] + part + found[2],
            text,
            flags=re.DOTALL,
        )
    PAGE.write_text(text, "utf-8")


def main() -> None:
    """Do all checks, then write."""
    site = Path(sys.argv[1]) if sys.argv[1:] else SITE
    pages = [site / f"{page}.html" for page in [TOC["root"], *LISTED, *BELOW]]
    program = find_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        results = {
            check.promise: found_by(check, browser, pages) for check in CHECKS
        }
        write(results, len(pages), browser.version.partition(".")[0])


if __name__ == "__main__":
    main()
