"""The glossary and the bibliography hold what the chapters define and cite.

A term is defined where it is printed in bold within a sentence. What is bold
at the beginning of a paragraph or of an item of a list is its heading, but for
AT_THE_START; and NO_TERMS lists what is bold within a sentence and defines
nothing. The appendix defines terms as a chapter does.
"""

import re
import unicodedata
from collections import defaultdict
from itertools import pairwise

import nbformat
import pytest
import yaml
from markdown_it.tree import SyntaxTreeNode
from nbformat import NotebookNode

from tests.figure_checks import ROOT
from tools.chapter_rules import MARKDOWN, headings

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [TOC["root"], *(entry["file"] for entry in TOC["chapters"])]
OURS = ("glossary", "bibliography")
CHAPTERS = {
    page: nbformat.read(ROOT / f"{page}.ipynb", as_version=4)
    for page in PAGES
    if page.startswith("chapters/")
}
APPENDIX = "distributed"
DEFINING = CHAPTERS | {
    APPENDIX: nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(
                (ROOT / f"{APPENDIX}.md").read_text("utf-8")
            )
        ]
    )
}
GLOSSARY, BIBLIOGRAPHY = (
    (ROOT / f"{page}.md").read_text("utf-8") for page in OURS
)

# Bold at the beginning of an item, and a definition all the same.
AT_THE_START = {
    "Alternating flips.",
    "GELU",
    "Label smoothing.",
    "Latency",
    "One cycle.",
}
# By chapter, what is bold within a sentence and no term, with the reason.
NO_TERMS = {
    1: {
        "Learned features existed; why did they win only in 2012?": "asked",
        "before": "stressed",
        "never seen": "stressed",
        "noise": "stressed",
        "untrained": "a row of a table",
    },
    2: {
        "1": "a number",
        "2": "a number",
        "227": "a number",
        "5": "a number",
        "down": "stressed",
        "in total": "stressed",
        "pad by 2": "one of two ways",
        "up": "stressed",
    },
    4: {
        "one quarter, whatever the weights": "stressed",
        "paper's": "one of two networks",
        "usual listing's": "one of two networks",
    },
    5: {
        "1 × 1": "a branch",
        "3 × 3": "a branch",
        "3 × 3 max pooling": "a branch",
        "5 × 5": "a branch",
        "Inception v2": "the version of a network",
        "only 3 × 3": "a row of a table",
        "teach": "a row of a table",
        "watch": "a row of a table",
    },
    6: {
        "grow": "stressed",
        "mirror image": "stressed",
        "original": "a copy of the data",
        "sample": "a copy of the data",
        "smoothed": "stressed",
        "straight": "stressed",
        "two pixels": "stressed",
    },
    7: {
        "A dense block is a residual block with a rule: no channel is written "
        "twice.": "a result",
        "DenseNet-B": "the version of a network",
    },
    8: {
        "The verdict is about our experiment": "stressed",
        "a pair is ranked when its difference is larger than three standard "
        "errors, and each side has three seeds. Every other pair is "
        "undecided.": "the rule",
        "error": "a column of a table",
        "verdict": "a column of a table",
    },
}
# A term that the glossary has under a noun.
NOUNS = {
    "fine-tuned": "fine-tuning",
    "pool": "pooled spread",
    "silent": "silent map",
    "test": "test set",
    "test images": "test set",
    "training": "training set",
    "validation": "validation set",
    "white": "whitening",
}


# The glossary


def number_of(page: str) -> int:
    """The number of a chapter's page; that of the appendix is 0."""
    return 0 if page.startswith(APPENDIX) else int(re.search(r"\d+", page)[0])


def name_of(page: str) -> str:
    """What an entry calls a page."""
    return f"Chapter {n}" if (n := number_of(page)) else "Appendix"


def file_of(page: str) -> str:
    """The file that a link to a page names."""
    return f"{page}.ipynb" if number_of(page) else f"{page}.md"


def bold(notebook: NotebookNode) -> list[tuple[str, bool, str]]:
    """What is bold: the words, whether they begin a block, the section."""
    found, section = [], ""
    slugs = iter([slug for _, slug, _ in headings(notebook)])
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for node in SyntaxTreeNode(MARKDOWN.parse(cell.source)).walk():
            if node.type == "heading" and node.level == 0:
                section = next(slugs)
            if node.type == "inline":
                for place, part in enumerate(node.children):
                    if part.type == "strong":
                        words = "".join(
                            leaf.content
                            for leaf in part.walk()
                            if leaf.type in ("text", "code_inline")
                        )
                        before = node.children[:place]
                        starts = not any(b.content.strip() for b in before)
                        found.append((words, starts, section))
    return found


def defined(page: str, notebook: NotebookNode) -> dict[str, list[str]]:
    """The terms that a chapter defines, each with its links."""
    terms = defaultdict(list)
    for words, starts, section in bold(notebook):
        if words in NO_TERMS.get(number_of(page), {}):
            continue
        if not starts or words in AT_THE_START:
            term = words.rstrip(".")
            link = f"{file_of(page)}#{section}"
            terms[NOUNS.get(term, term).lower()].append(link)
    return terms


def explained(text: str) -> list[tuple[str, str, str]]:
    """The terms of the glossary: letter, term and what is said of it."""
    found = []
    for section in text.split("\n## ")[1:]:
        letter, _, rest = section.partition("\n")
        within = re.search(r"```\{glossary\}\n(.*?)\n```", rest, re.DOTALL)[1]
        for entry in within.split("\n\n"):
            term, _, words = entry.partition("\n")
            found.append((letter, term, " ".join(words.split())))
    return found


LINK = re.compile(r"(Chapter \d|Appendix), \[([^\]]+)\]\(([^)]+)\)\.$")


def places_in(
    chapters: dict[str, NotebookNode],
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The titles of all sections, by link, and all terms with their links."""
    titles, terms = {}, defaultdict(list)
    for page, notebook in chapters.items():
        for _, slug, title in headings(notebook):
            titles[f"{file_of(page)}#{slug}"] = title
        for term, links in defined(page, notebook).items():
            terms[term] += links
    return titles, terms


PLACES = places_in(DEFINING)


def wrong_in_glossary(text: str, places: tuple = PLACES) -> list[str]:
    """What the glossary lacks, has twice, or has in a wrong place."""
    found, (titles, defining) = [], places
    entries = explained(text)
    terms = [term.lower() for _, term, _ in entries]
    for term, links in defining.items():
        # "maps" is explained as "map"
        if not {term, term.removesuffix("s")} & {*terms}:
            found.append(f"missing: {term!r}, which {links[0]} defines")
    for before, after in pairwise(terms):
        if before == after:
            found.append(f"twice: {after!r}")
        elif before > after:
            found.append(f"not in order: {after!r} behind {before!r}")
    for letter, term, words in entries:
        if letter != term[0].upper():
            found.append(f"wrong letter: {term!r} is under {letter}")
        match = LINK.search(words)
        if not match or not re.fullmatch(
            r"\S.*\.", words[: match.start()].strip()
        ):
            found.append(f"no sentence and link: {term!r}")
            continue
        place, title, link = match.groups()
        if titles.get(link) != title or not link.isascii():
            found.append(f"no such heading: {term!r} leads to {link}")
        elif place != name_of(link):
            found.append(f"wrong number: {term!r} is in {link}")
        bold_in = [
            place
            for name in (term.lower(), f"{term.lower()}s")
            for place in defining.get(name, [])
        ]
        if bold_in and link not in bold_in:
            found.append(
                f"elsewhere: {term!r} is in bold in {' and '.join(bold_in)}"
            )
    return found


def test_glossary_holds_what_is_in_bold():
    assert len(explained(GLOSSARY)) > 70
    found = wrong_in_glossary(GLOSSARY)
    assert not found, "\n".join(found)


PADDING = re.search(r"^padding\n(  .*\n)+\n", GLOSSARY, re.MULTILINE)[0]
HOP = PADDING + PADDING.replace("padding", "hop", 1)


@pytest.mark.parametrize(
    ("finding", "old", "new"),
    [
        ("missing: 'padding'", PADDING, ""),
        ("twice: 'padding'", PADDING, PADDING * 2),
        ("not in order: 'hop'", PADDING, HOP),
        ("wrong letter: 'hop'", PADDING, HOP),
        ("no sentence and link: 'padding'", "Chapter 2, ", ""),
        ("no sentence and link: 'padding'", "over it.", "over it"),
        ("no such heading: 'padding'", "#How-many", "#How-few"),
        ("no such heading: 'padding'", "[How many", "[How few"),
        ("wrong number: 'padding'", "Chapter 2, ", "Chapter 3, "),
        ("wrong number: 'padding'", "Chapter 2, ", "Appendix, "),
        (
            "elsewhere: 'padding'",
            "[How many places are there for a kernel?](chapters/02_alexnet"
            ".ipynb#How-many-places-are-there-for-a-kernel?)",
            "[The module](chapters/02_alexnet.ipynb#The-module)",
        ),
    ],
)
def test_what_is_wrong_in_the_glossary_is_found(finding, old, new):
    assert old in PADDING
    wrong = GLOSSARY.replace(PADDING, PADDING.replace(old, new))
    assert any(f.startswith(finding) for f in wrong_in_glossary(wrong))


def test_a_new_term_is_found():
    page, notebook = "chapters/09_new", nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell(
            "# 9. New\n\n**No term.** A **widget** is new.\n\n"
            "- **no term**: a row\n- a **gadget** too"
        )
    ]
    assert defined(page, notebook) == {
        "widget": [f"{page}.ipynb#9.-New"],
        "gadget": [f"{page}.ipynb#9.-New"],
    }
    found = wrong_in_glossary(GLOSSARY, places_in({page: notebook} | DEFINING))
    assert [line.split(",")[0] for line in found] == [
        "missing: 'widget'",
        "missing: 'gadget'",
    ]


def test_the_terms_of_the_appendix_are_in_the_glossary():
    entry = r"^data parallelism\n(  .*\n)+\n"
    less, times = re.subn(entry, "", GLOSSARY, flags=re.MULTILINE)
    assert times == 1
    assert wrong_in_glossary(less) == [
        "missing: 'data parallelism', which "
        "distributed.md#One-training,-several-processes defines"
    ]


def test_no_exception_is_left_over():
    every = {
        number_of(page): {words for words, _, _ in bold(notebook)}
        for page, notebook in DEFINING.items()
    }
    for number, words in NO_TERMS.items():
        assert {*words} <= every[number], "it is bold no longer: forget it"
    anywhere = set().union(*every.values())
    assert AT_THE_START | {*NOUNS} <= anywhere


# The bibliography

# Links that cite nothing.
NO_SOURCES = {
    "https://creativecommons.org/licenses/by/4.0": "the licence",
    "https://colab.research.google.com/github/YOU/course/blob/main"
    "/06_resnet.ipynb": "the form of a link, for a teacher's own notebook",
}
# Cited as a whole, whichever of their pages a link leads to.
WHOLE = {"d2l.ai", "docs.pytorch.org"}


def source(link: str) -> str:
    """What a link cites: a repository for all its files and issues."""
    link = link.partition("#")[0].rstrip("/")
    host, *path = link.removeprefix("https://").split("/")
    if host in WHOLE:
        return host
    if host == "github.com":
        return "/".join([host, *path[:2]]).lower()
    return link


def links_in(text: str) -> list[str]:
    """The links of a text to other hosts, however they are written."""
    every = re.findall(r"https?://[^\s()<>\[\]\"'`]+", text)
    return [link.rstrip(".,;:") for link in every]


def texts() -> dict[str, str]:
    """What each page says, a chapter in its Markdown cells."""
    found = {}
    for page in PAGES:
        if page in CHAPTERS:
            cells = CHAPTERS[page].cells
            said = [c.source for c in cells if c.cell_type == "markdown"]
            found[page] = "\n\n".join(said)
        elif page not in OURS:
            found[page] = (ROOT / f"{page}.md").read_text("utf-8")
    return found


TEXTS = texts()


def cited(pages: dict[str, str]) -> dict[str, list[str]]:
    """All sources, with the pages that cite them."""
    found = defaultdict(list)
    for page, text in pages.items():
        for name in dict.fromkeys(source(link) for link in links_in(text)):
            if name not in NO_SOURCES:
                found[name].append(page)
    return found


def link_to(page: str) -> str:
    """How an entry names a page that cites it."""
    if page.startswith("chapters/"):
        return f"[chapter {number_of(page)}]({page}.ipynb)"
    if page == TOC["root"]:
        return f"[the cover]({page}.md)"
    text = (ROOT / f"{page}.md").read_text("utf-8")
    return f"[{re.search('^# (.+)$', text, re.MULTILINE)[1]}]({page}.md)"


def sentence(pages: list[str]) -> str:
    """How an entry names the pages that cite it."""
    *first, last = map(link_to, pages)
    return f"Cited in {', '.join(first)}{' and ' * bool(first)}{last}."


def order(entry: str) -> tuple[str, str]:
    """By what an entry is sorted: the first author's surname, the year."""
    author = re.split(r"[,:]", entry, maxsplit=1)[0]
    name = re.sub(r"^([A-Z]\.[ -]?)+", "", author)
    year = re.search(r"\), .*?\b((?:19|20)\d\d)\b", entry)[1]
    plain = unicodedata.normalize("NFD", name).encode("ascii", "ignore")
    return plain.decode().lower(), year


def wrong_in_bibliography(
    text: str, pages: dict[str, str] = TEXTS
) -> list[str]:
    """What the bibliography lacks, has twice, or has in a wrong place."""
    found, entries, titles = [], defaultdict(list), []
    for section in text.split("\n## ")[1:]:
        part, _, rest = section.partition("\n")
        for group in re.split(r"\n### ", rest):
            lines = re.findall(r"^- (.*)$", group, re.MULTILINE)
            for line in lines:
                titles.append(re.search(r"\[(.+?)\]\(", line)[1].lower())
                entries[source(links_in(line)[0])].append(line)
            if part.startswith("Code"):
                continue
            undated = [e for e in lines if not re.search(r"\), .*\d{4}", e)]
            found += [f"no year: {line[:60]}" for line in undated]
            lines = [line for line in lines if line not in undated]
            for before, after in pairwise(lines):
                if order(before) > order(after):
                    found.append(f"not in order: {after[:60]}")
            letter = group.partition("\n")[0]
            if part == "Papers" and letter:
                found += [
                    f"wrong letter: {line[:60]} is under {letter}"
                    for line in lines
                    if order(line)[0][0].upper() != letter
                ]
    found += [f"twice: {e[1][:60]}" for e in entries.values() if len(e) > 1]
    doubled = {title for title in titles if titles.count(title) > 1}
    found += [f"twice: {title}" for title in sorted(doubled)]
    sources = cited(pages)
    for name in sorted({*sources, *entries}):
        if name not in entries:
            where = sentence(sources[name])
            found.append(f"missing: {name}, it would end: {where}")
        elif name not in sources:
            found.append(f"cited nowhere: {entries[name][0][:60]}")
        elif not entries[name][0].endswith(f" {sentence(sources[name])}"):
            where = sentence(sources[name])
            found.append(f"should end: {entries[name][0][:40]}... {where}")
    return found


def test_bibliography_holds_what_is_cited():
    assert len(cited(TEXTS)) > 90
    found = wrong_in_bibliography(BIBLIOGRAPHY)
    assert not found, "\n".join(found)


VEIT = re.search(r"^- A\. Veit.*\n", BIBLIOGRAPHY, re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("finding", "old", "new"),
    [
        ("missing: https://arxiv.org/abs/1605.06431", VEIT, ""),
        ("twice: A. Veit", VEIT, VEIT * 2),
        ("twice: residual", VEIT, VEIT + VEIT.replace("1605", "1606")),
        ("cited nowhere: A. Veit", "1605.06431", "1605.06432"),
        (
            "should end: A. Veit",
            "Cited in [ch",
            "Cited in [the cover](index.md) and [ch",
        ),
        ("should end: A. Veit", "chapter 6]", "chapter 5]"),
        ("no year: A. Veit", "2016", "16"),
        ("wrong letter: A. Weit", "A. Veit", "A. Weit"),
        ("not in order: P. Vincent", "A. Veit", "A. Vzit"),
    ],
)
def test_what_is_wrong_in_the_bibliography_is_found(finding, old, new):
    assert old in VEIT
    wrong = BIBLIOGRAPHY.replace(VEIT, VEIT.replace(old, new))
    assert any(f.startswith(finding) for f in wrong_in_bibliography(wrong))


@pytest.mark.parametrize(
    "link",
    [
        "https://arxiv.org/abs/9901.00001",
        "https://doi.org/10.1000/182",
        "https://openreview.net/forum?id=new",
        "https://jmlr.org/papers/v1/new.html",
        "https://github.com/somebody/something/issues/1",
        "https://example.org/a-post",
    ],
)
@pytest.mark.parametrize("way", ["[this]({})", "<a href='{}'>it</a>", "{}"])
def test_a_new_source_is_found(link, way):
    pages = {**TEXTS, "chapters/09_new": f"See {way.format(link)}."}
    (found,) = wrong_in_bibliography(BIBLIOGRAPHY, pages)
    assert found == (
        f"missing: {source(link)}, it would end: Cited in "
        "[chapter 9](chapters/09_new.ipynb)."
    )


def test_links_within_the_book_lead_to_files():
    for text in (GLOSSARY, BIBLIOGRAPHY):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / link).is_file(), link
