"""The table of times at a chapter's head is what was measured.

No test looks at the clock: the first compares tables and metadata, the others
prove that it can fail and that the table says what it must.
"""

from pathlib import Path

import nbformat
import pytest
import torch
from nbformat import v4

from tools import times
from utils import machine

ROOT = Path(__file__).parent.parent
LISTED = (ROOT / "_toc.yml").read_text("utf-8")
# One that is not written yet has no table of times.
CHAPTERS = [
    path
    for path in sorted((ROOT / "chapters").glob("*.ipynb"))
    if f"chapters/{path.stem}" in LISTED
]
HEADER = (
    "| time | most laptops (AVX2) | newer ones (bfloat16) | a free Colab GPU |"
)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_chapter_says_what_was_measured(path):
    notebook = nbformat.read(path, as_version=4)
    problems = times.has_measured_times(notebook)
    assert not problems, "\n".join(problems)


MINUTES = {"AVX2": 8, "bfloat16": 4}  # of a chapter, promised in README
LONGEST = 2  # minutes of a cell


def too_long(notebook) -> list[str]:
    """Where the stored times break the promise."""
    found = []
    for kind, minutes in MINUTES.items():
        about = notebook.metadata.book.get("times", {}).get(kind)
        if not about:
            continue
        spent = {
            name: seconds * about["factor"] / 60
            for name, seconds in about["seconds"].items()
        }
        if sum(spent.values()) > minutes:
            found.append(f"{kind}: {sum(spent.values()):.1f} minutes")
        found += [
            f"{kind}: {name} takes {spent[name]:.1f} minutes"
            for name in spent
            if spent[name] > LONGEST
        ]
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_chapter_takes_no_longer_than_promised(path):
    assert not too_long(nbformat.read(path, as_version=4))


def test_a_chapter_and_a_cell_that_take_too_long_are_found():
    notebook = chapter()
    assert too_long(notebook) == []
    times.store(notebook, "bfloat16", column(), SECONDS)
    assert too_long(notebook) == [
        "bfloat16: 5.9 minutes",
        "bfloat16: train takes 4.1 minutes",
    ]
    times.store(notebook, "bfloat16", column(), {"train": 119.0})
    times.store(notebook, "AVX2", EMULATED, {"train": 119.0})
    assert too_long(notebook) == ["AVX2: train takes 3.0 minutes"]


def column(**changes):
    about = {
        "device": "Intel Core",
        "threads": 2,
        "date": "2026-07-14",
        "torch": "2.15.0",
        "scale": "laptop",
        "gflops": 100.0,
        "emulated": False,
        "factor": 1.0,
    }
    return about | changes


EMULATED = column(date="2026-07-15", gflops=150.0, emulated=True, factor=1.5)


def code(name, source="pass"):
    cell = v4.new_code_cell(source)
    cell["id"] = name
    return cell


def chapter(**book):
    """A chapter that was executed, with an empty place for the table."""
    cells = [
        v4.new_markdown_cell("# 9. A chapter"),
        code("setup"),
        v4.new_markdown_cell(
            f"A promise.\n\n{times.BEGIN}\n{times.END}\n\nYou need: Python."
        ),
        code("imports"),
        v4.new_markdown_cell("## The run\n\nIt trains."),
        code("quick"),
        code("train"),
        v4.new_markdown_cell("### What about `a|b`?"),
        code("ablation"),
        v4.new_markdown_cell("## Exercises"),
        code("solved", "# @title Solution 9.12\npass"),
    ]
    metadata = {"book": {"code_hash": "now", "scale": "laptop", **book}}
    return v4.new_notebook(cells=cells, metadata=nbformat.from_dict(metadata))


SECONDS = {
    "setup": 0.04,
    "imports": 4.0,
    "quick": 12.0,
    "train": 248.3,
    "ablation": 61.0,
    "solved": 30.2,
}


def rows(notebook):
    times.write_table(notebook)
    assert times.has_measured_times(notebook) == []
    head = notebook.cells[2].source
    assert head.startswith("A promise.\n\n<!-- times -->\n\n| time |")
    assert head.endswith("|\n\n<!-- /times -->\n\nYou need: Python.")
    return times.BLOCK.search(head)[1].strip().split("\n")


def test_the_table_names_the_chapter_and_its_longest_cells():
    notebook = chapter()
    times.store(notebook, "AVX2", column(), SECONDS)
    assert rows(notebook) == [
        HEADER,
        "|---|---|---|---|",
        "| the whole chapter, default scale "
        "| 6 minutes | not measured | not measured |",
        "| The run | 4½ minutes | – | – |",
        "| What about `a\\|b`? | 1½ minutes | – | – |",
        "| Solution 9.12 | 40 s | – | – |",
        "| measured | 2026-07-14, 2 threads | – | – |",
    ]
    stored = notebook.metadata.book.times.AVX2
    assert stored.code_hash == "now"
    assert stored.seconds.setup == 0.0 and stored.seconds.train == 248.3


def test_another_kind_stays_with_its_date_until_it_is_measured_again():
    notebook = chapter(gpu_minutes=8)
    times.store(notebook, "AVX2", EMULATED, SECONDS)
    notebook.metadata.book.code_hash = "later"
    notebook.cells[5]["id"] = "new"
    slower = SECONDS | {"train": 20.0, "new": 70.0}
    del slower["quick"]
    times.store(notebook, "bfloat16", column(threads=1), slower)
    assert rows(notebook) == [
        HEADER,
        "|---|---|---|---|",
        "| the whole chapter, default scale "
        "| 9 minutes | 3½ minutes | about 8 minutes, estimated |",
        "| The run, cell 1 | – | 1½ minutes | – |",
        "| The run, cell 2 | 6½ minutes | 20 s | – |",
        "| What about `a\\|b`? | 2 minutes | 1½ minutes | – |",
        "| Solution 9.12 | 50 s | 40 s | – |",
        "| measured | 2026-07-15, 2 threads, scaled from a faster machine, "
        "of an earlier version | 2026-07-14, 1 thread | – |",
    ]
    times.store(notebook, "AVX2", column(), slower)
    assert rows(notebook)[-1] == (
        "| measured | 2026-07-14, 2 threads | 2026-07-14, 1 thread | – |"
    )


def test_no_more_than_four_cells_have_a_row():
    notebook = chapter()
    times.store(notebook, "AVX2", column(), dict.fromkeys(SECONDS, 31))
    assert len(rows(notebook)) == 4 + times.ROWS
    times.store(notebook, "AVX2", column(), dict.fromkeys(SECONDS, 30))
    assert len(rows(notebook)) == 4


@pytest.mark.parametrize(
    ("device", "head", "whole"),
    [
        ("Tesla T4", "a free Colab GPU", "6 minutes"),
        (
            "NVIDIA H100",
            "a GPU",
            "6 minutes; about 7½ minutes, estimated, on a free Colab GPU",
        ),
    ],
)
def test_a_gpu_is_named(device, head, whole):
    notebook = chapter(gpu_minutes=7.5)
    about = column(device=device, scale="full")
    del about["threads"]
    times.store(notebook, "GPU", about, SECONDS)
    table = rows(notebook)
    assert table[0].endswith(f"| {head} |")
    assert table[2].endswith(f"| {whole} |")
    assert table[-1].endswith(f"| 2026-07-14, {device} |")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "10 s"),
        (10.04, "10 s"),
        (10.1, "20 s"),
        (50, "50 s"),
        (50.1, "1 minute"),
        (60, "1 minute"),
        (60.1, "1½ minutes"),
        (120, "2 minutes"),
        (361, "6½ minutes"),
        (3600, "60 minutes"),
    ],
)
def test_durations_are_rounded_up(seconds, words):
    assert machine.duration(seconds) == words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.metadata.book.pop("times"), "never measured"),
        (lambda n: n.metadata.pop("book"), "never measured"),
        (
            lambda n: n.metadata.book.times.AVX2.seconds.update(train=400),
            "is not what was measured, which is\n| time",
        ),
        (
            lambda n: n.metadata.book.times.AVX2.update(date="2026-07-20"),
            "| measured | 2026-07-20",
        ),
        (lambda n: n.metadata.book.update(code_hash="new"), "earlier version"),
        (lambda n: n.metadata.book.update(gpu_minutes=8), "about 8 minutes"),
        (lambda n: edit(n, "4½", "2"), "| 4½ minutes |"),
        (lambda n: edit(n, "The run", "A run"), "| The run | 4½"),
        (lambda n: edit(n, times.BEGIN, ""), "0 tables of times"),
        (lambda n: edit(n, times.END, ""), "0 tables of times"),
        (
            lambda n: n.cells.insert(2, n.cells[2]),
            "2 tables of times among the first 5 cells",
        ),
        (
            lambda n: edit(n, "You need", "| the run | 5 minutes |\n"),
            "typed by hand: '| the run | 5 minutes |'",
        ),
        (lambda n: edit(n, "You need", "It takes half a minute"), "half a"),
        (lambda n: edit(n, "You need", "About 1½ minutes"), "About 1½ min"),
        (lambda n: edit(n, "You need", "An hour or a few minutes"), "An hour"),
        (lambda n: edit(n, "You need", "a five-minute run"), "five-minute"),
        (lambda n: edit(n, "You need", "| LRN | 40 s |"), "| 40 s |"),
    ],
)
def test_a_table_that_was_not_measured_is_found(change, message):
    notebook = chapter()
    times.store(notebook, "AVX2", column(), SECONDS)
    times.write_table(notebook)
    change(notebook)
    assert message in "\n".join(times.has_measured_times(notebook))


def edit(notebook, old, new):
    cell = notebook.cells[2]
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def test_what_is_no_time_of_a_cell_may_be_typed():
    notebook = chapter()
    times.store(notebook, "AVX2", column(), SECONDS)
    times.write_table(notebook)
    edit(
        notebook,
        "You need",
        "At smoke scale it runs in seconds. The recorded runs took an hour "
        "each, on one core. You need",
    )
    assert times.has_measured_times(notebook) == []


# Which machine it is


@pytest.fixture
def processor(monkeypatch):
    """A processor without a GPU, with the abilities that a test names."""

    def make(capability, *able, **environment):
        for name in times.EMULATION:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BOOK_SCALE", "laptop")
        for module in (times, machine):
            monkeypatch.setattr(module, "default_device", lambda: "cpu")
        monkeypatch.setattr(
            machine,
            "fast_precision",
            lambda device: (
                torch.bfloat16
                if capability.startswith("AVX512") and "avx512_bf16" in able
                else torch.float32
            ),
        )
        monkeypatch.setattr(
            torch.backends.cpu, "get_cpu_capability", lambda: capability
        )
        monkeypatch.setattr(
            torch.cpu,
            "get_capabilities",
            lambda: dict.fromkeys(able, True),
            raising=False,
        )
        monkeypatch.setattr(times, "matrix_product", lambda device: 152.34)

    return make


@pytest.mark.parametrize(
    ("capability", "able", "environment", "kind", "emulated"),
    [
        ("AVX2", ["avx2"], {}, "AVX2", False),
        ("AVX512", ["avx2", "avx512_f"], {}, "AVX2", False),
        ("AVX512", ["avx512_f", "avx512_bf16"], {}, "bfloat16", False),
        (
            "AVX2",
            ["avx512_f", "avx512_bf16"],
            times.EMULATION,
            "AVX2",
            True,
        ),
        ("AVX2", ["avx2"], times.EMULATION, "AVX2", False),
        ("DEFAULT", [], {}, None, False),
    ],
)
def test_the_kind_of_a_processor(
    processor, capability, able, environment, kind, emulated
):
    processor(capability, *able, **environment)
    assert machine.kind_of_machine() == kind
    about = times.about_machine()
    assert about["emulated"] == emulated == times.is_emulated()
    assert about["factor"] == (1.523 if emulated else 1)
    assert about["gflops"] == 152.3
    assert about["scale"] == "laptop"
    assert about["threads"] == torch.get_num_threads()
    assert about["torch"] == str(torch.__version__)


def test_a_busy_machine_cannot_be_emulated(processor, monkeypatch):
    processor("AVX2", "avx512_f", **times.EMULATION)
    monkeypatch.setattr(times, "matrix_product", lambda device: 49.6)
    with pytest.raises(ValueError, match="50 GFLOP/s and must reach 100"):
        times.about_machine()
    processor("AVX2", "avx2")
    monkeypatch.setattr(times, "matrix_product", lambda device: 9.9)
    assert times.about_machine()["factor"] == 1


@pytest.mark.parametrize("missing", times.EMULATION)
def test_half_an_emulation_is_refused(processor, missing):
    given = dict(times.EMULATION)
    del given[missing]
    processor("AVX2", "avx512_f", **given)
    with pytest.raises(
        ValueError, match="`make execute AVX2=1` does, or none"
    ):
        times.is_emulated()


def test_only_the_scale_that_a_reader_meets_has_a_column(
    processor, monkeypatch
):
    processor("AVX2", "avx2")
    for scale, kind in [("smoke", None), ("laptop", "AVX2"), ("full", None)]:
        monkeypatch.setenv("BOOK_SCALE", scale)
        assert machine.kind_of_machine() == kind
    monkeypatch.setattr(machine, "default_device", lambda: "cuda")
    for scale, kind in [("smoke", None), ("laptop", None), ("full", "GPU")]:
        monkeypatch.setenv("BOOK_SCALE", scale)
        assert machine.kind_of_machine() == kind


def test_the_speed_is_that_of_a_matrix_product(monkeypatch):
    monkeypatch.setattr(times, "SIDE", 100)
    ticks = [0, 9, 10, 12, 20, 21, 30, 34, 40, 42, 50, 53, 60, 64, 70, 75]
    clock = iter([*ticks, 80, 86])
    monkeypatch.setattr(times.time, "perf_counter", lambda: next(clock))
    # Two million operations, at best in one second.
    assert times.matrix_product("cpu") == pytest.approx(0.002)
