"""Pack what a room without a network needs: python tools/zips.py

    _build/editions/modern-convolutional-networks.zip          for students
    _build/editions/modern-convolutional-networks-teacher.zip  for the teacher

Each unpacks to one folder with the pages, the notebooks and handouts of its
edition (the teacher's has both, and the concept test on paper), and what the
notebooks import and read. The students' has no pages for teachers, and
presenter mode shows no notes in it; solutions are in its pages, folded, as in
the public book. Equal input gives equal bytes.
"""

import importlib.metadata
import json
import os
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.editions import unpinned
from tools.handouts import chapters
from utils.files import complete_file

SITE = ROOT / "_build" / "html"
EDITIONS = ROOT / "_build" / "editions"
NAME = "modern-convolutional-networks"
STEMS = {"student": NAME, "teacher": f"{NAME}-teacher"}
INSIDE = {"student": ("student",), "teacher": ("student", "teacher")}

# The earliest that a zip can say: when a file was written is no content.
DATE = (1980, 1, 1, 0, 0, 0)

TEXTS = {".html", ".css", ".js"}
UNREAD = {".map", ".inv", ".buildinfo", "sitemap.xml"}

README = """\
Modern Convolutional Networks, for a room without a network

READ   Open pages/index.html in a browser. Figures move and quizzes answer;
       nothing is sent, since there is nowhere to send it to.
RUN    Open a notebook of {folders} in Jupyter. It needs
       Python 3.11 or newer with what requirements.txt lists. Helpers, d2l and
       a sample of the data are in this folder, and the notebooks find them,
       so leave them where they are.
PRINT  {handouts}

{answers}

Text and figures: CC BY 4.0 (LICENSE-text). Code: MIT (LICENSE). The folder
d2l, unchanged, belongs to Dive into Deep Learning, https://d2l.ai, and has
licences of its own.
"""
WORDS = {
    "student": {
        "folders": "the folder student",
        "handouts": "student/*.pdf, a handout for each chapter, with room to "
        "write.",
        "answers": "Solutions are in the pages, folded. Try first.",
    },
    "teacher": {
        "folders": "the folder student or teacher",
        "handouts": "student/*.pdf have room to write; teacher/*.pdf have all "
        "answers\n       and, at their end, a plan of the lesson.\n"
        "       teacher/concept_test.pdf is the concept test on paper. Leave\n"
        "       out its last page when you print for the class: the key.",
        "answers": f"Hand out {NAME}.zip: it has no folder\n"
        "teacher and no pages for teachers. Solutions are in its pages, "
        "folded, as in\nthe public book; say in class when to open them.",
    },
}

STUB = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>For teachers</title>
<main>
<h1>For teachers</h1>
<p>This page is for teachers, and is not part of the students’ folder.
<a href="../index.html">To the book</a>.</p>
</main>
"""


class Missing(Exception):
    """Something that is to be packed has not been made."""


def _read(site: Path) -> list[Path]:
    """The files of the pages, less those of _static that nothing names."""
    files = sorted(file for file in site.rglob("*") if file.is_file())
    files = [f for f in files if not {f.suffix, f.name} & UNREAD]
    static = {f for f in files if site / "_static" in f.parents}
    kept = {f for f in files if f not in static or "LICENSE" in f.name}
    new = kept
    while new:
        read = "".join(f.read_text("utf-8") for f in new if f.suffix in TEXTS)
        new = {f for f in static - kept if f.name in read}
        kept |= new
    return sorted(kept)


def _pages(site: Path, kind: str) -> Iterator[tuple[str, bytes]]:
    """The built pages, less what no reader needs."""
    for file in _read(site):
        name = file.relative_to(site).as_posix()
        # A notebook's source is the notebook of the edition.
        if name.startswith("_sources/chapters/"):
            continue
        content = file.read_bytes()
        if name.startswith("chapters/") and file.suffix == ".html":
            text = content.decode()
            text = re.sub(
                r'"\.\./_sources/chapters/(\w+\.ipynb)"',
                rf'"../../{kind}/\1"',
                text,
            )
            content = text.encode()
        if kind == "student":
            if name.startswith(("_sources/teaching/", "_downloads/")):
                continue
            if name.startswith("teaching/"):
                content = STUB.encode()
            if name == "search-sections.js":
                content = _without_teaching(content)
            if name == "speaker-notes.js":  # the plans, misconceptions
                content = b"window.bookNotes = {};\n"
        yield f"pages/{name}", content


def _without_teaching(sections: bytes) -> bytes:
    """The text that is searched, without that of the pages for teachers."""
    start, _, rest = sections.decode().partition("[")
    pages = json.loads("[" + rest.rstrip().removesuffix(";"))
    kept = [p for p in pages if not p["address"].startswith("teaching/")]
    written = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return f"{start}{written};\n".encode()


def _editions(
    editions: Path, kind: str, names: list[str], address: str
) -> Iterator[tuple[str, bytes]]:
    """Notebooks and what is printed; links to the book's site lead to
    pages/."""
    for folder in INSIDE[kind]:
        files = [f"{name}.{end}" for name in names for end in ("ipynb", "pdf")]
        if folder == "teacher":
            files.append("concept_test.pdf")
        for name in files:
            file = editions / folder / name
            if not file.is_file():
                how = " (Chromium prints)" if file.suffix == ".pdf" else ""
                raise Missing(
                    f"There is no {file}. First: make editions" + how
                )
            content = file.read_bytes()
            if file.suffix == ".ipynb":
                text = unpinned(content.decode(), "../pages/")
                content = text.replace(address, "../pages/").encode()
            yield f"{folder}/{name}", content


def _definitions(notebook: Path) -> bytes:
    """A chapter's code, without solutions that it does not build on: what
    other chapters read of it."""
    chapter = json.loads(notebook.read_text("utf-8"))
    cells = [
        cell | {"outputs": [], "execution_count": None}
        for cell in chapter["cells"]
        if cell["cell_type"] == "code"
        and (
            "definition" in cell["metadata"].get("tags", [])
            or "solution" not in cell["metadata"].get("tags", [])
        )
    ]
    chapter |= {"cells": cells}
    return json.dumps(chapter, ensure_ascii=False, indent=1).encode()


def requirements() -> str:
    """What the notebooks need besides this folder, for any pip.

    That is requirements.txt up to what builds the book, and in place of d2l,
    which is packed, what it really imports, as pyproject.toml says.
    """
    listed = (ROOT / "requirements.txt").read_text("utf-8")
    lines = re.findall(r"^[\w-].*$", listed.partition("\n# the book")[0], re.M)
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (d2l,) = tools["uv"]["dependency-metadata"]
    lines = [line for line in lines if not line.startswith("d2l")]
    have = {re.match(r"[\w-]+", line)[0] for line in lines}
    lines += [name for name in d2l["requires-dist"] if name not in have]
    return "\n".join([*lines, "jupyterlab", ""])


def _helpers() -> Iterator[tuple[str, bytes]]:
    """What the notebooks import and read, and the licences."""
    for name in ("LICENSE", "LICENSE-text", "CITATION.cff"):
        yield name, (ROOT / name).read_bytes()
    yield "requirements.txt", requirements().encode()
    for folder in ("utils", "chapters/checks", "results"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(ROOT).as_posix(), file.read_bytes()
    for notebook in sorted((ROOT / "chapters").glob("*.ipynb")):
        yield f"chapters/{notebook.name}", _definitions(notebook)
    for file in importlib.metadata.files("d2l") or []:
        if file.suffix == ".py":
            yield file.as_posix(), file.locate().read_bytes()
        elif file.name.startswith("LICENSE"):
            yield f"d2l/{file.name}", file.locate().read_bytes()


def contents(
    kind: str,
    *,
    site: Path = SITE,
    editions: Path = EDITIONS,
    names: list[str] | None = None,
) -> dict[str, bytes]:
    """All files of a zip, by their names in its folder.

    Args:
        kind: "student" or "teacher".
        site: the built pages.
        editions: the notebooks and handouts, in folders student and teacher.
        names: the chapters; by default those of _toc.yml.

    Raises:
        Missing: the pages, a notebook or a handout was not made.
    """
    index = site / "index.html"
    if not index.is_file():
        raise Missing(f"There is no {index}. First: make book")
    address = re.search(
        r'rel="canonical" href="(.*?)index.html"', index.read_text("utf-8")
    )[1]
    return dict(
        sorted(
            [
                ("README.txt", README.format(**WORDS[kind]).encode()),
                *_pages(site, kind),
                *_editions(editions, kind, names or chapters(), address),
                *_helpers(),
            ]
        )
    )


def pack(kind: str, folder: Path = EDITIONS, **where) -> Path:
    """Write a zip into a folder, whole or not at all.

    Args:
        kind: "student" or "teacher".
        folder: where the zip goes.
        where: as for `contents`.
    """
    stem = STEMS[kind]
    files = contents(kind, **where)
    path = folder / f"{stem}.zip"
    with (
        complete_file(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{stem}/{name}", DATE)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
    return path


def main() -> None:
    """Pack both, or say what is missing."""
    try:
        for kind in STEMS:
            path = pack(kind)
            size = path.stat().st_size / 1e6
            print(f"{os.path.relpath(path)}: {size:.1f} MB")
    except Missing as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
