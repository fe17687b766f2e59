"""Every rule of tools/chapter_rules.py passes a good chapter and can fail."""

import json

import nbformat
import pytest
from nbformat import v4

from tools import chapter_rules as rules
from tools import write_setup
from utils.tables import ChartData, Table

PNG = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 1x1>"}
ALT = {"mystnb": {"image": {"alt": "A line that falls from left to right"}}}
QUESTION = """What is floor(7 / 2)?

<details class="choice"><summary>3</summary>

Right: 3.5 is rounded down.
</details>
<details class="choice"><summary>4</summary>

That is the ceiling, not the floor.
</details>
"""
NUMBER = """How large is 3 + 4?

<details class="numeric" data-answer="7" data-unit="apples"
  data-hint-12="You multiplied." data-hint-below="Count again."
  ><summary>Answer</summary>

7: three and four more, by counting.
</details>
"""
SOLUTION = {
    "cellView": "form",
    "jupyter": {"outputs_hidden": True, "source_hidden": True},
    "tags": ["hide-cell", "solution"],
    "mystnb": {
        "code_prompt_show": "Solution 2.1",
        "code_prompt_hide": "Solution 2.1",
    },
}
FACT = {"tags": ["nbval-check-output"]}


def code(source, metadata=None, **output):
    """Return a code cell that printed `text`, or showed `data`."""
    kind = "stream" if "text" in output else "display_data"
    outputs = [v4.new_output(kind, **output)] if output else []
    return v4.new_code_cell(source, metadata=metadata or {}, outputs=outputs)


def good_chapter():
    """Return the smallest chapter that keeps every rule."""
    exercises = "\n\n".join(f"**Exercise 2.{n}** Why?" for n in range(1, 7))
    text_solutions = "\n\n".join(
        f"<details><summary>Solution 2.{n}</summary>\n\nSo.\n\n</details>"
        for n in range(2, 7)
    )
    cells = [
        v4.new_markdown_cell(
            "# AlexNet\n\nThe error fell to 15.3 % in "
            "[the paper](https://example.org)."
        ),
        code(rules.SETUP_CELL, rules.SETUP_METADATA),
        *[code(f"print({n})", FACT, text=f"{n}\n") for n in range(10)],
        code("plt.show()", ALT, data=PNG),
        v4.new_markdown_cell(f"## Exercises\n\n{exercises}"),
        code("# @title Solution 2.1\nprint(1)", SOLUTION, text="1\n"),
        v4.new_markdown_cell(text_solutions),
        v4.new_markdown_cell("## Quiz\n\n" + QUESTION * 5 + NUMBER),
        v4.new_markdown_cell("## Sources\n\n[Paper](https://example.org)"),
    ]
    notebook = v4.new_notebook(cells=cells)
    # Through JSON, so that cells made from one dict do not share it.
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    notebook.metadata.kernelspec = rules.KERNEL
    notebook.metadata.language_info = rules.LANGUAGE
    code_cells = [c for c in notebook.cells if c.cell_type == "code"]
    for count, cell in enumerate(code_cells, 1):
        cell.execution_count = count
    return stamp(notebook)


def stamp(notebook, scale="laptop"):
    """Say that the notebook was executed as it stands."""
    notebook.metadata.book = nbformat.from_dict(
        {"code_hash": rules.code_hash(notebook), "scale": scale}
    )
    return notebook


TITLE, SETUP, FIRST_FACT, FIGURE, EXERCISES, SOLVED, TEXTS, QUIZ, LAST = (
    *range(3),
    *range(12, 18),
)


def test_good_chapter_has_no_problems():
    assert rules.problems(good_chapter()) == []


# What a hurried author might write, and what the rules must answer.
SOURCES = [
    (TITLE, "No title", "begins with `# Title`"),
    (TITLE, "# A\n\n# B", "exactly one heading of level 1"),
    (TITLE, "# A\n\n### B", "jumps from level 1 to 3"),
    (TITLE, "# A\n\nAccuracy is 91 %.", "typed by hand"),
    (TITLE, "# A\n\nIt is 91.2% now.", "typed by hand"),
    (TITLE, "# A\n\n| net | accuracy |\n|-|-|\n| A | 9.1 % |", "typed by"),
    (TITLE, "# A\n\nIt takes 2 PFLOPs.", "'2 PFLOPs' is typed by hand"),
    (TITLE, "# A\n\n| net | cost |\n|-|-|\n| A | 0.3 PFLOPs |", "typed by"),
    (TITLE, "# A\n\nIt takes **0.29** PFLOPs.", "typed by hand"),
    (TITLE, "# A\n\nA 3-PFLOP run.", "'3-PFLOP' is typed by hand"),
    (TITLE, "# A\n\nAt most 1 PFLOP, so 0.3 PFLOPs.", "'0.3 PFLOPs' is"),
    (TITLE, "# A\n\n![x](x.png)", "image file"),
    (TITLE, "# A\n\nSee {cite:p}`x`.", "MyST role"),
    (TITLE, "# A\n\n```{note}\nx\n```", "MyST directive"),
    (TITLE, "# A\n\n:::\nx\n:::", "MyST fence"),
    (TITLE, "(sec)=\n\n# A", "MyST label"),
    (TITLE, "# A\n\n$$\nx\n$$ (eq)", "MyST equation label"),
    (TITLE, "# A\n\n% remark", "MyST comment"),
    (TITLE, "# A\n\nLook in /home/me/x.", "local path"),
    (SETUP, rules.SETUP_CELL + "\n# more", "tools/setup_cell.py"),
    (FIRST_FACT, "!ls", "not plain Python"),
    (FIRST_FACT, "%time 1", "not plain Python"),
    (FIRST_FACT, "get_ipython().system('ls')", "hides failures"),
    (FIRST_FACT, "open('/home/me/x')", "path of this machine"),
    (FIRST_FACT, "plt.plot(x);", "ends with `;`"),
    (FIRST_FACT, "plt.plot(x);  # why", "ends with `;`"),
    (FIRST_FACT, "x = 1" + " " * 75, "80 characters"),
    (FIRST_FACT, "", "is empty"),
    (FIRST_FACT, "# NBVAL_SKIP\nx = 1", "do not hide a cell"),
    (FIRST_FACT, "print('edited')", "edited after it was executed"),
    (EXERCISES, "**Exercise 2.1** Why?", "1 exercises; 6 are needed"),
    (EXERCISES, "**Exercise 2.1** A\n\n**Exercise 2.1** B", "stands twice"),
    (TEXTS, "None", "Exercise 2.2 has no solution"),
    (EXERCISES, "None", "Solution 2.6 has no exercise"),
    (SOLVED, "print(1)", "begins with `# @title Solution 2.1`"),
    (QUIZ, "## Quiz\n\n" + QUESTION * 4, "4 quiz questions"),
    (QUIZ, QUESTION.replace("Right", "Yes") * 5, "0 of them right"),
    (QUIZ, QUESTION.replace("That", "Right") * 5, "2 of them right"),
    (QUIZ, QUESTION.replace("?", ".") * 5, "does not ask"),
    (
        QUIZ,
        QUESTION.replace("That is the ceiling, not the floor.", "No.") * 5,
        "not explained",
    ),
    (LAST, "## Sources\n\nNone", "no section `## Sources` with links"),
]


# A part of NUMBER, what stands there instead, and what the rule answers.
NUMBERS = [
    ("How large is 3 + 4?", "Say 3 + 4.", "the paragraph above does not ask"),
    ('"7"', '"seven"', "data-answer is no number"),
    (' data-answer="7"', "", "data-answer is no number"),
    ('"7"', '"17"', "17 is printed by no cell tagged"),
    ('"7"', '"8"', "the explanation does not begin with 8"),
    ("7: three and four more, by counting.", "7.", "7 is not explained"),
    ("data-unit", "data-units", "no attribute data-units"),
    ("data-unit", "unit", "all attributes with data- and in double quotes"),
    ('"apples"', "apples", "all attributes with data- and in double quotes"),
    ("data-unit", 'data-tolerance="1/2" data-unit', "neither 0.01 nor 1%"),
    ("hint-12", "hint-7", "data-hint-7 is for the right answer"),
    ("hint-12", "hint-twelve", "data-hint-twelve is neither a wrong number"),
    ("You multiplied.", "", "data-hint-12 says nothing"),
    (
        'data-unit="apples"\n  data-hint-12',
        'data-tolerance="50%"\n  data-hint-10',
        "data-hint-10 is for the right answer",
    ),
]


@pytest.mark.parametrize(("part", "instead", "answer"), NUMBERS)
def test_bad_number_is_found(part, instead, answer):
    assert NUMBER.count(part) == 1
    notebook = good_chapter()
    quiz = notebook.cells[QUIZ]
    quiz.source = quiz.source.replace(NUMBER, NUMBER.replace(part, instead))
    assert answer in "\n".join(rules.problems(notebook))


@pytest.mark.parametrize(
    "attributes",
    [
        'data-answer="7"',
        'data-answer="6.9" data-tolerance="0.1"',
        'data-answer="6.9" data-tolerance="2%" data-hint-7.1="Too large."',
        'data-answer="7" data-hint-magnitude="How many zeros?"',
    ],
)
def test_good_number_passes(attributes):
    notebook = good_chapter()
    quiz = notebook.cells[QUIZ]
    quiz.source = quiz.source.replace('data-answer="7"', attributes)
    assert rules.problems(notebook) == []


@pytest.mark.parametrize(("cell", "source", "answer"), SOURCES)
def test_bad_source_is_found(cell, source, answer):
    notebook = good_chapter()
    notebook.cells[cell].source = source
    assert answer in "\n".join(rules.problems(notebook))


METADATA = [
    (SETUP, {}, "(set-up) needs the metadata"),
    (SETUP, {**rules.SETUP_METADATA, "jupyter": {}}, "needs the metadata"),
    (FIRST_FACT, {}, "9 cells are tagged"),
    (FIRST_FACT, {"tags": ["nbval-skip"]}, "do not hide a cell"),
    (FIRST_FACT, {"tags": ["raises-exception"]}, "raised nothing"),
    (
        FIRST_FACT,
        {"execution": {"iopub.execute_input": "2026-01-01T10:00:00Z"}},
        "time stamp",
    ),
    (FIGURE, {}, "mystnb.image.alt"),
    (FIGURE, {"mystnb": {"image": {"alt": "a chart"}}}, "20 characters"),
    (SOLVED, {"tags": ["solution"]}, "a solution begins with"),
    (
        SOLVED,
        {**SOLUTION, "jupyter": {"source_hidden": True}},
        "jupyter {'outputs_hidden': True",
    ),
]


@pytest.mark.parametrize(("cell", "metadata", "answer"), METADATA)
def test_bad_metadata_is_found(cell, metadata, answer):
    notebook = good_chapter()
    notebook.cells[cell].metadata = nbformat.from_dict(metadata)
    assert answer in "\n".join(rules.problems(notebook))


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


OUTPUTS = [
    (FIRST_FACT, [], "printed nothing"),
    (FIRST_FACT, [stream("<object at 0x7f00aa11>")], "an address or a date"),
    (FIRST_FACT, [stream("oops", "stderr")], "stderr is stored"),
    (FIRST_FACT, [stream("saved to /home/me/x")], "local path"),
    (FIRST_FACT, [stream(f"in {rules.ROOT}")], "local path"),
    (FIRST_FACT, [v4.new_output("error", ename="E")], "an error is stored"),
    (
        FIGURE,
        [v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})],
        "image/svg+xml; figures are PNG",
    ),
    (FIGURE, [v4.new_output("display_data", data=PNG)] * 2, "one alt text"),
]


@pytest.mark.parametrize(("cell", "outputs", "answer"), OUTPUTS)
def test_bad_output_is_found(cell, outputs, answer):
    notebook = good_chapter()
    notebook.cells[cell].outputs = outputs
    assert answer in "\n".join(rules.problems(notebook))


CHART = {"mystnb": {"image": {**ALT["mystnb"]["image"], "classes": "chart"}}}
DATA = ChartData({"epoch": "d", "loss": ".2f"}, [(1, 0.5)])


def shown(value):
    """Return the output of a value, as a notebook keeps it."""
    data = {"text/plain": repr(value)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_()
    return v4.new_output("display_data", data=data)


@pytest.mark.parametrize(
    "output",
    [stream("0.5"), shown(0.5), shown(Table({"loss": ".1f"}, [[0.5]]))],
    ids=["printed", "value", "table"],
)
def test_a_log_that_is_shown_is_a_fact(output):
    notebook = good_chapter()
    cell = notebook.cells[FIRST_FACT]
    cell.source, cell.outputs = "recorded('09_net', 'a')", [output]
    assert "read from a log" not in "\n".join(rules.problems(notebook))
    cell.metadata = nbformat.from_dict({})
    assert "read from a log" in "\n".join(rules.problems(notebook))


def test_a_log_that_is_read_by_the_chapters_own_function_is_a_fact():
    notebook = good_chapter()
    cell = notebook.cells[FIRST_FACT]
    cell.source = (
        "def logs():\n    return recorded('09_net', 'a')\n"
        "def means():\n    return [log for log in logs()]\nmeans()"
    )
    assert "read from a log" not in "\n".join(rules.problems(notebook))
    cell.metadata = nbformat.from_dict({})
    assert "read from a log" in "\n".join(rules.problems(notebook))
    cell.source = cell.source.replace("recorded(", "invented(")
    assert "read from a log" not in "\n".join(rules.problems(notebook))


def test_a_chart_of_a_log_is_a_fact_since_it_carries_its_data():
    notebook = good_chapter()
    cell = notebook.cells[FIGURE]
    cell.source = "plt.plot(recorded('09_net', 'a'))"
    cell.outputs.append(shown(DATA))
    cell.metadata = nbformat.from_dict(CHART)
    assert "read from a log" in "\n".join(rules.problems(stamp(notebook)))
    cell.metadata = nbformat.from_dict(CHART | FACT)
    assert rules.problems(stamp(notebook)) == []


def test_a_chart_carries_its_data():
    notebook = good_chapter()
    cell = notebook.cells[FIGURE]
    cell.metadata = nbformat.from_dict(CHART)
    assert "a chart without its numbers" in "\n".join(rules.problems(notebook))
    cell.outputs.append(shown(Table(DATA.head, DATA.rows)))
    assert "end the cell with ChartData" in "\n".join(rules.problems(notebook))
    cell.outputs[-1] = shown(DATA)
    assert rules.problems(notebook) == []


def test_a_fold_has_a_name():
    notebook = good_chapter()
    cell = notebook.cells[SOLVED]
    cell.metadata.mystnb.code_prompt_hide = "Hide code cell content"
    found = rules.problems(stamp(notebook))
    assert 'set mystnb code_prompt_hide to "Solution 2.1"' in "".join(found)
    assert len(found) == 1
    folded = notebook.cells[FIRST_FACT]
    folded.metadata.tags.append("hide-input")
    assert 'to "Show the code"' in "\n".join(rules.problems(notebook))


def test_a_log_that_is_only_drawn_is_no_fact():
    notebook = good_chapter()
    notebook.cells[FIGURE].source = "plt.plot(recorded('09_net', 'a'))"
    assert rules.problems(stamp(notebook)) == []


def test_bad_notebook_is_found():
    notebook = good_chapter()
    notebook.cells[3].execution_count = None
    notebook.metadata.kernelspec = {"name": "conda-env"}
    notebook.metadata.language_info = {"name": "R"}
    stamp(notebook, scale="smoke")
    found = "\n".join(rules.problems(notebook))
    assert "execution count None" in found
    assert "kernelspec.name is 'conda-env', not 'python3'" in found
    assert "language_info.name is 'R', not 'python'" in found
    assert found.count("`git checkout chapters`") == 2
    assert "executed at scale 'smoke'" in found


def test_a_chapter_may_be_looked_at_in_jupyterlab():
    """What JupyterLab 4.6 writes when it opens and saves a notebook."""
    notebook = good_chapter()
    notebook.metadata.kernelspec.display_name = "Python 3 (ipykernel)"
    notebook.metadata.language_info |= {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "nbconvert_exporter": "python",
        "version": "3.13.5",
    }
    notebook.cells[SOLVED].metadata["collapsed"] = True
    assert rules.problems(notebook) == []


@pytest.mark.parametrize(
    "prose",
    [
        "It reaches at least 88 % accuracy.",
        "The error was 15.3 % ([Krizhevsky](https://example.org), page 2).",
        "The first dense layer holds 62 % of all parameters.",
        "It takes at most 1 PFLOP. Others took more than **2 PFLOPs**.",
        "They spent 32 PFLOPs ([Jordan](https://example.org), table 1).",
        "A PFLOP is 10¹⁵ operations.",
        "The role `{x}` is code, so is $\\frac{a}{b}$.",
    ],
)
def test_good_prose_passes(prose):
    notebook = good_chapter()
    notebook.cells[TITLE].source = f"# AlexNet\n\n{prose}"
    assert rules.problems(notebook) == []


def test_stamp_ignores_prose_and_setup():
    notebook = good_chapter()
    before = rules.code_hash(notebook)
    notebook.cells[TITLE].source += " More."
    notebook.cells[SETUP].source += "\n# another URL"
    assert rules.code_hash(notebook) == before
    notebook.cells[FIRST_FACT].source += " "
    assert rules.code_hash(notebook) != before


def test_file_rules(tmp_path):
    notebook = good_chapter()
    notebook.cells[TITLE].source = (
        "# AlexNet\n\n[a](02_net.ipynb#Sources) [b](#The-run,-once?) "
        "[c](https://example.org) $$x \\tag{2.1}$$\n\n"
        "## The `run`, once?\n\n## Why 3 × 3?"
    )
    notebook.cells[SETUP].source = rules.setup_cell("02_net")
    path = tmp_path / "02_net.ipynb"
    nbformat.write(notebook, path)
    assert [p for rule in rules.FILE_RULES for p in rule(path)] == []

    notebook.cells[TITLE].source = (
        "# AlexNet\n\n[a](03_vgg.ipynb) [b](02_net.ipynb#nowhere) "
        "[c](#quiz) [d](#Why-3-×-3?) $$x \\tag{1.1}$$"
    )
    notebook.cells[LAST].source += "x" * rules.FILE_SIZE
    nbformat.write(notebook, path)
    problems = "\n".join(p for rule in rules.FILE_RULES for p in rule(path))
    assert "03_vgg.ipynb leads to no file" in problems
    assert "02_net.ipynb#nowhere leads to no heading" in problems
    assert "#quiz leads to no heading; write it as #The-run" in problems
    assert "#Why-3-×-3? leads nowhere in JupyterLab" in problems
    assert "in chapter 2" in problems
    assert "920,000 are allowed" in problems


def test_a_set_up_cell_of_another_chapter_is_found(tmp_path):
    notebook = good_chapter()
    path = tmp_path / "02_net.ipynb"
    for name, found in [("02_net", 0), ("03_vgg", 1), ("NN_chapter", 1)]:
        notebook.cells[SETUP].source = rules.setup_cell(name)
        assert rules.begins_with_setup(notebook) == []
        nbformat.write(notebook, path)
        assert len(rules.names_itself(path)) == found


@pytest.mark.parametrize(
    ("code", "wants"),
    [
        ("n = scale(smoke=1, laptop=2, full=3)", True),
        ("n = scale(smoke=1, laptop=2, full=2)", False),
        ("n = scale(smoke=1, laptop=(2, None), full=(2,  None))", False),
        ("n = other(smoke=1, laptop=2, full=3)", False),
    ],
)
def test_a_gpu_is_for_chapters_that_do_more_with_one(code, wants):
    notebook = good_chapter()
    notebook.cells[FIRST_FACT].source = code
    for runtime in (False, True):
        notebook.metadata.update(rules.RUNTIME if runtime else {})
        problems = rules.opens_on_the_right_machine(notebook)
        assert len(problems) == (runtime != wants)
    notebook.metadata.accelerator = "TPU"
    assert rules.opens_on_the_right_machine(notebook)


def test_set_up_and_runtime_are_written_into_a_chapter(tmp_path):
    notebook = good_chapter()
    notebook.cells[SETUP].source = "# @title Set-up of an earlier day"
    notebook.cells[FIRST_FACT].source = "scale(smoke=1, laptop=2, full=3)"
    path = tmp_path / "02_net.ipynb"
    nbformat.write(stamp(notebook), path)
    assert write_setup.write(path)
    assert not write_setup.write(path)
    notebook = nbformat.read(path, as_version=4)
    assert rules.problems(notebook) + rules.names_itself(path) == []
    notebook.cells[FIRST_FACT].source = "print(0)"
    nbformat.write(notebook, path)
    assert write_setup.write(path)
    assert "accelerator" not in nbformat.read(path, 4).metadata


def test_invalid_file_is_found(tmp_path):
    notebook = good_chapter()
    path = tmp_path / "02_net.ipynb"
    notebook.cells[4].id = notebook.cells[5].id
    path.write_text(json.dumps(notebook), "utf-8")
    assert "stands twice" in rules.is_valid(path)[0]

    notebook.cells[4].id = "another"
    notebook.cells[4].surprise = True
    path.write_text(json.dumps(notebook), "utf-8")
    assert "surprise" in rules.is_valid(path)[0]
