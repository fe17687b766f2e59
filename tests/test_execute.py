"""tools/execute.py stores a chapter whole and stamped, or not at all."""

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat import v4
from PIL import Image

from tools import chapter_rules, execute


def chapter(folder, *sources):
    """Write a notebook that was never executed."""
    path = folder / "01_test.ipynb"
    cells = [v4.new_code_cell(source) for source in sources]
    notebook = v4.new_notebook(cells=cells)
    nbformat.write(notebook, path)
    return path


def test_chapter_is_executed_and_stamped(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BOOK_SCALE", "laptop")
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

    first = path.read_bytes()
    assert execute.main(["--check", str(path)]) == 0
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == first, "executing twice gave two files"

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
