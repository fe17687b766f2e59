"""The data of a chart stand below its caption in a page, in their own cell."""

import json
from types import SimpleNamespace

from nbformat import v4

from _ext.bookext import caption_pictures_alone
from utils.tables import ChartData

PNG = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 1x1>"}
FIGURE = {"mystnb": {"figure": {"caption": "A loss.", "name": "fig-loss"}}}


def output(data: dict):
    return v4.new_output("display_data", data=data)


def read(*cells) -> list[dict]:
    """The cells as MyST-NB gets them."""
    env = SimpleNamespace(doc2path=lambda page: f"{page}.ipynb")
    source = [json.dumps(v4.new_notebook(cells=list(cells)))]
    caption_pictures_alone(SimpleNamespace(env=env), "02_net", source)
    return json.loads(source[0])["cells"]


def test_the_data_of_a_chart_are_not_captioned_as_a_second_figure():
    data = ChartData({"epoch": "d", "loss": ".1f"}, [(1, 0.5)])
    table = output({"text/html": data._repr_html_(), "text/plain": ""})
    said = v4.new_output("stream", name="stdout", text="done")
    cell = v4.new_code_cell(
        "plt.show()", metadata=FIGURE, outputs=[output(PNG), said, table]
    )
    figure, below = read(cell)
    assert figure["outputs"] == [output(PNG), said]
    assert figure["metadata"] == FIGURE and figure["source"] == "plt.show()"
    assert below["outputs"] == [table]
    assert below["source"]  # MyST-NB leaves out cells without any
    assert below["metadata"] == {"tags": ["remove-input"]}
    assert below["id"] != figure["id"]


def test_other_cells_stay_as_they_are():
    words = v4.new_markdown_cell("# A")
    picture = v4.new_code_cell(metadata=FIGURE, outputs=[output(PNG)])
    value = v4.new_code_cell("1", outputs=[output({"text/plain": "1"})])
    assert read(words, picture, value) == [words, picture, value]


def test_a_page_that_is_no_notebook_is_left_alone():
    env = SimpleNamespace(doc2path=lambda page: "index.md")
    source = ["# Title"]
    caption_pictures_alone(SimpleNamespace(env=env), "index", source)
    assert source == ["# Title"]
