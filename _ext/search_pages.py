"""What the search finds: the book's sections, in one classic script.

Sphinx's own search fetches every page that it finds, which browsers forbid on
file://, and it knows no "3 × 3". So the build writes search-sections.js, which
_assets/search.js loads when a reader opens the search.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

# What is no text or stands under all exercises alike, and answers, which an
# excerpt would give away.
LEFT_OUT = (
    "script, style, button, .headerlink, annotation, .katex-html, .fair-help, "
    ".tag_solution, details.choice, details.numeric, "
    "details:not([class]):has(> summary:-soup-contains('Solution'))"
)
# After these a word ends, though no blank may be written.
ENDS_A_WORD = (
    "p, li, dt, dd, tr, th, td, caption, pre, br, div, figcaption, summary, "
    "label, legend, option, output"
)


def sections(article: Tag) -> Iterator[list[str]]:
    """Take an article apart into its sections, in their order.

    Args:
        article: what a reader reads; little of it is left afterwards.

    Yields:
        The anchor, title, text and code of each section, without those of the
        sections within it.
    """
    for useless in article.select(LEFT_OUT):
        useless.decompose()
    # A term of the glossary and what it means are a section of their own.
    for term in article.select("dl.glossary > dt[id]"):
        meaning = term.find_next_sibling("dd")
        section = Tag(name="section", attrs={"id": term["id"]})
        term.wrap(section).append(meaning)
        term.name = "h3"
    for last in article.select(ENDS_A_WORD):
        last.append(" ")
    # From the end, so that what lies within a section leaves it before.
    every = reversed(article.select("section[id]"))
    for section in reversed([section.extract() for section in every]):
        title = section.find(["h1", "h2", "h3", "h4"]).extract()
        code = [cell.extract() for cell in section.select(".cell_input")]
        texts = [section["id"], title.text, section.text]
        texts.append(" ".join(cell.text for cell in code))
        yield [" ".join(text.split()) for text in texts]


def write_sections(app: Sphinx, error: Exception | None) -> None:
    """Write the sections of all pages, as soon as these are written."""
    if error or app.builder.name != "html":
        return
    pages = []
    for name in sorted(app.env.found_docs):
        html = Path(app.builder.get_outfilename(name)).read_text("utf-8")
        soup = BeautifulSoup(html, "html.parser")
        found = [*sections(soup.select_one("article.bd-article"))]
        address = app.builder.get_target_uri(name)
        pages.append({"address": address, "sections": found})
    written = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    Path(app.outdir, "search-sections.js").write_text(
        f"window.bookPages = {written};\n", "utf-8"
    )


def replace_search(app: Sphinx) -> None:
    """Build the page of templates/search.html, and no index of Sphinx's."""
    app.builder.search = False
    app.config.html_additional_pages["search"] = "search.html"


def load_no_highlighter(
    app: Sphinx, page: str, template: str, context: dict, doctree: object
) -> None:
    """Leave marking what was found to _assets/search.js."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "sphinx_highlight" not in str(script.filename)
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps above."""
    app.connect("builder-inited", replace_search)
    # Behind the theme, whose line that names the page would else be lost.
    app.connect("html-page-context", load_no_highlighter, priority=900)
    app.connect("build-finished", write_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
