"""Make both editions of chapters: python tools/editions.py [CHAPTER ...]

    _build/editions/student/02_alexnet.ipynb
    _build/editions/teacher/02_alexnet.ipynb

The student edition has stubs with `check` in place of solutions, places to
write predictions and answers into, and no outputs. The teacher edition has
solutions with their outputs, all answers unfolded, measured times, and the
notes of teaching/. Both come from the chapter as it stands and are never
edited by hand. Like a chapter they run in Colab; links to other chapters lead
to the pages, or, where these are of a tag, to the chapters of that tag in
Colab.
"""

import argparse
import ast
import copy
import functools
import re
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import torch
import yaml
from docutils.nodes import make_id
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chapters.checks import EXCEPTIONS, find, verdict
from chapters.fair_help import with_help
from tools.release import edition_of
from tools.set_repo import repository_url
from tools.times import KINDS as MACHINES
from tools.times import duration

FOLDER = ROOT / "_build/editions"
KINDS = ("student", "teacher")
BEGINS = re.compile(r"(#{1,6}) +(.+)")  # a section
EXERCISE = re.compile(r"Exercise (\d+\.\d+)")
SOLUTION = re.compile(r"# @title Solution (\d+\.\d+)(.*)")
FOLDED = re.compile(
    r'<details(?P<attributes>(?:\s+[\w.-]+="[^"]*")*)\s*>\s*'
    r"<summary>(?P<summary>.*?)</summary>\s*(?P<text>.*?)\s*</details>",
    re.DOTALL,
)
# Tags that an executed chapter needs, and no edition of it.
DROPPED_TAGS = {"definition", "hide-cell", "nbval-check-output", "solution"}
# Where a chapter asks for a guess, besides questions for a number.
GUESS = re.compile(
    r"^Guess before |Write it down|\bPredict what ", re.MULTILINE
)
IN_WORDS = re.compile(r"\b(?:sentences?|explanation|reason)\b")
NOTABLE = 5  # seconds; a teacher wants to know what takes longer

HEADS = {
    "student": (
        "**Student edition.** Where a cell says *to be written*, write your "
        "solution and run it, then the `check` below it, which says whether "
        "it is right, or what to look at. Double-click the places for "
        "predictions and answers, and write a prediction before you run what "
        "follows.{answers}\n\n"
        "In Colab first choose *File*, *Save a copy in Drive*: a notebook "
        "opened by a link keeps nothing. To hand it in: *File*, *Download*, "
        "*Download .ipynb*, and put your name in front, as in "
        "`ada_{name}.ipynb`."
    ),
    "teacher": (
        "> **Teacher edition** of [this chapter]({name}.ipynb), with its "
        "solutions, all answers, measured times and, set off like this, "
        "notes. It is made from the sources, as the student edition is: "
        "correct the chapter or its page in `teaching/`, then `make editions`."
    ),
}


# Where solutions and answers are; homework for a mark does not say it.
ANSWERS = " Solutions and answers are in [the chapter]({name}.ipynb)."
QUIZ_ANSWERS = (
    " Which answers hold, and what is wrong with the others, says the [quiz "
    "of the chapter]({name}.ipynb#Quiz)."
)


class Unfit(Exception):
    """A chapter of which no edition can be made."""


@dataclass
class Section:
    """A heading's cells, up to the next heading."""

    title: str = ""
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def exercise(self) -> str | None:
        """The number of the exercise, such as "2.3"."""
        found = EXERCISE.match(self.title)
        return found and found[1]


def edition(
    notebook: NotebookNode,
    kind: str,
    name: str,
    *,
    notes: str = "",
    outputs: bool | None = None,
    graded: bool = False,
) -> NotebookNode:
    """Make one edition of a chapter.

    In the student edition a checked exercise is one code cell with its stub,
    `metadata.exercise` "2.3", and one with its check, `metadata.check`
    "2.3". What is written in words goes into Markdown cells with
    `metadata.answer`.

    Args:
        notebook: the chapter, executed; it is left as it is.
        kind: "student" or "teacher".
        name: of the chapter's file, such as "02_alexnet".
        notes: the page of teaching/ on the chapter, for the teacher edition.
        outputs: keep those of the cells that are shown; by default the
            student edition keeps none, since outputs tell what comes out.
        graded: do not lead students to solutions and answers.

    Raises:
        Unfit: a solution has no stub or no check, or later cells need it; an
            exercise does not say what help is fair.
        ValueError: `kind` is neither.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it is one of {', '.join(KINDS)}")
    if outputs is None:
        outputs = kind == "teacher"
    sections = sections_of(notebook)
    for section in sections:
        if section.exercise:
            section.cells[0].source = _with_help(section.cells[0].source)
    if kind == "student":
        top, cells = [], _student(sections, name, graded)
        cells.append(_place("help", "Help that I had, and from whom"))
    else:
        page = _Notes(notes, name)
        top = [_note(f"top-{n}", text) for n, text in enumerate(page.top)]
        times = notebook.metadata.get("book", {}).get("times", {})
        cells = _teacher(sections, page, times)
    title, *rest = cells
    answers = "" if graded else ANSWERS.format(name=name)
    head = linked(HEADS[kind].format(name=name, answers=answers), "")
    about = new_markdown_cell(head, id="edition")
    made = copy.deepcopy(notebook)
    made.cells = [title, about, *top, *rest]
    for cell in made.cells:
        _clean(cell, kind, outputs)
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, name)
    made.metadata.pop("book", None)  # an edition has no stamp
    made.metadata["edition"] = {"kind": kind, "chapter": name}
    if kind == "student":  # or Colab would complete the stubs, unasked
        made.metadata.setdefault("colab", {})["generative_ai_disabled"] = True
    return made


# Reading a chapter


def sections_of(notebook: NotebookNode) -> list[Section]:
    """Copies of the cells, by section; Markdown is cut at each heading."""
    sections = [Section()]
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            sections[-1].cells.append(copy.deepcopy(cell))
            continue
        for number, text in enumerate(_parts(cell.source), 1):
            if begins := BEGINS.match(text):
                sections.append(Section(begins[2].strip()))
            part = copy.deepcopy(cell)
            part.source = text
            if number > 1:
                part.id = f"{cell.id}--{number}"
            sections[-1].cells.append(part)
    return sections


def _parts(source: str) -> Iterator[str]:
    """The parts of a Markdown text that begin with a heading."""
    part, in_code = [], False
    for line in source.split("\n"):
        if line.startswith("```"):
            in_code = not in_code
        if BEGINS.match(line) and not in_code and "\n".join(part).strip():
            yield "\n".join(part).strip("\n")
            part = []
        part.append(line)
    yield "\n".join(part).strip("\n")


def _with_help(text: str) -> str:
    try:
        return with_help(text)
    except LookupError as error:
        raise Unfit(str(error)) from error


def is_solution(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(SOLUTION.match(cell.source))


def check_of(exercise: str, solution: NotebookNode) -> str:
    """The line that hands the solution over, as the chapter has it."""
    last = ast.parse(solution.source).body[-1]
    line = ast.get_source_segment(solution.source, last)
    if not re.match(rf'check\(\s*"{re.escape(exercise)}"', line):
        raise Unfit(
            f"the solution of exercise {exercise} ends with {line[:40]!r}: "
            f'end it with check("{exercise}", answer), or name the exercise '
            "in EXCEPTIONS of chapters/checks with the reason"
        )
    return line


# The student edition


def _student(
    sections: list[Section], name: str, graded: bool
) -> list[NotebookNode]:
    """The cells of the student edition."""
    cells, cut = [], []
    for section in sections:
        if section.exercise:
            shown = [*_exercise(section)]
        elif section.title.startswith("Find the "):
            shown = [*_bug(section)]
        else:
            shown = [*_questions(section, name, graded)]
        left_out = [
            cell
            for cell in section.cells
            if cell.cell_type == "code"
            and all(cell is not other for other in shown)
        ]
        cells += shown + left_out
        cut += [cell.id for cell in left_out]
    while _changed_for_needs(cells, cut):
        pass
    return [cell for cell in cells if cell.id not in cut]


def _changed_for_needs(cells: list[NotebookNode], cut: list[str]) -> bool:
    """Let one more cell that needs what was cut go too, or bring that back.

    What the records of an experiment on the bug need, tells the bug: such a
    definition goes, unless a later cell needs it in turn.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    names = {cell.id: _names(cell) for cell in code}
    bound = set()
    for place, cell in enumerate(code):
        if cell.id in cut:
            continue
        binds, reads = names[cell.id]
        for other in reversed(code[:place]):
            given = (reads - bound) & names[other.id][0]
            if other.id not in cut or not given:
                continue
            if is_solution(other):
                raise Unfit(
                    f"{other.source.splitlines()[0]!r} defines "
                    f"{', '.join(sorted(given))}, and cell {cell.id} needs "
                    "it: define it outside of the solution, or in its stub"
                )
            later = [c.id for c in code[place + 1 :] if c.id not in cut]
            needed = any(binds & names[one][1] for one in later)
            if "definition" in cell.metadata.get("tags", []) and not needed:
                cut.append(cell.id)
            else:
                cut.remove(other.id)
            return True
        bound |= binds
    return False


def _names(cell: NotebookNode) -> tuple[set[str], set[str]]:
    """Names that a cell binds for later ones, and names that it needs."""
    table = symtable.symtable(cell.source, cell.id, "exec")
    binds = {s.get_name() for s in table.get_symbols() if s.is_assigned()}
    binds |= {s.get_name() for s in table.get_symbols() if s.is_imported()}
    reads = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inner = list(table.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        reads |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return binds, reads - binds


def _exercise(section: Section) -> Iterator[NotebookNode]:
    """Its text, the stub, the check, and what else is given."""
    number = section.exercise
    solutions = [cell for cell in section.cells if is_solution(cell)]
    checked = bool(solutions) and number not in EXCEPTIONS
    words = "\n".join(
        cell.source for cell in section.cells if cell.cell_type == "markdown"
    )
    for cell in section.cells:
        if not is_solution(cell):
            yield from _text([cell], asks=False)
        elif checked and cell is solutions[0]:
            if GUESS.search(words):
                yield _place(f"prediction-{number}", "Your prediction")
            yield from _stub(number, check_of(number, solutions[-1]))
            for solution in solutions:
                yield from _record(number, solution)
            if IN_WORDS.search(words):
                yield _place(f"words-{number}", "In your words")
    if not checked:
        yield _place(f"exercise-{number}", f"Your answer to exercise {number}")


def _stub(number: str, check: str) -> Iterator[NotebookNode]:
    stub = find(number, "STUB")
    if not stub:
        chapter, _, place = number.partition(".")
        raise Unfit(
            f"exercise {number} has a solution and no stub: write "
            f"STUB_{chapter}_{place} in chapters/checks/"
            f"chapter_{int(chapter):02}.py, or name the exercise in "
            "EXCEPTIONS of chapters/checks with the reason"
        )
    dashed = number.replace(".", "-")
    yield new_code_cell(
        f"# Exercise {number}, to be written\n{stub.strip()}",
        id=f"exercise-{dashed}",
        metadata={"exercise": number},
    )
    yield new_code_cell(
        check, id=f"check-{dashed}", metadata={"check": number}
    )


def _record(number: str, solution: NotebookNode) -> Iterator[NotebookNode]:
    """What a solution shows of recorded runs, which is no answer."""
    lines = []
    if "recorded" in SOLUTION.match(solution.source)[2]:
        lines = solution.source.split("\n")[1:]
    else:
        for statement in ast.parse(solution.source).body:
            calls = {
                node.func.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
            }
            if isinstance(statement, ast.Expr) and "recorded" in calls:
                lines.append(
                    ast.get_source_segment(solution.source, statement)
                )
    if lines:
        yield new_code_cell(
            "\n".join(["# What was recorded", *lines]),
            id=f"recorded-{number.replace('.', '-')}",
        )


def _bug(section: Section) -> Iterator[NotebookNode]:
    """The listing and the hints; what follows the answer belongs to it."""
    for cell in section.cells:
        answers = [
            found
            for found in FOLDED.finditer(cell.source)
            if cell.cell_type == "markdown" and not _is_hint(found)
        ]
        if answers:
            cell.source = cell.source[: answers[0].start()]
            yield from _text([cell])
            yield _place(
                "bug",
                "What is wrong, in which line, and which check would have "
                "found it?",
            )
            return
        yield from _text([cell])


def _is_hint(found: re.Match) -> bool:
    return found["summary"].strip() == "A hint"


def _questions(
    section: Section, name: str, graded: bool
) -> Iterator[NotebookNode]:
    """Any other section; in the quiz, also where its answers are."""
    if section.title == "Quiz":
        first = section.cells[0]
        note = "Write down a letter for each question, and why."
        if not graded:
            note += linked(QUIZ_ANSWERS.format(name=name), "")
        first.source = re.sub(
            r"\A(## Quiz\n).*?(?=^\*\*1\.)",
            lambda found: f"{found[1]}\n{note}\n\n",
            first.source,
            flags=re.DOTALL | re.MULTILINE,
        )
    yield from _text(section.cells)


def _text(
    cells: list[NotebookNode], asks: bool = True
) -> Iterator[NotebookNode]:
    """Cells with places to write in place of folded answers.

    Args:
        cells: of one section.
        asks: whether a request to guess gets a place, too.
    """
    for cell in cells:
        if cell.cell_type != "markdown":
            yield cell
            if "guess={" in cell.source:
                yield _place(
                    cell.id, "Your guess, before you press the button"
                )
            continue
        for part, folded in _asked(cell):
            options = _options(folded)
            for letter, option in options:
                part.source += f"\n- **{letter}.** {option['summary'].strip()}"
            hints = [found[0] for found in folded if _is_hint(found)]
            part.source = "\n\n".join([part.source, *hints]).strip("\n")
            # The table of times has rows for long solutions.
            part.source = part.source.replace("\n| Solution ", "\n| Exercise ")
            if part.source:
                yield part
            if options:
                yield _place(part.id, "Your letter, and why")
            elif any('class="numeric"' in f["attributes"] for f in folded):
                predicts = "**Predict.**" in part.source
                what = "Your prediction" if predicts else "Your answer"
                yield _place(part.id, what)
            elif asks and GUESS.search(part.source):
                yield _place(part.id, "Your guess, and why")


def _asked(
    cell: NotebookNode,
) -> Iterator[tuple[NotebookNode, list[re.Match]]]:
    """The parts of a Markdown cell, each with what is folded behind it."""
    end, number, folded = 0, 1, []

    def part(text: str) -> NotebookNode:
        new = copy.deepcopy(cell)
        new.source = text.strip("\n") + "\n" * bool(folded)
        new.id = cell.id if number == 1 else f"{cell.id}--q{number}"
        return new

    found = [*FOLDED.finditer(cell.source)]
    while found:
        text = cell.source[end : found[0].start()]
        folded = [found.pop(0)]
        while (
            found
            and not cell.source[folded[-1].end() : found[0].start()].strip()
        ):
            folded.append(found.pop(0))
        end = folded[-1].end()
        yield part(text), folded
        number += 1
    if cell.source[end:].strip():
        folded = []
        yield part(cell.source[end:]), folded


def _options(folded: list[re.Match]) -> list[tuple[str, re.Match]]:
    """The options of a question, with the letters that the editions have."""
    options = [f for f in folded if 'class="choice"' in f["attributes"]]
    return list(zip("ABCDEFGH", options, strict=False))


def _place(answer: str, what: str) -> NotebookNode:
    """A cell to write into."""
    end = "" if what.endswith("?") else ":"
    return new_markdown_cell(
        f"**{what}{end}** *(double-click and write)*",
        id=f"answer-{make_id(answer.replace('.', '-'))}",
        metadata={"answer": answer},
    )


def _clean(cell: NotebookNode, kind: str, outputs: bool) -> None:
    """Leave in a cell what its edition needs."""
    unfolded = kind == "teacher" and is_solution(cell)
    kept = ("exercise", "check", "answer", "note")
    kept += () if unfolded else ("cellView", "jupyter")
    kept += ("mystnb",) if outputs else ()
    tags = [
        tag
        for tag in cell.metadata.get("tags", [])
        if tag not in DROPPED_TAGS or (unfolded and tag == "solution")
    ]
    cell.metadata = NotebookNode(
        {key: cell.metadata[key] for key in kept if key in cell.metadata}
    )
    if tags:
        cell.metadata["tags"] = tags
    if cell.cell_type == "code" and not outputs:
        cell.outputs, cell.execution_count = [], None


# The teacher edition


class _Notes:
    """A page of teaching/, taken apart.

    Attributes:
        top: what stands before the chapter.
        bug: what stands beside the bug.
        at: misconceptions, by the heading that they link to ("The-block") or
            by the number of the quiz's question ("2").
        exam: the exam questions.
    """

    def __init__(self, page: str, name: str):
        page = linked(page, name, "teaching")
        before, *parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
        texts = dict(zip(parts[::2], parts[1::2], strict=True))
        self.exam = texts.pop("Exam questions", "")
        self.bug, self.at = [], {}
        others = [*self._placed(texts.pop("Misconceptions", ""))]
        self.top = [before.partition("\n")[2].strip()]
        self.top += [f"**{t}**\n\n{text.strip()}" for t, text in texts.items()]
        if others:
            self.top.append("\n\n".join(["**Misconceptions**", *others]))

    def _placed(self, misconceptions: str) -> Iterator[str]:
        """Put each beside its place; yield what has none."""
        for block in re.split(r"\n{2,}", misconceptions.strip()):
            if not block.startswith("|"):
                if re.search(r"\b(?:bug|listing)\b", block):
                    self.bug.append(block)
                else:
                    yield block
                continue
            for row in block.split("\n")[2:]:
                idea, question = (c.strip() for c in row.split("|")[1:-1])
                text = f"**Students think:** {idea}. **Ask:** {question}"
                place = re.search(
                    r"question (\d+) of the quiz|\]\(#([^)\s]+)\)", question
                )
                if place:
                    where = place[1] or place[2]
                    self.at.setdefault(where, []).append(text)
                else:
                    yield text


def _teacher(
    sections: list[Section], notes: _Notes, times: dict
) -> list[NotebookNode]:
    """The cells of the teacher edition; all folded answers are opened."""
    made, at = [], dict(notes.at)
    for place, section in enumerate(sections):
        beside = at.pop(section.title.replace(" ", "-"), [])
        if section.title.startswith("Find the "):
            beside = beside + notes.bug
        for number, cell in enumerate(section.cells):
            if cell.cell_type == "code":
                if took := _took(cell, times):
                    made.append(_note(f"time-{cell.id}", took))
                made.append(cell)
            elif section.title == "Quiz":
                made += _answered(cell, at)
            else:
                cell.source = _opened(cell.source)
                made.append(cell)
            if beside and number == 0:
                made.append(_note(f"section-{place}", "\n\n".join(beside)))
        if section.exercise and (known := _mistakes(section.exercise)):
            made.append(_note(f"mistakes-{section.exercise}", known))
        if section.title == "Quiz" and notes.exam:
            exam = f"**Exam questions**\n\n{_opened(notes.exam).strip()}"
            made.append(_note("exam", exam))
    if at:
        raise Unfit(
            f"a misconception leads to {sorted(at)[0]!r}, which is neither a "
            "heading of the chapter nor a question of its quiz: correct that "
            "row of its page in teaching/"
        )
    return made


def _note(name: str, text: str) -> NotebookNode:
    """What is not the chapter's is set off as a quotation."""
    quoted = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    made = f"note-{make_id(name.replace('.', '-'))}"
    return new_markdown_cell(quoted, id=made, metadata={"note": name})


def _took(cell: NotebookNode, times: dict) -> str:
    """What is known of a cell's time, if it takes more than a few seconds."""
    said = []
    for kind, machine in MACHINES.items():
        column = times.get(kind, {})
        seconds = column.get("seconds", {}).get(cell.id, 0)
        seconds *= column.get("factor", 1)
        if seconds > NOTABLE:
            said.append(f"{duration(seconds)} on {machine}")
    return f"**Time**, measured: {', '.join(said)}." if said else ""


def _mistakes(exercise: str) -> str:
    """The wrong answers that an exercise's check knows, each asked anew."""
    wrong = find(exercise, "wrong")
    if not wrong:
        return ""
    start = f"Exercise {exercise}: not yet."
    lines = [
        "**Wrong answers** that `check` knows, and what it says behind "
        f"\u201c{start}\u201d:\n"
    ]
    for one in wrong():
        says = verdict(exercise, one.answer)[1].removeprefix(f"{start} ")
        around = " (a way around the work)" * one.copied
        lines.append(f"- {one.what}{around}: \u201c{says}\u201d")
    return "\n".join(lines)


def _opened(source: str) -> str:
    """Markdown whose folded answers are open, numbers with their hints."""

    def open_one(found: re.Match) -> str:
        text = f"**{found['summary'].strip()}.**\n\n{found['text'].strip()}"
        hints = re.findall(
            r'data-hint-([\w.-]+)="([^"]*)"', found["attributes"]
        )
        for wrong, hint in hints:
            hint = " ".join(hint.split())
            text += f"\n\n> **Students answer** {wrong}: {hint}"
        return text

    return FOLDED.sub(open_one, source)


def _answered(cell: NotebookNode, at: dict) -> Iterator[NotebookNode]:
    """The quiz with its answers, and what each question exposes."""
    for part, folded in _asked(cell):
        number = re.search(r"^\*\*(\d+)\. ", part.source, re.MULTILINE)
        options = _options(folded)
        for letter, option in options:
            text = option["text"].strip().replace("\n", "\n  ")
            part.source += (
                f"\n- **{letter}.** {option['summary'].strip()}\n\n  {text}\n"
            )
        if not options:
            others = [_opened(found[0]) for found in folded]
            part.source = "\n\n".join([part.source, *others])
        part.source = part.source.strip("\n")
        yield part
        if number and (exposes := at.pop(number[1], None)):
            yield _note(f"quiz-{number[1]}", "\n\n".join(exposes))


# Links


@functools.cache
def cells_of(chapter: Path) -> dict[str, str]:
    """The headings of a chapter, as links have them, and their cells' ids."""
    found = {}
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.cell_type == "markdown":
            for part in _parts(cell.source):
                if begins := BEGINS.match(part):
                    slug = begins[2].strip().replace(" ", "-")
                    found.setdefault(slug, cell.id)
    return found


def chapters_in_colab() -> str:
    """Where the chapters of this tree's tag are, or "" if it has none.

    The pages on the web are those of main. They change while a term runs;
    the tag does not.
    """
    if not (tag := edition_of(ROOT)):
        return ""
    path = repository_url().removeprefix("https://github.com/")
    return (
        f"https://colab.research.google.com/github/{path}/blob/{tag}/chapters/"
    )


def linked(source: str, name: str, folder: str = "chapters") -> str:
    """Lead links to other files to the pages, as a lone notebook needs them.

    In a release links to chapters lead to those of its tag, in Colab.

    Args:
        source: Markdown of a file in `folder`.
        name: the chapter that the edition is of; links to it stay inside.
        folder: where relative links begin.
    """
    owner, _, repository = (
        repository_url().removeprefix("https://github.com/").partition("/")
    )
    pages = f"https://{owner}.github.io/{repository}/"
    fixed = chapters_in_colab()

    def lead(found: re.Match) -> str:
        target, _, heading = found[1].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        path = (ROOT / folder / target).resolve().relative_to(ROOT)
        if path == Path("chapters", f"{name}.ipynb") and heading:
            return f"](#{heading})"
        if fixed and path.suffix == ".ipynb":
            # Colab knows headings by their cells alone.
            cell = cells_of(ROOT / path).get(heading)
            place = f"#scrollTo={cell}" if cell else ""
            return f"]({fixed}{path.name}{place})"
        anchor = f"#{make_id(heading)}" if heading else ""
        return f"]({pages}{path.with_suffix('.html').as_posix()}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", lead, source)


def unpinned(text: str, pages: str) -> str:
    """Lead a notebook's links to the chapters of a tag to pages instead.

    Args:
        text: the notebook's, as it was written.
        pages: where the pages are, such as "../pages/".
    """
    if not (fixed := chapters_in_colab()):
        return text

    def lead(found: re.Match) -> str:
        name, cell = found.groups()
        headings = cells_of(ROOT / f"chapters/{name}.ipynb")
        first = next((h for h, c in headings.items() if c == cell), "")
        anchor = f"#{make_id(first)}" if first else ""
        return f"{pages}chapters/{name}.html{anchor}"

    address = rf"{re.escape(fixed)}(\w+)\.ipynb(?:#scrollTo=([\w-]+))?"
    return re.sub(address, lead, text)


# The command


def listed() -> list[str]:
    """The chapters of _toc.yml."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    files = [entry["file"] for entry in toc["chapters"]]
    return [Path(f).name for f in files if f.startswith("chapters/")]


def make(name: str) -> list[Path]:
    """Write both editions of a chapter; return their files."""
    path = ROOT / "chapters" / f"{name}.ipynb"
    if not path.is_file():
        raise Unfit(
            f"There is no chapter {name!r}; the chapters are "
            f"{', '.join(listed())}"
        )
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # of many kinds, by what the file holds
        raise Unfit(f"{path} cannot be read as a notebook: {error}") from error
    page, files = ROOT / "teaching" / f"{name[:2]}.md", []
    for kind in KINDS:
        notes = page.read_text("utf-8") if page.is_file() else ""
        file = FOLDER / kind / path.name
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(edition(notebook, kind, name, notes=notes), file)
        files.append(file)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write the editions; return 1 if one could not be made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # for small sums more of them take longer
    failed = 0
    for name in options.chapters or listed():
        try:
            for file in make(Path(name).stem):
                print(file.relative_to(ROOT))
        except Unfit as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
