"""The class map viewer: its JavaScript against PyTorch, its manners."""

import json

import pytest
import torch
from bs4 import BeautifulSoup

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.data import Split
from utils.figures import class_map_viewer

NAMES = ["cat", "dog", "ship <&>"]
CHEQUERED = torch.tensor([[4.0, -3.0], [-3.0, 4.0]])  # averages 0.5


def test_averages_agree_with_pytorch():
    torch.manual_seed(0)
    cases, want = [], []
    for i in range(40):
        maps = torch.randn(3, 4, 5, dtype=torch.float64)
        relu = i % 2 == 1
        want.append((maps.relu() if relu else maps).mean((1, 2)))
        cases.append(
            {
                "maps": maps.tolist(),
                "names": NAMES,
                "label": 0,
                "chosen": 1,
                "relu": relu,
            }
        )
    for got, scores in zip(
        in_node("average_maps.js", cases), want, strict=True
    ):
        made = torch.tensor(got["scores"], dtype=torch.float64)
        torch.testing.assert_close(made, scores)
        assert got["best"] == scores.argmax().item()


def some_maps() -> torch.Tensor:
    """A ReLU makes the chequered map of the dog the largest."""
    maps = torch.stack([torch.ones(2, 2), CHEQUERED, torch.full((2, 2), -1.0)])
    return torch.stack([maps, maps.flip(0)])


def figure_html() -> str:
    torch.manual_seed(0)
    pictures = Split(
        torch.randint(256, (2, 3, 8, 8)).byte(), torch.tensor([0, 0])
    )
    guess = {
        "question": "how many names change?",
        "answer": 2,
        "explain": "Both.",
    }
    return class_map_viewer(pictures, some_maps(), NAMES, guess=guess).data


def test_html():
    html = figure_html()
    assert html == figure_html(), "not repeatable"
    check_html("class_map_viewer", html)
    assert "<&>" not in html
    node = BeautifulSoup(html, "html.parser").select_one(".class_map_viewer")
    data = json.loads(node["data-figure"])
    assert data["names"] == NAMES
    assert data["guess"]["answer"] == 2
    assert data["pictures"][0]["maps"][1] == CHEQUERED.tolist()


def test_the_chapter_is_stored_with_these_scripts():
    check_stored("class_map_viewer", figure_html())


def test_manners(engine, tmp_path):
    check_manners(engine, tmp_path, "class_map_viewer", figure_html())


def test_a_reader_drives_the_figure(engine, tmp_path):
    engine.open(page_of(tmp_path, figure_html(), figure_html()))
    own = "#figure1 .class_map_viewer"

    def summary() -> str:
        return engine.text(f"{own}-summary")

    assert summary() == (
        "The largest average is that of cat, 1.00, which is right. The map "
        "of cat averages 1.00; 4 of 4 places speak for it."
    )
    # One stop for the classes, and the arrows go on from there.
    assert engine.count(f"{own}-classes [tabindex='0']") == 1
    engine.focus(f"{own}-classes [tabindex='0']")
    engine.press("ArrowUp", "ArrowDown")
    focus = "return document.activeElement.getAttribute('aria-label');"
    assert engine.run(focus) == "dog 0.50"
    assert summary().endswith(
        "The map of dog averages 0.50; 2 of 4 places speak for it."
    )
    engine.click(f"{own} label", "through a ReLU")
    assert summary().startswith(
        "The largest average is that of dog, 2.00; it is a picture of the "
        "class cat. "
    )
    engine.wait_for(f"{own}-body + [role=status]", "that of dog, 2.00")
    engine.choose(f"{own} select", "1")
    assert "The map of cat averages 0.00; 0 of 4" in summary()
    other = engine.text("#figure2 .class_map_viewer-summary")
    assert other.startswith("The largest average is that of cat, 1.00")
    assert engine.said == []


def test_what_does_not_fit_is_refused():
    split = Split(torch.zeros(2, 3, 8, 8).byte(), torch.tensor([0, 1]))
    maps = some_maps()
    with pytest.raises(ValueError, match="for 2 pictures and 3 class names"):
        class_map_viewer(split, maps[:1], NAMES)
    with pytest.raises(ValueError, match="NaN or infinity"):
        class_map_viewer(split, maps / 0, NAMES)
    large = Split(torch.zeros(2, 3, 8, 80).byte(), split.labels)
    with pytest.raises(ValueError, match="at most 64 pixels"):
        class_map_viewer(large, maps, NAMES)
