"""The rules every chapter keeps, one function each.

A rule takes a notebook and returns what is wrong with it, a list of
sentences; an empty list means that the rule is kept. tests/test_notebooks.py
applies them to the chapters, tests/test_chapter_rules.py shows that each can
fail, and tools/execute.py uses those about outputs.
"""

import ast
import contextlib
import io
import json
import re
import tokenize
from itertools import pairwise
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from myst_parser.mdit_to_docutils.base import compute_unique_slug
from nbformat import NotebookNode

from _ext.bookext import jupyter_slug
from utils.chapters import code_hash

ROOT = Path(__file__).resolve().parent.parent
SETUP_CELL = (ROOT / "tools/setup_cell.py").read_text("utf-8").rstrip("\n")
SETUP_CHAPTER = re.compile(r'(?<=describe\(")[^"]*')  # of which it tells
WRITE_SETUP = "`.venv/bin/python tools/write_setup.py`"
SETUP_METADATA = {
    "cellView": "form",
    "jupyter": {"source_hidden": True},
    "tags": ["remove-cell"],
}
SOLUTION_TAGS = {"hide-cell", "solution"}
SOLUTION_FOLDS = {"outputs_hidden": True, "source_hidden": True}
FACT = "nbval-check-output"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
# With which Colab opens a chapter that wants a GPU.
RUNTIME = {"accelerator": "GPU", "colab": {"gpuType": "T4"}}

FACTS_NEEDED = 10
EXERCISES_NEEDED = 6
QUESTIONS_NEEDED = 5
ALT_LENGTH = 20
LINE_LENGTH = 79
FILE_SIZE = 920_000  # chapter 6 carries a network of 350,000
# Kinds of wrong numbers, besides numbers, that questions.js has a hint for.
NUMBER_HINTS = (
    "half", "double", "third", "triple", "below", "above", "magnitude",
)  # fmt: skip
# What the page, Colab and nbval can all show.
MIME_TYPES = {
    "text/plain",
    "text/html",
    "text/latex",
    "text/markdown",
    "image/png",
    "image/jpeg",
}
CHART_DATA = "<summary>Data of the chart</summary>"
LOCAL_PATH = re.compile(
    r"(?<![\w.:/~-])(?:/(?:home|root|Users|tmp|var|opt|usr|mnt|content)/"
    rf"|[A-Z]:\\+Users|{re.escape(str(ROOT))})|site-packages"
)
MARKDOWN = MarkdownIt("commonmark")


# Looking into a notebook


def _cells(notebook, kind):
    """Return (label, cell) of every cell of one kind."""
    found = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == kind:
            start = cell.source.strip().split("\n")[0][:40]
            found.append((f"cell {number} ({start!r})", cell))
    return found


def _tags(cell):
    return cell.metadata.get("tags", [])


def _output_texts(cell):
    """Return every text among a cell's outputs, errors included."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append("\n".join(output.traceback))
        else:
            texts += [
                content
                for mime, content in output.data.items()
                if mime.startswith("text/")
            ]
    return texts


def _words(cell):
    """Return what a cell shows besides pictures."""
    texts = "".join(_output_texts(cell))
    return re.sub(r"<Figure size .*?>", "", texts).strip()


def _mime_types(cell):
    return [m for o in cell.outputs for m in o.get("data", {})]


def headings(notebook):
    """Return (level, slug, text) of every heading; links lead to slugs."""
    found, slugs = [], set()
    for _, cell in _cells(notebook, "markdown"):
        for node in SyntaxTreeNode(MARKDOWN.parse(cell.source)).children:
            if node.type == "heading":
                slug = compute_unique_slug(node, slugs, jupyter_slug)
                slugs.add(slug)
                text = node.children[0].content
                found.append((int(node.tag[1]), slug, text))
    return found


def _blocks(cell):
    """Return the text blocks of a Markdown cell; code is left out."""
    return [
        token.content
        for token in MARKDOWN.parse(cell.source)
        if token.type in ("inline", "html_block")
    ]


def setup_cell(chapter: str, source: str = SETUP_CELL) -> str:
    """The text of the set-up cell in one chapter, as in "02_alexnet"."""
    return SETUP_CHAPTER.sub(chapter, source)


# The notebook


def has_stable_metadata(notebook: NotebookNode) -> list[str]:
    """The kernel is python3 and nothing says when a cell was run.

    A Jupyter that only opens and saves a chapter adds how it shows the kernel
    and which Python that runs. This harms nobody; `make execute` removes it.
    """
    cure = "`make execute`, or undo it: `git checkout chapters`"
    metadata, found = notebook.metadata, []
    for key, known in (("kernelspec", KERNEL), ("language_info", LANGUAGE)):
        name = metadata.get(key, {}).get("name")
        if name != known["name"]:
            found.append(
                f"metadata.{key}.name is {name!r}, not {known['name']!r}: "
                + cure
            )
    for number, cell in enumerate(notebook.cells):
        if re.search(r"\d{4}-\d\d-\d\dT\d\d:", str(cell.metadata)):
            found.append(
                f"cell {number}: a time stamp in its metadata: {cure}"
            )
    return found


def wants_a_gpu(notebook: NotebookNode) -> bool:
    """Whether its full scale, which is a GPU's, is more than its laptop's."""
    for _, cell in _cells(notebook, "code"):
        with contextlib.suppress(SyntaxError):  # another rule's
            for node in ast.walk(ast.parse(cell.source)):
                if getattr(getattr(node, "func", None), "id", "") == "scale":
                    size = {x.arg: ast.dump(x.value) for x in node.keywords}
                    if size.get("full") != size.get("laptop"):
                        return True
    return False


def opens_on_the_right_machine(notebook: NotebookNode) -> list[str]:
    """Colab gives a GPU to chapters that do more with one, and to no other.

    A free GPU is scarce: who holds one that stands idle waits for the next.
    """
    wanted = RUNTIME if wants_a_gpu(notebook) else {}
    found = {
        k: notebook.metadata[k] for k in RUNTIME if k in notebook.metadata
    }
    if found != wanted:
        return [f"its metadata has {found} and needs {wanted}: {WRITE_SETUP}"]
    return []


def has_current_stamp(notebook: NotebookNode) -> list[str]:
    """The outputs belong to the code: it was executed as it stands."""
    stamp = notebook.metadata.get("book", {})
    if stamp.get("code_hash") != code_hash(notebook):
        return ["the code was edited after it was executed: `make execute`"]
    if stamp.get("scale") not in ("laptop", "full"):
        return [
            f"executed at scale {stamp.get('scale')!r}, and readers need "
            + "laptop or full: unset BOOK_SCALE and `make execute`"
        ]
    return []


# Code cells


def begins_with_setup(notebook: NotebookNode) -> list[str]:
    """Cell 0 has the only H1, cell 1 is the set-up cell, word for word."""
    first, second = [*notebook.cells, {}, {}][:2]
    found = []
    if not first.get("source", "").startswith("# ") or (
        first.cell_type != "markdown"
    ):
        found.append("cell 0 is not Markdown that begins with `# Title`")
    if [level for level, _, _ in headings(notebook)].count(1) != 1:
        found.append("there is not exactly one heading of level 1")
    if setup_cell("NN_chapter", second.get("source", "")) != SETUP_CELL:
        found.append(
            f"cell 1 is not the text of tools/setup_cell.py: {WRITE_SETUP}"
        )
    elif second.metadata != SETUP_METADATA or second.outputs:
        found.append(
            f"cell 1 (set-up) needs the metadata {SETUP_METADATA}, no output"
        )
    return found


def is_plain_python(notebook: NotebookNode) -> list[str]:
    """Every code cell is Python without `!` and `%` (nbval misses those)."""
    found = []
    for label, cell in _cells(notebook, "code"):
        if not cell.source.strip():
            found.append(f"{label}: is empty")
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            found.append(
                f"{label}: line {error.lineno} is not plain Python; "
                "instead of `!` and `%` write subprocess.run(..., check=True)"
            )
            continue
        if LOCAL_PATH.search(cell.source):
            found.append(f"{label}: names a path of this machine")
        if "get_ipython" in cell.source:
            found.append(f"{label}: get_ipython hides failures from nbval")
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
        visible = [t.string for t in tokens if t.string.strip()]
        visible = [t for t in visible if not t.startswith("#")]
        if visible and visible[-1] == ";":
            found.append(
                f"{label}: ends with `;`, which nbval does not honour; "
                "end a plot with plt.show()"
            )
    return found


def _called(tree: ast.AST) -> set[str]:
    """Names of the functions that a piece of code calls."""
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def _log_readers(trees: list[ast.AST]) -> set[str]:
    """`recorded`, and the chapter's functions that call it, or one of them."""
    calls_of = {
        node.name: _called(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    readers, before = {"recorded"}, set()
    while readers != before:
        before = readers
        readers = before | {
            name for name, calls in calls_of.items() if calls & before
        }
    return readers


def reads_its_logs_as_facts(notebook: NotebookNode) -> list[str]:
    """What is shown of a recorded log is compared with it in every test.

    So a page cannot keep a number that its log no longer holds, be it
    printed, the value of a cell, a table or the data of a chart.
    """
    trees = {}
    for label, cell in _cells(notebook, "code"):
        with contextlib.suppress(SyntaxError):  # another rule's business
            trees[label] = ast.parse(cell.source)
    readers = _log_readers(list(trees.values()))
    return [
        f"{label}: shows what it read from a log; tag it {FACT}"
        for label, cell in _cells(notebook, "code")
        if label in trees
        and _called(trees[label]) & readers
        and _words(cell)
        and FACT not in _tags(cell)
    ]


def has_short_lines(notebook: NotebookNode) -> list[str]:
    """No line of code is longer than a page shows."""
    return [
        f"{label}: {len(line)} characters, {LINE_LENGTH} fit: {line.strip()}"
        for label, cell in _cells(notebook, "code")
        for line in cell.source.split("\n")
        if len(line) > LINE_LENGTH
    ]


def was_run_in_order(notebook: NotebookNode) -> list[str]:
    """Execution counts are 1..n (nbval compares nothing where one is null)."""
    return [
        f"{label}: execution count {cell.execution_count}, not {expected}"
        for expected, (label, cell) in enumerate(_cells(notebook, "code"), 1)
        if cell.execution_count != expected
    ]


def has_facts(notebook: NotebookNode) -> list[str]:
    """At least 10 cells are tagged as facts, and can be compared."""
    facts = [(n, c) for n, c in _cells(notebook, "code") if FACT in _tags(c)]
    found = []
    if len(facts) < FACTS_NEEDED:
        found.append(
            f"{len(facts)} cells are tagged {FACT}; {FACTS_NEEDED} are needed"
        )
    for label, cell in facts:
        texts = _words(cell)
        if not texts:
            found.append(f"{label}: tagged {FACT}, but printed nothing")
        if re.search(r"0x[0-9a-f]{6,}|\d{4}-\d\d-\d\dT\d\d:", texts):
            found.append(
                f"{label}: an address or a date differs in every run; "
                f"print something else or drop the tag {FACT}"
            )
    for label, cell in _cells(notebook, "code"):
        hiding = {"nbval-skip", "nbval-ignore-output"} & set(_tags(cell))
        if hiding or "# NBVAL_" in cell.source:
            found.append(f"{label}: do not hide a cell from nbval")
    return found


# Outputs


def has_clean_outputs(notebook: NotebookNode) -> list[str]:
    """No error, nothing on stderr, no local path, nothing unshowable."""
    found = []
    for label, cell in _cells(notebook, "code"):
        failed = any(o.output_type == "error" for o in cell.outputs)
        if failed and "raises-exception" not in _tags(cell):
            found.append(f"{label}: an error is stored")
        if not failed and "raises-exception" in _tags(cell):
            found.append(f"{label}: tagged raises-exception, raised nothing")
        for output in cell.outputs:
            if output.get("name") == "stderr":
                found.append(
                    f"{label}: stderr is stored; cure the cause: "
                    f"{output.text.strip()[:200]}"
                )
        for text in _output_texts(cell):
            if path := LOCAL_PATH.search(text):
                found.append(f"{label}: local path {path[0]!r} in its output")
        for mime in sorted(set(_mime_types(cell)) - MIME_TYPES):
            found.append(f"{label}: output of type {mime}; figures are PNG")
    return found


def has_alt_text(notebook: NotebookNode) -> list[str]:
    """Every figure has a description, in metadata.mystnb.image.alt."""
    found = []
    for label, cell in _cells(notebook, "code"):
        images = [m for m in _mime_types(cell) if m.startswith("image/")]
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if images and len(image.get("alt", "").strip()) < ALT_LENGTH:
            found.append(
                f"{label}: metadata mystnb.image.alt must say in "
                f"{ALT_LENGTH} characters or more what the figure shows"
            )
        if len(images) > 1:
            found.append(
                f"{label}: {len(images)} images and one alt text; "
                "split the cell, or draw one figure"
            )
    return found


def charts_carry_their_data(notebook: NotebookNode) -> list[str]:
    """The numbers of a chart are there for those who cannot see it."""
    return [
        f"{label}: a chart without its numbers; end the cell with "
        "ChartData(...) of utils.tables, behind plt.show()"
        for label, cell in _cells(notebook, "code")
        if "chart"
        in cell.metadata.get("mystnb", {}).get("image", {}).get("classes", "")
        and CHART_DATA not in _words(cell)
    ]


# Markdown


def is_portable(notebook: NotebookNode) -> list[str]:
    """Markdown reads well in Colab too: no MyST, no image files."""
    leaks = {
        "a MyST role": r"(?<!`)\{[a-zA-Z][\w:.+-]*\}`",
        "a MyST directive": r"^\s*(?:`{3,}|~{3,}|:{3,})\s*\{",
        "a MyST fence": r"^\s*:{3,}",
        "a MyST label": r"^\([\w:.-]+\)=\s*$",
        "a MyST equation label": r"^\$\$\s*\([\w:.-]+\)",
        "a MyST comment or break": r"^(?:%|\+\+\+)\s",
        "a local path": LOCAL_PATH.pattern,
        "an image file (draw it in code)": r"!\[[^\]]*\]\(|<img\b",
    }
    return [
        f"{label}: {name}: {match[0].strip()!r}"
        for label, cell in _cells(notebook, "markdown")
        for name, pattern in leaks.items()
        if (match := re.search(pattern, cell.source, re.MULTILINE))
    ]


def has_steady_headings(notebook: NotebookNode) -> list[str]:
    """Heading levels go down one at a time."""
    every = headings(notebook)
    return [
        f"heading {text!r} jumps from level {above} to {level}"
        for (above, _, _), (level, _, text) in pairwise(every)
        if level > above + 1
    ]


def cites_its_results(notebook: NotebookNode) -> list[str]:
    """A percentage or a PFLOP count typed in prose has its source beside it.

    It needs a link in its sentence or table row. Bounds are free, for an
    assertion checks them: at least 88 %.
    """
    bound = r"(?:at least|at most|more than|less than|above|below)"
    percentage = re.compile(
        rf"({bound}\s+[*$]*)?\d+(?:\.\d+)?[*$]*(?:[\s-]|&nbsp;)?"
        r"(?:\\?%|PFLOPs?)",
        re.IGNORECASE,
    )
    about_results = re.compile(r"accura|error|top-?\d|correct", re.IGNORECASE)
    found = []
    for label, cell in _cells(notebook, "markdown"):
        for block in _blocks(cell):
            if block.startswith("|"):
                sentences = block.split("\n")
            else:
                sentences = re.split(r"(?<=[.!?])\s+", block)
            found += [
                f"{label}: {match[0]!r} is typed by hand: link its source in "
                "the same sentence or table row, print it in a cell, or make "
                "it a bound that a cell asserts (at least ...)"
                for sentence in sentences
                if "](" not in sentence and "http" not in sentence
                for match in percentage.finditer(sentence)
                if not match[1]
                and (
                    "." in match[0]
                    or "FLOP" in match[0]
                    or about_results.search(sentence)
                )
            ]
    return found


def has_sources(notebook: NotebookNode) -> list[str]:
    """A section "Sources" near the end holds links."""
    text = "\n\n".join(c.source for _, c in _cells(notebook, "markdown"))
    _, heading, section = text.rpartition("\n## Sources")
    if not heading or not re.search(r"https?://", section):
        return ["there is no section `## Sources` with links"]
    return []


# Exercises and quiz


def has_exercises(notebook: NotebookNode) -> list[str]:
    """At least 6 exercises, each with its solution, hidden and executed."""
    text = "\n".join(c.source for _, c in _cells(notebook, "markdown"))
    exercises = re.findall(
        r"^(?:#+ |\*\*)Exercise ([\d.]*\d)", text, re.MULTILINE
    )
    solutions = re.findall(r"<summary>Solution ([\d.]*\d)", text)
    found = []
    for label, cell in _cells(notebook, "code"):
        title = re.match(r"# @title Solution ([\d.]*\d)", cell.source)
        if not title and "solution" not in _tags(cell):
            continue
        if title:
            solutions.append(title[1])
        right = (
            title
            and set(_tags(cell)) >= SOLUTION_TAGS
            and cell.metadata.get("cellView") == "form"
            and cell.metadata.get("jupyter") == SOLUTION_FOLDS
        )
        if not right:
            found.append(
                f"{label}: a solution begins with `# @title Solution 2.1` and "
                f"has the tags {sorted(SOLUTION_TAGS)}, cellView `form` and "
                f"jupyter {SOLUTION_FOLDS}"
            )
    if len(set(exercises)) < EXERCISES_NEEDED:
        found.append(
            f"{len(set(exercises))} exercises; {EXERCISES_NEEDED} are needed"
        )
    found += [f"Exercise {n} stands twice" for n in _repeated(exercises)]
    found += [
        f"Exercise {n} has no solution"
        for n in sorted(set(exercises) - set(solutions))
    ]
    found += [
        f"Solution {n} has no exercise"
        for n in sorted(set(solutions) - set(exercises))
    ]
    return found


def folds_have_names(notebook: NotebookNode) -> list[str]:
    """A page says of each folded cell what is in it, open or closed."""
    found = []
    for label, cell in _cells(notebook, "code"):
        if not {"hide-cell", "hide-input"} & set(_tags(cell)):
            continue
        names = "Show the code", "Hide the code"
        if title := re.match(r"# @title (Solution .*)", cell.source):
            names = title[1], title[1]
        fold = cell.metadata.get("mystnb", {})
        kinds = "code_prompt_show", "code_prompt_hide"
        found += [
            f'{label}: is folded; set mystnb {kind} to "{name}"'
            for kind, name in zip(kinds, names, strict=True)
            if fold.get(kind) != name
        ]
    return found


def _repeated(items):
    return sorted({item for item in items if items.count(item) > 1})


def has_quiz(notebook: NotebookNode) -> list[str]:
    """At least 5 questions, one right option each, every option explained."""
    choice = r'<details class="choice">(.*?)</details>\s*'
    questions, found = 0, []
    for label, cell in _cells(notebook, "markdown"):
        end = 0  # of the question before this one
        for group in re.finditer(rf"(?:{choice})+", cell.source, re.DOTALL):
            questions += 1
            options = re.findall(choice, group[0], re.DOTALL)
            texts = [_explanation(option) for option in options]
            where = f"{label}: question {questions}"
            right = sum(text.startswith("Right") for text in texts)
            if len(options) < 2 or right != 1:
                found.append(
                    f"{where} has {len(options)} options, {right} of them "
                    "right; one explanation must begin with `Right`"
                )
            if min(map(len, texts)) < 15:
                found.append(f"{where}: an option is not explained")
            if "?" not in cell.source[end : group.start()]:
                found.append(f"{where} does not ask anything")
            end = group.end()
    if questions < QUESTIONS_NEEDED:
        found.append(
            f"{questions} quiz questions; {QUESTIONS_NEEDED} are needed"
        )
    return found


def has_sound_numbers(notebook: NotebookNode) -> list[str]:
    """A question for a number asks, knows its answer and explains it.

    The answer is one that a cell computes: a fact of the chapter prints it.
    _assets/questions.js says what the attributes mean.
    """
    printed = [
        float(number.replace(",", ""))
        for _, cell in _cells(notebook, "code")
        if FACT in _tags(cell)
        for text in _output_texts(cell)
        for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)
    ]
    start = '<details class="numeric"'
    whole = re.compile(
        start + r'((?:\s+data-[\w.-]+="[^"]*")*)\s*>(.*?)</details>', re.DOTALL
    )
    found = []
    for label, cell in _cells(notebook, "markdown"):
        matches = [*whole.finditer(cell.source)]
        if len(matches) < cell.source.count(start):
            found.append(
                f'{label}: a number is asked as {start} data-answer="54">, '
                "all attributes with data- and in double quotes"
            )
        for match in matches:
            found += [
                f"{label}: {problem}"
                for problem in _problems_of_number(*match.groups(), printed)
            ]
            before = cell.source[: match.start()].rstrip()
            if "?" not in before.split("\n\n")[-1]:
                found.append(f"{label}: the paragraph above does not ask")
    return found


def _problems_of_number(attributes, folded, printed):
    data = dict(re.findall(r'data-([\w.-]+)="([^"]*)"', attributes))
    hints = {
        name.removeprefix("hint-"): data.pop(name)
        for name in list(data)
        if name.startswith("hint-")
    }
    if unknown := sorted(set(data) - {"answer", "tolerance", "unit"}):
        yield f"a number has no attribute data-{unknown[0]}"
    number = r"-?\d+(?:\.\d+)?(?:e\d+)?"
    tolerance = data.get("tolerance", "0")
    if not re.fullmatch(number, data.get("answer", "")):
        yield "data-answer is no number such as 54, 3.72 or -1"
        return
    if not re.fullmatch(r"\d+(?:\.\d+)?%?", tolerance):
        yield f"data-tolerance {tolerance!r} is neither 0.01 nor 1%"
        return

    def is_near(value, to):
        room = float(tolerance.rstrip("%"))
        room *= abs(to) / 100 if tolerance.endswith("%") else 1
        return abs(value - to) <= room + 1e-9 * abs(to)

    answer = float(data["answer"])
    if not any(is_near(value, answer) for value in printed):
        yield f"{data['answer']} is printed by no cell tagged {FACT}"
    text = _explanation(folded)
    begins = re.match(r"-?\d[\d,]*(?:\.\d+)?", text)
    if not begins or not is_near(float(begins[0].replace(",", "")), answer):
        yield f"the explanation does not begin with {data['answer']}"
    if len(text) < 25:
        yield f"{data['answer']} is not explained"
    for hint, says in hints.items():
        if len(says) < 5:
            yield f"data-hint-{hint} says nothing"
        if hint in NUMBER_HINTS:
            continue
        if not re.fullmatch(number, hint):
            yield (
                f"data-hint-{hint} is neither a wrong number nor one of "
                f"{', '.join(NUMBER_HINTS)}"
            )
        elif is_near(float(hint), answer):
            yield f"data-hint-{hint} is for the right answer"


def _explanation(option):
    """Return the text behind an option's summary, without markup."""
    text = option.partition("</summary>")[2]
    return re.sub(r"<[^>]*>|\*", "", text).strip()


RULES = (
    has_stable_metadata,
    has_current_stamp,
    begins_with_setup,
    opens_on_the_right_machine,
    is_plain_python,
    reads_its_logs_as_facts,
    has_short_lines,
    was_run_in_order,
    has_facts,
    has_clean_outputs,
    has_alt_text,
    charts_carry_their_data,
    is_portable,
    has_steady_headings,
    cites_its_results,
    has_sources,
    has_exercises,
    folds_have_names,
    has_quiz,
    has_sound_numbers,
)


def problems(notebook: NotebookNode) -> list[str]:
    """Return what every rule finds wrong with a notebook."""
    return [sentence for rule in RULES for sentence in rule(notebook)]


# Rules that need the file and its neighbours


def is_valid(path: Path) -> list[str]:
    """The notebook keeps nbformat's schema, and every cell has its own id."""
    # nbformat.read would repair ids silently, so the file is read as it is.
    notebook = nbformat.from_dict(json.loads(path.read_text("utf-8")))
    ids = [cell.get("id") for cell in notebook.cells]
    if repeated := _repeated(ids):
        return [f"the id {i!r} stands twice" for i in repeated]
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        return [str(error).split("\n")[0]]
    return []


def has_right_numbers(path: Path) -> list[str]:
    """Exercises and equations carry the chapter's number, 02 -> 2.1."""
    number = str(int(path.name.split("_")[0]))
    numbered = r"(?:Exercise |Solution |\\tag\{)(\d+)\.\d+"
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    return [
        f"{match[0]!r} in chapter {number}"
        for match in re.finditer(numbered, text)
        if match[1] != number
    ]


def has_whole_links(path: Path) -> list[str]:
    """Links to chapters and pages lead to a file and to a heading in it."""
    found = []
    for label, cell in _cells(nbformat.read(path, 4), "markdown"):
        for link in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            if not target.is_file():
                found.append(f"{label}: {link} leads to no file")
            elif not anchor.isascii():
                found.append(
                    f"{label}: {link} leads nowhere in JupyterLab, which "
                    "follows letters of ASCII only"
                )
            elif anchor and target.suffix == ".ipynb":
                slugs = [s for _, s, _ in headings(nbformat.read(target, 4))]
                if anchor not in slugs:
                    found.append(
                        f"{label}: {link} leads to no heading; write it as "
                        "#The-run, with its capitals, for `## The run`"
                    )
    return found


def is_small(path: Path) -> list[str]:
    """The file stays small enough to read, to diff and to fetch."""
    size = path.stat().st_size
    if size > FILE_SIZE:
        return [f"{size:,} bytes; {FILE_SIZE:,} are allowed: smaller figures"]
    return []


def names_itself(path: Path) -> list[str]:
    """The set-up cell tells the time of this chapter, not of another's."""
    source = nbformat.read(path, 4).cells[1].source
    if SETUP_CHAPTER.findall(source) != [path.stem]:
        return [f'cell 1: not describe("{path.stem}"): {WRITE_SETUP}']
    return []


FILE_RULES = (
    is_valid,
    has_right_numbers,
    has_whole_links,
    is_small,
    names_itself,
)
