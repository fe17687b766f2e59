"""tools/execute.py stores a chapter whole and stamped, or not at all."""

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat import v4
from PIL import Image

from tools import chapter_rules, execute, times


@pytest.fixture(autouse=True)
def as_on_a_laptop(monkeypatch):
    monkeypatch.setattr(times, "SIDE", 64)
    monkeypatch.setenv("BOOK_SCALE", "laptop")
    for name in times.EMULATION:  # the tests may be run under one
        monkeypatch.delenv(name, raising=False)


def chapter(folder, *sources):
    """Write a notebook that was never executed."""
    path = folder / "01_test.ipynb"
    cells = [v4.new_code_cell(source) for source in sources]
    notebook = v4.new_notebook(cells=cells)
    nbformat.write(notebook, path)
    return path


def without_times(path):
    """The file as it is, less what the clock said."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.book.pop("times", None)
    for cell in notebook.cells:
        cell.source = times.BLOCK.sub("", cell.source)
    return nbformat.writes(notebook)


def test_chapter_is_executed_and_stamped(tmp_path, capsys):
    path = chapter(
        tmp_path,
        "from pathlib import Path\nfrom tqdm import trange",
        "for step in trange(3):\n    pass",
        "print(Path.cwd().name)",
    )
    assert execute.main([str(path)]) == 0
    printed = capsys.readouterr().out
    assert "01_test.ipynb" in printed
    assert "s at laptop" in printed

    notebook = nbformat.read(path, as_version=4)
    imports, progress, folder = notebook.cells
    assert imports.outputs == progress.outputs == []
    assert folder.outputs[0].text == f"{tmp_path.name}\n"
    for rule in (
        chapter_rules.has_stable_metadata,
        chapter_rules.has_current_stamp,
        chapter_rules.was_run_in_order,
    ):
        assert rule(notebook) == []

    first = without_times(path)
    assert execute.main(["--check", str(path)]) == 0
    assert execute.main([str(path)]) == 0
    assert without_times(path) == first, "executing twice gave two files"

    notebook.cells[2].source += "  # edited"
    nbformat.write(notebook, path)
    assert execute.main(["--check", str(path)]) == 1
    assert "`make execute`" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('beware')", "stderr is stored"),
        ("print('/home/me/data')", "local path '/home/"),
    ],
)
def test_unfit_chapter_is_not_written(tmp_path, capsys, source, reason):
    path = chapter(tmp_path, "x = 1", source)
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    message = capsys.readouterr().err
    assert reason in message
    assert source.split("\n")[0][:20] in message, "the cell is not named"
    assert "Not written" in message
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def place_for_times(path):
    notebook = nbformat.read(path, as_version=4)
    place = v4.new_markdown_cell(f"# 1. A\n\n{times.BEGIN}\n{times.END}")
    notebook.cells.insert(0, place)
    nbformat.write(notebook, path)


def test_times_are_stored_and_another_kind_is_measured_alone(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(execute, "kind_of_machine", lambda: "AVX2")
    path = chapter(tmp_path, "import os", "print(os.getpid())")
    place_for_times(path)
    assert execute.main([str(path)]) == 0
    first = nbformat.read(path, as_version=4)
    assert list(first.metadata.book.times) == ["AVX2"]
    seconds = first.metadata.book.times.AVX2.seconds
    assert list(seconds) == sorted(c.id for c in first.cells[1:])
    assert all(0 <= spent < 600 for spent in seconds.values())
    assert times.has_measured_times(first) == []

    before = without_times(path)
    monkeypatch.setattr(execute, "kind_of_machine", lambda: "bfloat16")
    assert execute.main(["--times", str(path)]) == 0
    assert without_times(path) == before, "more than times was stored"
    second = nbformat.read(path, as_version=4)
    assert sorted(second.metadata.book.times) == ["AVX2", "bfloat16"]
    assert second.metadata.book.times.AVX2 == first.metadata.book.times.AVX2
    assert times.has_measured_times(second) == []

    # An emulated machine stores nothing but times, without being told so.
    monkeypatch.setattr(times, "is_emulated", lambda: True)
    monkeypatch.setattr(times, "matrix_product", lambda device: 50)
    assert execute.main([str(path)]) == 1
    assert "wait for its end" in capsys.readouterr().err
    monkeypatch.setattr(times, "matrix_product", lambda device: 150)
    assert execute.main([str(path)]) == 0
    assert without_times(path) == before, "more than times was stored"
    assert nbformat.read(path, 4).metadata.book.times.bfloat16.factor == 1.5

    # Of a processor without a column outputs are stored, and times are not.
    monkeypatch.setattr(times, "is_emulated", lambda: False)
    monkeypatch.setattr(execute, "kind_of_machine", lambda: None)
    second.cells[2].source = "print(0)"
    nbformat.write(second, path)
    with pytest.raises(SystemExit, match="no column in the tables of times"):
        execute.main(["--times", str(path)])
    assert execute.main([str(path)]) == 0
    third = nbformat.read(path, as_version=4)
    assert third.cells[2].outputs[0].text == "0\n"
    assert third.metadata.book.times == second.metadata.book.times
    assert third.cells[0].source.count("of an earlier version") == 2

    # Times of code that the outputs do not belong to are refused.
    monkeypatch.setattr(execute, "kind_of_machine", lambda: "bfloat16")
    third.cells[2].source = "print(1)"
    nbformat.write(third, path)
    before = path.read_bytes()
    assert execute.main(["--times", str(path)]) == 1
    assert "the code was edited" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_half_an_emulation_executes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    path = chapter(tmp_path, "x = 1")
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="`make execute AVX2=1`"):
        execute.main([str(path)])
    assert path.read_bytes() == before


@pytest.mark.parametrize("option", [[], ["--check"], ["--times"]])
def test_a_chapter_that_cannot_be_read_does_not_stop_the_others(
    tmp_path, monkeypatch, capsys, option
):
    monkeypatch.setattr(execute, "kind_of_machine", lambda: "AVX2")
    executed = []

    def noted(notebook, folder):
        executed.append(folder)
        return {}

    monkeypatch.setattr(execute, "_run", noted)
    monkeypatch.chdir(tmp_path)
    good = chapter(tmp_path, "x = 1")
    assert execute.main([str(good)]) == 0
    executed.clear()
    known = [path.name for path in execute.known_chapters()]
    (tmp_path / "folder.ipynb").mkdir()
    broken = {
        "chapters/05_missing.ipynb": "There is no chapters/05_missing.ipynb; "
        f"the chapters are {', '.join(known)}",
        "02_alexnet": "There is no 02_alexnet; the chapters are 01_",
        "folder.ipynb": "folder.ipynb cannot be read as a notebook",
        "empty.ipynb": "",
        "cut_off.ipynb": '{"cells": [',
        "no_notebook.ipynb": '{"a": 1}',
        "a_list.ipynb": "[]",
        "binary.ipynb": b"\x89PNG\xff",
    }
    for name, content in list(broken.items())[3:]:
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(content)
        broken[name] = f"{name} cannot be read as a notebook"
    assert execute.main([*option, *broken, str(good)]) == 1
    printed = capsys.readouterr()
    for sentence in broken.values():
        assert sentence in printed.err
    assert good.name in printed.out
    assert len(executed) == (option != ["--check"])


def test_a_chart_is_packed_with_a_palette_that_no_eye_sees():
    plt.switch_backend("agg")
    figure, axis = plt.subplots(figsize=(4, 3), dpi=110)
    axis.plot([0, 3, 1, 2], color="#D55E00", label="a curve")
    axis.plot([2, 1, 3, 0], color="#0072B2", marker="o")
    axis.legend()
    file = io.BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    stored = base64.b64encode(file.getvalue()).decode()
    output = v4.new_output("display_data", {"image/png": stored})
    metadata = {"mystnb": {"image": {"classes": "chart"}}}
    cell = v4.new_code_cell("", metadata=metadata, outputs=[output])
    execute.pack_pictures(v4.new_notebook(cells=[cell]))
    packed = output.data["image/png"]
    assert len(packed) < len(stored) / 2
    before, after = (
        np.array(Image.open(io.BytesIO(base64.b64decode(p))).convert("RGB"))
        for p in (stored, packed)
    )
    assert before.shape == after.shape
    assert np.abs(before.astype(int) - after).mean() < 1


def test_pictures_are_packed_without_changing_a_pixel():
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 4), "uint8")
    noise[..., 3] = 255
    see_through = noise.copy()
    see_through[0, 0, 3] = 0
    cells = []
    for pixels in (noise, see_through):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)
        data = {"image/png": base64.b64encode(file.getvalue()).decode()}
        output = v4.new_output("display_data", data)
        cells.append(v4.new_code_cell("", outputs=[output]))
    notebook = v4.new_notebook(cells=cells)
    before = [len(c.outputs[0].data["image/png"]) for c in cells]
    execute.pack_pictures(notebook)
    after = [c.outputs[0].data["image/png"] for c in notebook.cells]
    assert len(after[0]) < 0.9 * before[0]
    assert len(after[1]) <= before[1]
    pictures = [Image.open(io.BytesIO(base64.b64decode(a))) for a in after]
    assert [picture.mode for picture in pictures] == ["RGB", "RGBA"]
    for picture, pixels in zip(pictures, (noise, see_through), strict=True):
        assert np.array_equal(np.array(picture.convert("RGBA")), pixels)
