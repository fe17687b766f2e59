"""The growing network: its JavaScript against layer_table, its manners."""

import json
import math
import random

import pytest
import torch
import torchvision
from bs4 import BeautifulSoup
from torch import nn

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import growing_network
from utils.shapes import layer_table

VGG_D = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def compute(cases: list[dict]) -> list[dict]:
    """What the figure's arithmetic makes of them, in node."""
    return in_node("grow_networks.js", cases)


def as_case(blocks, kernel=3, connected=True, channels=3, side=224) -> dict:
    return {
        "input": {"channels": channels, "side": side},
        "blocks": [{"convolutions": n, "channels": c} for n, c in blocks],
        "kernel": kernel,
        "connected": connected,
    }


def build(case: dict) -> nn.Sequential:
    """The PyTorch network of a case, one nn.Sequential for each block."""
    inputs, side = case["input"]["channels"], case["input"]["side"]
    kernel, net = case["kernel"], nn.Sequential()
    for block in case["blocks"]:
        layers = []
        for _ in range(block["convolutions"]):
            outputs = block["channels"]
            layers.append(nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2))
            inputs = outputs
        net.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
        side //= 2
    widths = [inputs, 1000]
    if case["connected"]:
        widths = [inputs * side**2, 4096, 4096, 1000]
    else:
        net.append(nn.AdaptiveAvgPool2d(1))
    net.append(nn.Flatten())
    for i in range(1, len(widths)):
        net.append(nn.Linear(widths[i - 1], widths[i]))
    return net


def random_case(rng: random.Random) -> dict:
    blocks = [
        (rng.randint(1, 4), rng.choice([8, 16, 48, 64]))
        for _ in range(rng.randint(1, 5))
    ]
    side = rng.randint(32, 100)
    kernel, connected = rng.choice([3, 5, 7]), rng.random() < 0.5
    return as_case(blocks, kernel, connected, rng.choice([1, 3]), side)


def test_networks_agree_with_layer_table():
    rng = random.Random(1409)
    cases = [random_case(rng) for _ in range(60)] + [as_case(VGG_D)]
    for case, got in zip(cases, compute(cases), strict=True):
        with torch.device("meta"):
            net = build(case)
        side = case["input"]["side"]
        table = layer_table(net, (case["input"]["channels"], side, side))
        want = [x for x in table.layers if x.kind in ("Conv2d", "Linear")]
        activations = sum(math.prod(x.output_shape) for x in want)
        totals = (got["parameters"], got["macs"], got["activations"])
        assert totals == (table.parameters, table.macs, activations), case
        *stages, head = got["stages"]
        pools = [x for x in table.layers if x.kind == "MaxPool2d"]
        for i, (stage, pool) in enumerate(zip(stages, pools, strict=True)):
            inside = [x for x in want if x.name.startswith(f"{i}.")]
            shape = (stage["channels"], stage["side"], stage["side"])
            assert shape == pool.output_shape
            assert stage["field"] == pool.receptive_field
            assert stage["parameters"] == sum(x.parameters for x in inside)
            assert stage["macs"] == sum(x.macs for x in inside)
        linear = [x for x in want if x.kind == "Linear"]
        assert head["parameters"] == sum(x.parameters for x in linear)


def test_the_words_of_vgg_16():
    got, first = compute([as_case(VGG_D), as_case(((1, 64),))])
    assert "4 × 4 pixels, 0.03 % of the picture" in first["fieldText"]
    assert got["short"] == "15.5 G"
    assert "212 × 212 pixels, 90 % of the picture" in got["fieldText"]
    assert got["summaryText"] == (
        "13 convolutions in 5 blocks: 138,357,544 parameters, "
        "15,470,264,320 MACs, 13,556,712 activations an image."
    )


@pytest.fixture(scope="module")
def figure() -> str:
    with torch.device("meta"):
        networks = {
            "AlexNet": torchvision.models.alexnet(weights=None),
            "D": build(as_case(VGG_D)),
        }
    tables = {k: layer_table(v, (3, 224, 224)) for k, v in networks.items()}
    picture = torch.arange(3 * 32 * 32).reshape(3, 32, 32).byte()
    html = growing_network(picture, tables).data
    assert html == growing_network(picture, tables).data, "not repeatable"
    return html


def handed_over(html: str) -> dict:
    """What the figure hands to its script."""
    node = BeautifulSoup(html, "html.parser").select_one(".growing_network")
    return json.loads(node["data-figure"])


def test_html_marks_the_networks(figure):
    check_html("growing_network", figure)
    # Without JavaScript there is still a table.
    assert "138,357,544 parameters" in figure.split("<script>")[0]
    marks = handed_over(figure)["marks"]
    assert marks["AlexNet"]["field"] == 195
    assert marks["D"]["field"] == 212
    assert marks["D"]["activations"] == 13_547_520 + 4096 + 4096 + 1000
    assert len(figure) < 40_000


def test_the_chapter_is_stored_with_these_scripts(figure):
    check_stored("growing_network", figure)


def test_the_answer_to_the_guess(figure):
    """It is what the reader finds by adding a block to VGG D."""
    (grown,) = compute([as_case((*VGG_D, (2, 512)))])
    guess = handed_over(figure)["guess"]
    assert "D sees 212 × 212 pixels" in guess["question"]
    assert guess["answer"] == grown["field"] == 372
    assert guess["explain"].endswith("212 + 5 · 32 = 372.")


def test_manners(engine, figure, tmp_path):
    check_manners(engine, tmp_path, "growing_network", figure)


def test_a_reader_drives_the_figure(engine, figure, tmp_path):
    engine.open(page_of(tmp_path, figure, figure))
    grow = "#figure1 .growing_network"
    said = []

    def press(*keys: str) -> None:
        engine.press(*keys)
        said.append(engine.text(f"{grow}-summary"))

    engine.focus(f"{grow} button", "one block")
    engine.press("ArrowRight", "ArrowRight", "ArrowRight")
    press("Enter")
    # Past the two choices, to the numbers of the blocks: one stop for all.
    engine.press("Tab", "Tab", "Tab")
    press("ArrowDown")
    engine.press("Home", *["ArrowRight"] * 9)
    press("ArrowUp")
    last = f"{grow} [role=spinbutton]"
    assert engine.attribute(last, "aria-valuenow", 9) == "1024"
    engine.press("Tab", "End")
    press("Enter")
    engine.focus(f"{grow} button", "VGG A")
    press("Enter")
    engine.focus(f"{grow} button", "Add a block")
    press("Enter")
    # Six blocks are the most; the button says so, and keeps the focus.
    engine.press("Enter")
    assert engine.text(f"{grow}-summary") == said[-1]
    add = engine.attribute(f"{grow} button", "aria-disabled", "Add a block")
    focus = "return document.activeElement.textContent"
    assert (add, engine.run(focus)) == ("true", "Add a block")
    # A pointer has buttons beside the numbers.
    engine.click(f"{grow} button", "block 1, channels: more")
    assert engine.attribute(last, "aria-valuenow", 1) == "128"
    engine.click(f"{grow} button", "block 1, channels: less")
    engine.click(f"{grow} label", "5 × 5")
    engine.click(f"{grow} label", "global average, one layer")
    said.append(engine.text(f"{grow}-summary"))
    vgg_a = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))
    cases = [
        as_case(VGG_D),
        as_case(((1, 64), *VGG_D[1:])),
        as_case(((1, 64), *VGG_D[1:4], (3, 1024))),
        as_case(((1, 64), *VGG_D[1:4])),
        as_case(vgg_a),
        as_case((*vgg_a, (2, 512))),
        as_case((*vgg_a, (2, 512)), kernel=5, connected=False),
    ]
    assert said == [got["summaryText"] for got in compute(cases)]
    assert engine.count(f"{grow}-field") == 6
    assert engine.count(f"{grow}-mark") == 6, "two networks in three bars"
    engine.wait_for(f"{grow}-body + [role=status]", said[-1])
    other = engine.text("#figure2 .growing_network-summary")
    assert other.startswith("1 convolution in 1 block: ")
    assert engine.said == []


def test_a_network_whose_field_is_not_known_is_refused():
    picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
    gated = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4),
                          nn.Conv2d(4, 4, 3))  # fmt: skip
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    for net in (gated, flat):
        networks = {"odd": layer_table(net, (3, 8, 8))}
        with pytest.raises(ValueError, match="'odd' has no receptive field"):
            growing_network(picture, networks)
