"""The two editions: what students must not see, what teachers must find."""

import copy
import functools
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from chapters import fair_help
from chapters.checks import EXCEPTIONS, check, find
from tools import editions
from tools.chapter_rules import headings
from tools.editions import FOLDED, Unfit, edition, is_solution, linked

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
ANCHORS = set((ROOT / "tests/anchors.txt").read_text("utf-8").split())
QUICK = "03_vgg"  # the chapter that `make test` runs as students have it
each_chapter = pytest.mark.parametrize("name", CHAPTERS)
each_kind = pytest.mark.parametrize("kind", editions.KINDS)


@functools.cache
def chapter(name):
    return nbformat.read(ROOT / f"chapters/{name}.ipynb", as_version=4)


def notes(name):
    page = ROOT / "teaching" / f"{name[:2]}.md"
    return page.read_text("utf-8") if page.is_file() else ""


@functools.cache
def made(name, kind):
    return edition(chapter(name), kind, name, notes=notes(name))


def code_lines(cells):
    """Lines that say something, without indentation."""
    lines = {
        line.strip() for cell in cells for line in cell.source.split("\n")
    }
    return {line for line in lines if len(line) >= 12}


def folded(notebook):
    return [
        found
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for found in FOLDED.finditer(cell.source)
    ]


def texts_to_hide(notebook):
    """Lines of solutions and their outputs, and what is folded but hints.

    What the chapter says elsewhere, too, is no secret.
    """
    open_text = "\n".join(
        FOLDED.sub("", string)
        for cell in notebook.cells
        if not is_solution(cell)
        for string in strings(cell)
    )
    hidden = set()
    for cell in notebook.cells:
        if is_solution(cell):
            hidden |= code_lines([cell])
            for output in cell.outputs:
                hidden |= {
                    line
                    for line in output.get("text", "").split("\n")
                    if len(line) > 20
                }
    for found in folded(notebook):
        if found["summary"] != "A hint":
            sentences = re.split(r"(?<=[.:])\s+", found["text"])
            hidden |= {part for part in sentences if len(part) > 25}
            hidden |= {*re.findall(r'"([^"]{9,})"', found["attributes"])}
    return {text for text in hidden if text not in open_text}


def leaks(student, notebook):
    """What a student edition holds of solutions and answers, anywhere."""
    numbers = {c.metadata.get("exercise") for c in student.cells}
    given = [nbformat.v4.new_code_cell(find(n, "STUB")) for n in numbers if n]
    given += [c for c in student.cells if "check" in c.metadata]
    given += [c for c in student.cells if c.id.startswith("recorded-")]
    open_text = "\n".join(cell.source for cell in given)
    hidden = {t for t in texts_to_hide(notebook) if t not in open_text}
    hidden |= {"data-answer", "data-hint", "@title Solution", "<summary>Sol"}
    everything = "\n".join(
        string for cell in student.cells for string in strings(cell)
    )
    return sorted(text for text in hidden if text in everything)


def strings(value):
    """Every text in a notebook's JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


# The student edition


@each_chapter
@pytest.mark.parametrize("outputs", [False, True])
def test_a_student_edition_holds_no_solution(name, outputs):
    student = edition(chapter(name), "student", name, outputs=outputs)
    assert texts_to_hide(chapter(name))
    assert leaks(student, chapter(name)) == []


def test_a_leak_is_found():
    """Wherever it is: in code, in an output, in metadata, in Markdown."""
    book = chapter("02_alexnet")
    solution = next(
        cell for cell in book.cells if "Solution 2.2" in cell.source
    )
    line = "n = conv_output_size(n, kernel=11, stride=4, padding=padding)"
    assert line in solution.source
    answer = "Dropout draws new units in each pass until you call net.eval()."
    for where, text in (
        ("source", f"def f():\n    {line}"),
        ("source", answer),
        ("source", '<details data-answer="3">'),
        ("metadata", {"note": f"see {line}"}),
        ("attachments", {"a.txt": {"text/plain": line}}),
        ("outputs", copy.deepcopy(solution.outputs)),
    ):
        student = copy.deepcopy(made("02_alexnet", "student"))
        assert leaks(student, book) == []
        student.cells[5][where] = text
        assert leaks(student, book)


@each_chapter
def test_every_exercise_is_there(name):
    student = made(name, "student")
    solved = {
        found[1]
        for cell in chapter(name).cells
        if (found := editions.SOLUTION.match(cell.source))
    }
    text = "\n".join(cell.source for cell in chapter(name).cells)
    exercises = re.findall(r"(?m)^### Exercise (\d+\.\d+)", text)
    assert len(exercises) >= 6
    for number in exercises:
        stubs, checks = (
            [c for c in student.cells if c.metadata.get(key) == number]
            for key in ("exercise", "check")
        )
        place = f"exercise-{number}"
        words = [c for c in student.cells if c.metadata.get("answer") == place]
        if number in EXCEPTIONS:
            assert (len(stubs), len(checks), len(words)) == (0, 0, 1)
            continue
        assert number in solved
        assert (len(stubs), len(checks), len(words)) == (1, 1, 0)
        assert stubs[0].source == (
            f"# Exercise {number}, to be written\n"
            + find(number, "STUB").strip()
        )
        assert student.cells.index(stubs[0]) < student.cells.index(checks[0])
        (solution,) = (
            cell
            for cell in chapter(name).cells
            if is_solution(cell) and cell.source.endswith(checks[0].source)
        )
        assert solution.source.startswith(f"# @title Solution {number}")


@each_chapter
def test_questions_can_be_answered(name):
    """Options stay, in their order; a cell to write into is behind each."""
    student, asked = made(name, "student"), 0
    for found in folded(chapter(name)):
        if 'class="choice"' in found["attributes"]:
            option = rf"- \*\*[A-H]\.\*\* {re.escape(found['summary'])}"
        elif 'class="numeric"' in found["attributes"]:
            before = found.string[: found.start()].strip()
            option = re.escape(before.split("\n\n")[-1])
        else:
            continue
        (place,) = (
            number
            for number, cell in enumerate(student.cells)
            if cell.cell_type == "markdown"
            and re.search(rf"^{option}$", cell.source, re.MULTILINE)
        )
        assert "answer" in student.cells[place + 1].metadata
        asked += 1
    assert asked >= 15


@pytest.mark.parametrize(
    "name, answer",
    [
        ("04_nin", "md-question"),  # Guess before you scroll.
        ("05_googlenet", "md-bookkeeping"),  # A bet.
        ("02_alexnet", "viewer-figure"),  # whose figure asks first
        ("06_resnet", "prediction-6.3"),
        ("02_alexnet", "words-2.4"),
        ("08_comparison", "bug"),
    ],
)
def test_what_is_guessed_can_be_written_down(name, answer):
    (place,) = (
        number
        for number, cell in enumerate(made(name, "student").cells)
        if cell.metadata.get("answer") == answer
    )
    assert made(name, "student").cells[place].cell_type == "markdown"


@each_chapter
def test_help_can_be_written_down(name):
    last = made(name, "student").cells[-1]
    assert last.metadata["answer"] == "help"
    assert last.source.startswith("**Help that I had, and from whom:**")


@each_chapter
def test_the_head_says_how_to_keep_it_and_hand_it_in(name):
    """In the words of the pages for teachers."""
    head = made(name, "student").cells[1]
    assert head.id == "edition"
    says = " ".join(head.source.split())
    ways = "*Save a copy in Drive*", "*File*, *Download*, *Download .ipynb*"
    page = (ROOT / "teaching/index.md").read_text("utf-8")
    for way in ways:
        assert way in says and way in " ".join(page.split())
    assert f"`ada_{name}.ipynb`" in says
    for page in ("index", "grading"):
        text = (ROOT / f"teaching/{page}.md").read_text("utf-8")
        assert "`ada_06_resnet.ipynb`" in text


@each_chapter
def test_colab_is_asked_not_to_write_the_answers(name):
    """Beside what else it is told of the chapter: that it wants a GPU."""
    of_chapter = chapter(name).metadata.get("colab", {})
    for kind, more in (
        ("student", {"generative_ai_disabled": True}),
        ("teacher", {}),
    ):
        found = made(name, kind).metadata.get("colab", {})
        assert found == of_chapter | more


@each_chapter
def test_a_student_edition_is_not_run(name):
    for cell in made(name, "student").cells:
        assert "mystnb" not in cell.metadata
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


# The teacher edition


@each_chapter
def test_a_teacher_edition_has_all(name):
    """Code and outputs as they are, nothing folded, all answers."""
    teacher = made(name, "teacher")
    code = [cell for cell in teacher.cells if cell.cell_type == "code"]
    of_chapter = [c for c in chapter(name).cells if c.cell_type == "code"]
    assert [(c.source, c.outputs, c.execution_count) for c in code] == [
        (c.source, c.outputs, c.execution_count) for c in of_chapter
    ]
    assert not any("jupyter" in c.metadata for c in code if is_solution(c))
    text = "\n".join(
        cell.source for cell in teacher.cells if cell.cell_type == "markdown"
    )
    assert "<details" not in text
    words = " ".join(re.sub(r"^> ?", "", text, flags=re.MULTILINE).split())
    for found in folded(chapter(name)):
        kept = " ".join(linked(found["text"], name).split())
        assert kept in words
        for hint in re.findall(
            r'data-hint-.+?="([^"]+)"', found["attributes"]
        ):
            assert " ".join(hint.split()) in words


@each_chapter
def test_long_cells_say_how_long(name):
    teacher = made(name, "teacher")
    times = chapter(name).metadata.book.times
    for place, cell in enumerate(teacher.cells):
        if cell.cell_type == "code":
            slowest = max(
                column.seconds.get(cell.id, 0) * column.factor
                for column in times.values()
            )
            before = teacher.cells[place - 1].source
            assert before.startswith("> **Time**") == (slowest > 5)


@each_chapter
def test_wrong_answers_stand_below_each_exercise_that_is_checked(name):
    """With whole sentences."""
    known = {
        number: cell.source.split("\n> - ")[1:]
        for cell in made(name, "teacher").cells
        if (note := cell.metadata.get("note", "")).startswith("mistakes-")
        and (number := note.removeprefix("mistakes-"))
    }
    text = "\n".join(cell.source for cell in chapter(name).cells)
    exercises = re.findall(r"(?m)^### Exercise (\d+\.\d+)", text)
    assert [*known] == [n for n in exercises if n not in EXCEPTIONS]
    for lines in known.values():
        assert len(lines) >= 3
        for line in lines:
            assert re.fullmatch(
                r"[^\u201c]+: \u201c[^\u2026]+[.?!]\u201d", line
            )


@pytest.mark.parametrize("number", ["6.2", "8.1"])
def test_of_a_wrong_answer_stands_what_check_says(number, capsys):
    notes = {
        cell.metadata.get("note"): cell.source
        for chapter in CHAPTERS
        if chapter.startswith(f"0{number[0]}")
        for cell in made(chapter, "teacher").cells
    }
    _, *lines = notes[f"mistakes-{number}"].split("\n> - ")
    for one, line in zip(find(number, "wrong")(), lines, strict=True):
        check(number, one.answer)
        said = " ".join(capsys.readouterr().out.split())
        what, _, says = line.removesuffix("\u201d").partition(": \u201c")
        assert said == f"Exercise {number}: not yet. {says}"
        assert what.startswith(one.what)
        assert one.copied == what.endswith("(a way around the work)")


@each_chapter
def test_notes_stand_where_they_belong(name):
    """Every word of the page, and misconceptions beside their place."""
    page = notes(name)
    if not page:
        pytest.skip("no page in teaching/ yet")
    teacher = made(name, "teacher")
    said = [
        re.sub(r"^> ?", "", cell.source, flags=re.MULTILINE)
        for cell in teacher.cells
    ]
    everything = "\n".join(said)
    page = FOLDED.sub(r"\g<text>", linked(page, name, "teaching"))
    part = page[page.index("## Misconceptions") :].split("\n## ")[0]
    table = "\n".join(re.findall(r"(?m)^\|.*$", part))
    # All other lines but the title: as they are, headings in bold.
    rest = page.replace("## Misconceptions", "").replace(table, "")
    for line in rest.split("\n")[1:]:
        assert re.sub(r"^## ", "", line) in everything
    for row in re.findall(r"(?m)^\| (.+?) \| (.+) \|$", table)[1:]:
        idea, question = row
        (place,) = (n for n, text in enumerate(said) if f"{idea}." in text)
        assert question in said[place]
        above = "\n".join(said[:place])
        if number := re.search(r"question (\d) of the quiz", question):
            assert re.findall(r"(?m)^\*\*(\d)\. ", above)[-1] == number[1]
        elif heading := re.search(r"\(#(.+?)\)", question):
            last = re.findall(r"(?m)^#+ (.+)$", above)[-1]
            assert last.replace(" ", "-") == heading[1]
        else:
            assert above.count("\n#") == 0  # at the top


# Both


@each_kind
@each_chapter
def test_an_edition_is_a_valid_notebook(name, kind):
    notebook = made(name, kind)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert "book" not in notebook.metadata  # no stamp: it is no chapter
    setup = (ROOT / "tools/setup_cell.py").read_text("utf-8").strip()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source == setup.replace("NN_chapter", name)


@each_kind
@each_chapter
def test_an_edition_is_made_twice_alike(name, kind):
    """And the chapter that it is made of stays as it is."""
    before = json.dumps(chapter(name))
    again = edition(chapter(name), kind, name, notes=notes(name))
    assert json.dumps(again) == json.dumps(made(name, kind))
    assert json.dumps(chapter(name)) == before


@each_kind
@each_chapter
def test_sections_keep_their_names(name, kind):
    assert headings(made(name, kind)) == headings(chapter(name))


@each_kind
@each_chapter
def test_each_exercise_says_what_help_is_fair(name, kind):
    """In the cell of its text, which no answer stands before."""
    exercises = 0
    for cell in made(name, kind).cells:
        found = re.match(r"### Exercise (\d+\.\d+)\n", cell.source)
        if found:
            text, _, after = cell.source.partition("\n\n*Fair help:* ")
            assert fair_help.line(found[1]) in cell.source
            assert "Target:" in text and "Solution" not in text
            assert "Fair help" not in after
            exercises += 1
    assert exercises >= 6


def wrong_links(notebook):
    """Links that lead nowhere from a notebook that stands alone."""
    inside = {slug for _, slug, _ in headings(notebook)}
    pages, wrong = {anchor.split("#")[0] for anchor in ANCHORS}, []
    start = linked("[](index.md)", "", "").removesuffix("index.html)")[3:]
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            page, _, anchor = link.partition("#")
            if link.startswith(start):
                page = page.removeprefix(start).removesuffix(".html")
                known = (
                    f"{page}#{anchor}" in ANCHORS if anchor else page in pages
                )
            elif not page:
                known = anchor in inside
            else:
                known = link.startswith("https://")
            if not known:
                wrong.append(link)
    return wrong


@each_kind
@each_chapter
def test_links_lead_from_a_lone_notebook(name, kind):
    assert wrong_links(made(name, kind)) == []


def test_a_wrong_link_is_found(monkeypatch):
    monkeypatch.setattr(editions, "edition_of", lambda root: "")
    for link in (
        "03_vgg.ipynb",
        "#No-such-heading",
        linked("[](03_vgg.ipynb#No)", "02_alexnet")[3:-1],
        linked("[](../no.md)", "02_alexnet")[3:-1],
    ):
        student = copy.deepcopy(made("02_alexnet", "student"))
        assert wrong_links(student) == []
        student.cells[3].source = f"[there]({link})"
        assert wrong_links(student) == [link]


# What cannot be made


def changed(name, number, old, new):
    """A chapter with one word of a solution changed."""
    notebook = copy.deepcopy(chapter(name))
    for cell in notebook.cells:
        if cell.source.startswith(f"# @title Solution {number}"):
            assert old in cell.source
            cell.source = cell.source.replace(old, new)
    return notebook


def test_a_solution_without_stub_is_named(monkeypatch):
    monkeypatch.setitem(fair_help.KINDS, "A measurement", "2.4 2.7 2.8 2.99")
    notebook = changed("02_alexnet", "2.2", "Solution 2.2", "Solution 2.99")
    for cell in notebook.cells:
        cell.source = cell.source.replace(
            "### Exercise 2.2", "### Exercise 2.99"
        )
        cell.source = cell.source.replace('check("2.2"', 'check("2.99"')
    with pytest.raises(Unfit, match=r"2\.99 has .* no stub: write STUB_2_99"):
        edition(notebook, "student", "02_alexnet")


def test_a_solution_without_check_is_named():
    notebook = changed("02_alexnet", "2.2", 'check("2.2"', 'print("2.2"')
    with pytest.raises(Unfit, match=r"2\.2 ends with .*: end it with check"):
        edition(notebook, "student", "02_alexnet")


def test_a_solution_that_later_cells_need_is_named():
    notebook = changed("02_alexnet", "2.5", "dropped = ", "late = dropped = ")
    notebook.cells.append(nbformat.v4.new_code_cell("print(late)"))
    with pytest.raises(Unfit, match=r"Solution 2\.5' defines late"):
        edition(notebook, "student", "02_alexnet")


@each_kind
def test_an_exercise_without_fair_help_is_named(kind, monkeypatch):
    monkeypatch.setitem(fair_help.KINDS, "A measurement", "")
    with pytest.raises(Unfit, match=r"exercise 2\.4 does not .*: add its"):
        edition(chapter("02_alexnet"), kind, "02_alexnet")


def test_a_misconception_without_place_is_named():
    page = notes("02_alexnet").replace(
        "[question 1 of the", "[question 9 of the"
    )
    with pytest.raises(Unfit, match="'9', which is neither"):
        edition(chapter("02_alexnet"), "teacher", "02_alexnet", notes=page)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="one of student, teacher"):
        edition(chapter("02_alexnet"), "parent", "02_alexnet")


def test_the_command(tmp_path, monkeypatch, capsys):
    """It writes what it can, and names what it cannot."""
    monkeypatch.setattr(editions, "FOLDER", ROOT / "_build/editions-tested")
    assert editions.main(["12_none", "chapters/02_alexnet.ipynb"]) == 1
    written = capsys.readouterr()
    assert "There is no chapter '12_none'; the chapters are 01_" in written.err
    files = [ROOT / line for line in written.out.split()]
    assert [file.parent.name for file in files] == [*editions.KINDS]
    for file in files:
        notebook = nbformat.read(file, as_version=4)
        assert notebook == made("02_alexnet", notebook.metadata.edition.kind)
        file.unlink()


# Running them


def run(notebook):
    """Execute a copy, below the checkout; return what each check says.

    An exercise that is checked twice has two sentences.
    """
    executed = copy.deepcopy(notebook)
    folder = ROOT / "_build/editions"
    folder.mkdir(parents=True, exist_ok=True)
    NotebookClient(
        executed,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    said = {}
    for cell in executed.cells:
        if number := cell.metadata.get("check"):
            text = "".join(o.get("text", "") for o in cell.outputs)
            said.setdefault(number, []).append(text)
    return said


def solved(student, notebook):
    """A student edition whose stubs are filled after all has run once."""
    done = copy.deepcopy(student)
    for cell in student.cells:
        if number := cell.metadata.get("exercise"):
            (check,) = (
                c for c in student.cells if c.metadata.get("check") == number
            )
            cell = copy.deepcopy(cell)
            cell.source = "\n".join(
                other.source.removesuffix(check.source)
                for other in notebook.cells
                if (found := editions.SOLUTION.match(other.source))
                and found[1] == number
            )
            done.cells += [cell, copy.deepcopy(check)]
    return done


@pytest.mark.parametrize(
    "name",
    [
        n
        if n == QUICK
        else pytest.param(
            n,
            marks=pytest.mark.long(
                "the student editions of all chapters, as given and solved"
            ),
        )
        for n in CHAPTERS
    ],
)
def test_a_student_edition_runs_as_given_and_takes_the_solutions(name):
    said = run(solved(made(name, "student"), chapter(name)))
    assert len(said) >= 4
    for number, (given, then) in said.items():
        assert given.startswith(f"Exercise {number}: not yet.")
        assert then.startswith(f"Exercise {number}: right.")
