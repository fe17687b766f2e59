"""The kernel lab: its JavaScript against PyTorch, its HTML, its manners."""

import json

import pytest
import torch
from bs4 import BeautifulSoup
from torch.nn import functional as F

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import kernel_lab


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
    return in_node("convolve.js", lists)


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


def test_html():
    html = figure_html()
    assert html == figure_html()
    check_html("kernel_lab", html)
    assert "<&>" not in html
    node = BeautifulSoup(html, "html.parser").select_one(".kernel_lab")
    data = json.loads(node["data-figure"])
    assert data["kernels"][1]["weights"][0][0] == 0.33, "two decimals"
    assert data["pictures"][1]["name"] == "ramp <&>"


@pytest.mark.parametrize("name", ["edge", "five", "shifted"])
def test_the_answer_to_the_guess(name):
    """An even patch of 0.5, convolved by PyTorch with the shown weights."""
    kernels = {
        "edge": torch.tensor([[-1.0, 0, 1]] * 3),
        "five": torch.full((5, 5), 1 / 3),
        "shifted": torch.tensor([[-2.0]]),
    }
    picture = torch.zeros(9, 9, dtype=torch.uint8)
    html = kernel_lab({"p": picture}, {name: kernels[name]}).data
    node = BeautifulSoup(html, "html.parser").select_one(".kernel_lab")
    guess = json.loads(node["data-figure"])["guess"]
    kernel = kernels[name].mul(100).round().div(100)
    want = F.conv2d(torch.full((1, 1, 9, 9), 0.5), kernel[None, None])
    assert guess["answer"] == pytest.approx(want[0, 0, 0, 0].item(), abs=1e-4)
    silent = "changes only" in guess["explain"]
    assert silent == (name == "edge")


def test_other_shapes_are_refused():
    square, kernel = torch.zeros(9, 9).byte(), torch.zeros(3, 3)
    for words, picture in (
        ("square", torch.zeros(9, 8).byte()),
        ("at least 7 × 7", torch.zeros(6, 6).byte()),
        ("square", torch.zeros(9).byte()),
        ("torch.uint8", torch.zeros(9, 9)),
    ):
        with pytest.raises(ValueError, match=f"'wide'.*{words}"):
            kernel_lab({"wide": picture}, {"k": kernel})
    with pytest.raises(ValueError, match="even.*7 × 7"):
        kernel_lab({"p": square}, {"even": torch.zeros(4, 4)})
    with pytest.raises(ValueError, match="odd.*NaN"):
        kernel_lab({"p": square}, {"odd": kernel / 0})
    for pictures, kernels in (({}, {"k": kernel}), ({"p": square}, {})):
        with pytest.raises(ValueError, match="one of each"):
            kernel_lab(pictures, kernels)


def test_the_chapter_is_stored_with_these_scripts():
    check_stored("kernel_lab", figure_html())


def test_manners(engine, tmp_path):
    check_manners(engine, tmp_path, "kernel_lab", figure_html())


NINE = "the 9 products add up to"
SAME = "⌊(9 + 2 · 1 − 3) / 1⌋ + 1 = 9."


def test_a_reader_drives_the_figure(engine, tmp_path):
    engine.open(page_of(tmp_path, figure_html(), figure_html()))
    lab = "#figure1 .kernel_lab"

    def shows(start: str, middle: str, end: str) -> None:
        said = engine.text(f"{lab}-summary")
        assert said.startswith(f"Row {start[0]}, column {start[1]}"), said
        assert said.endswith(f"{middle}."), said
        size = engine.text(f"{lab}-body > .kernel_lab-caption")
        assert size.endswith(end), size

    # The start is where the bright corner gives the largest answer.
    shows("12", f"{NINE} −1.00", SAME)
    engine.focus(f"{lab} [type=range]", 1)
    engine.press("Home")
    shows("11", f"{NINE} 0.00", SAME)
    # The bright corner lies under the left column of the kernel.
    engine.press("ArrowRight")
    shows("12", f"{NINE} −1.00", SAME)
    engine.fill(f"{lab}-weights input", "0.5", 3)
    shows("12", f"{NINE} 0.50", SAME)
    # The weights are one stop of the Tab key; arrows lead about.
    engine.press("ArrowUp", "ArrowRight", "ArrowDown")
    name = "return document.activeElement.getAttribute('aria-label')"
    assert engine.run(name) == "weight, row 2, column 2"
    engine.press("2", "ArrowLeft", "Tab")
    assert engine.value(f"{lab}-weights input", 4) == "2"
    assert not engine.on(
        f"{lab}", 0, "return node.contains(document.activeElement);"
    )
    engine.fill(f"{lab}-weights input", "0", 4)
    shows("12", f"{NINE} 0.50", SAME)
    # An empty field counts as 0, and the others go on counting.
    engine.fill(f"{lab}-weights input", "", 0)
    assert engine.attribute(f"{lab}-weights input", "aria-invalid") == "true"
    size = engine.text(f"{lab}-body > .kernel_lab-caption")
    assert size.startswith("A weight that is missing counts as 0.")
    shows("12", f"{NINE} 0.50", SAME)
    engine.click(f"{lab} button", "edge")
    assert engine.attribute(f"{lab}-weights input", "aria-invalid") == "false"
    shows("12", f"{NINE} −1.00", SAME)
    engine.choose(f"{lab} select", "0", 2)
    shows("12", f"{NINE} 0.00", "− 3) / 1⌋ + 1 = 7.")
    engine.click(f"{lab} button", "five")
    shows("12", "25 products add up to 0.00", "+ 1 = 5.")
    engine.choose(f"{lab} select", "3", 1)
    shows("12", "0.00", "⌊(9 + 2 · 0 − 5) / 3⌋ + 1 = 2.")
    engine.choose(f"{lab} select", "2", 2)
    shows("12", "0.00", "⌊(9 + 2 · 2 − 5) / 3⌋ + 1 = 3.")
    # Rows 1 to 3 and columns 2 to 6 of the ramp, times 0.33.
    engine.choose(f"{lab} select", "1", 0)
    shows("12", "25 products add up to 0.70", "= 3.")
    # A pointer in the upper right corner of the output.
    engine.on(
        f"{lab}-stage",
        1,
        "const { right, top } = node.getBoundingClientRect();"
        "node.dispatchEvent(new PointerEvent('pointerdown',"
        "  { clientX: right - 1, clientY: top + 1 }));",
    )
    shows("13", "25 products add up to 0.87", "= 3.")
    # The window stands two rows above the picture, in two of the grids.
    assert engine.count(f"{lab}-outside") == 2 * (2 * 5)
    assert engine.count(f"{lab} [aria-pressed=true]") == 1
    assert engine.text(f"{lab} [aria-pressed=true]") == "five"
    # What is spoken is the last of these changes.
    engine.wait_for(f"{lab}-body + [role=status]", "add up to 0.87")
    other = engine.text("#figure2 .kernel_lab-summary")
    assert other.startswith("Row 1, column 2") and engine.said == []
