"""The kernel lab: its JavaScript against PyTorch, its HTML, its manners."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.figure_checks import (
    find_program,
    outside_references,
    page_with_two,
    selectors,
    stored_figures,
    without_content,
)
from utils.figures import kernel_lab

SCRIPT = Path(__file__).parent / "js" / "convolve.js"


@pytest.fixture(scope="module")
def cases() -> list[dict]:
    """Pictures and kernels of many sizes; some kernels do not fit."""
    torch.manual_seed(5)
    found = []
    for _ in range(400):
        side, kernel = torch.randint(1, 12, (2,)).tolist()
        found.append(
            {
                "picture": torch.rand(side, side, dtype=torch.float64),
                "kernel": torch.randn(kernel, kernel, dtype=torch.float64),
                "stride": torch.randint(1, 5, ()).item(),
                "padding": torch.randint(0, 4, ()).item(),
            }
        )
    return found


@pytest.fixture(scope="module")
def results(cases) -> list[dict]:
    """What the figure's arithmetic makes of them, in node."""
    lists = [
        case
        | {"picture": case["picture"].tolist()}
        | {"kernel": case["kernel"].tolist()}
        for case in cases
    ]
    run = subprocess.run(
        [find_program("node"), str(SCRIPT)],
        input=json.dumps(lists),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def test_output_agrees_with_pytorch(cases, results):
    impossible = 0
    for case, result in zip(cases, results, strict=True):
        picture, kernel = case["picture"], case["kernel"]
        stride, padding = case["stride"], case["padding"]
        if len(kernel) > len(picture) + 2 * padding:
            assert result["output"] == [], case
            impossible += 1
            continue
        want = F.conv2d(
            picture[None, None], kernel[None, None], None, stride, padding
        )
        got = torch.tensor(result["output"], dtype=torch.float64)
        torch.testing.assert_close(got, want[0, 0])
    assert 40 < impossible < 200, "both kinds must be well represented"


def test_every_window_shows_the_pixels_that_it_adds_up(cases, results):
    """`F.unfold` lists the same windows, with zeros for the padding."""
    for case, result in zip(cases, results, strict=True):
        if not result["output"]:
            continue
        kernel = case["kernel"]
        windows = F.unfold(
            case["picture"][None, None],
            kernel.shape,
            padding=case["padding"],
            stride=case["stride"],
        )[0].T
        shown = [window for line in result["windows"] for window in line]
        for want, window in zip(windows, shown, strict=True):
            flat = [p for line in window["pixels"] for p in line]
            got = torch.tensor([p or 0.0 for p in flat], dtype=torch.float64)
            torch.testing.assert_close(got, want)
            products = torch.tensor(window["products"], dtype=torch.float64)
            torch.testing.assert_close(
                products.flatten(), got * kernel.ravel()
            )
        outside = [
            p is None
            for window in shown
            for line in window["pixels"]
            for p in line
        ]
        assert any(outside) <= (case["padding"] > 0), case


def figure_html() -> str:
    ramp = torch.arange(81, dtype=torch.uint8).reshape(9, 9) * 3
    corner = torch.zeros(9, 9, dtype=torch.uint8)
    corner[0, 0] = 255
    edge = torch.tensor([[-1.0, 0, 1]] * 3)
    return kernel_lab(
        {"corner": corner, "ramp <&>": ramp},
        {"edge": edge, "five": torch.full((5, 5), 1 / 3)},
    ).data


def test_html_is_self_contained_and_repeatable():
    html = figure_html()
    assert html == figure_html()
    assert not outside_references(html)
    assert "<&>" not in html
    assert (
        0.33
        in json.loads(unescape(re.search(r'data-kernels="(.*?)"', html)[1]))[
            1
        ]["weights"][0]
    )


def test_every_style_is_scoped():
    found = selectors(figure_html())
    assert len(found) > 30
    for selector in found:
        assert ".klab" in selector, selector


def test_the_chapter_is_stored_with_these_scripts():
    for stored in stored_figures("klab"):
        assert without_content(stored) == without_content(figure_html())


def test_other_shapes_are_refused():
    square, kernel = torch.zeros(9, 9).byte(), torch.zeros(3, 3)
    with pytest.raises(ValueError, match="wide.*square"):
        kernel_lab({"wide": torch.zeros(9, 8).byte()}, {"k": kernel})
    with pytest.raises(ValueError, match="even.*7 × 7"):
        kernel_lab({"p": square}, {"even": torch.zeros(4, 4)})


# What a reader does, on a page with the figure twice.
DRIVER = """() => {
const [figure, other] = document.querySelectorAll(".klab");
const all = (selector) => [...figure.querySelectorAll(selector)];
const said = [];
const say = () => said.push(figure.querySelector(".klab-sum").textContent +
    " " + figure.querySelector(".klab-size").textContent);
const set = (node, value, event) => {
    node.value = value;
    node.dispatchEvent(new Event(event));
    say();
};
const [picture, stride, padding] = all("select");
const [row, column] = all("[type=range]");
set(row, 1, "input");
set(column, 1, "input");
set(column, 2, "input");
set(all(".klab-weights input")[3], 0.5, "input");
set(all(".klab-weights input")[0], "", "input");
all(".klab-preset")[0].click(); say();
set(padding, 0, "change");
all(".klab-preset")[1].click(); say();
set(stride, 3, "change");
set(padding, 2, "change");
set(picture, 1, "change");
const stage = all(".klab-stage")[1];
const box = stage.getBoundingClientRect();
stage.dispatchEvent(new PointerEvent("pointerdown",
    {clientX: box.right - 1, clientY: box.top + 1})); say();
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
return {
    said, ids: ids.length, distinct: new Set(ids).size,
    outside: all(".klab-cell.klab-outside").length,
    pressed: all("[aria-pressed=true]").map((button) => button.textContent),
    other: other.querySelector(".klab-sum").textContent,
};
}"""


def test_a_reader_drives_the_figure(browser, tmp_path):
    with page_with_two(browser, tmp_path, figure_html()) as (page, wrong):
        seen = page.evaluate(DRIVER)
    assert wrong == []
    nine = "the 9 products add up to"
    same = "⌊(9 + 2 · 1 − 3) / 1⌋ + 1 = 9."
    expected = [
        # The start is where the bright corner gives the largest answer.
        ("Row 1, column 2", f"{nine} −1.00. ", same),
        ("Row 1, column 1", f"{nine} 0.00. ", same),
        # The bright corner lies under the left column of the kernel.
        ("Row 1, column 2", f"{nine} −1.00. ", same),
        ("Row 1, column 2", f"{nine} 0.50. ", same),
        # An empty field counts as 0, and the others go on counting.
        ("Row 1, column 2", f"{nine} 0.50. ", same),
        ("Row 1, column 2", f"{nine} −1.00. ", same),
        ("Row 1, column 2", f"{nine} 0.00. ", "− 3) / 1⌋ + 1 = 7."),
        ("Row 1, column 2", "25 products add up to 0.00. ", "+ 1 = 5."),
        ("Row 1, column 2", "0.00. ", "⌊(9 + 2 · 0 − 5) / 3⌋ + 1 = 2."),
        ("Row 1, column 2", "0.00. ", "⌊(9 + 2 · 2 − 5) / 3⌋ + 1 = 3."),
        # Rows 1 to 3 and columns 2 to 6 of the ramp, times 0.33.
        ("Row 1, column 2", "25 products add up to 0.70. ", "= 3."),
        ("Row 1, column 3", "25 products add up to 0.87. ", "= 3."),
    ]
    for text, (start, middle, end) in zip(seen["said"], expected, strict=True):
        assert text.startswith(start) and text.endswith(end), text
        assert middle in text, text
    # The window stands two rows above the picture, in two of the grids.
    assert seen["outside"] == 2 * (2 * 5)
    assert seen["pressed"] == ["five"]
    assert seen["ids"] == seen["distinct"] == 10
    assert seen["other"].startswith("Row 1, column 2")
