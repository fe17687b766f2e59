"""The Inception builder: its JavaScript against PyTorch, its manners."""

import json
import random

import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import inception_builder
from utils.shapes import layer_table

BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
}
NAMES = ("1 × 1", "3 × 3", "5 × 5", "pooling")


def compute(cases: list[dict]) -> list[dict]:
    """What the figure's arithmetic makes of them, in node."""
    return in_node("price_blocks.js", cases)


def as_case(widths, inputs=192, side=28, field=27, jump=8, own=None) -> dict:
    stage = {"inputs": inputs, "side": side, "field": field, "jump": jump}
    stage["widths"] = list(own or widths)
    return {"stage": stage, "widths": list(widths), "name": "3a"}


def stages_of(html: str) -> dict:
    node = BeautifulSoup(html, "html.parser").select_one(".inception_builder")
    return json.loads(node["data-figure"])["stages"]


def branches(inputs: int, widths) -> dict[str, nn.Module]:
    """The four branches in PyTorch; those without maps are left out."""
    one, reduce3, three, reduce5, five, pool = widths

    def large(fewer: int, maps: int, kernel: int) -> nn.Module:
        net, read = nn.Sequential(), inputs
        if fewer:
            net.append(nn.Conv2d(inputs, fewer, 1))
            read = fewer
        return net.append(nn.Conv2d(read, maps, kernel, 1, kernel // 2))

    made = {
        "1 × 1": (one, lambda: nn.Conv2d(inputs, one, 1)),
        "3 × 3": (three, lambda: large(reduce3, three, 3)),
        "5 × 5": (five, lambda: large(reduce5, five, 5)),
        "pooling": (
            pool,
            lambda: nn.Sequential(
                nn.MaxPool2d(3, 1, 1), nn.Conv2d(inputs, pool, 1)
            ),
        ),
    }
    return {name: make() for name, (maps, make) in made.items() if maps}


def random_case(rng: random.Random) -> dict:
    widths = [rng.choice([0, 4, 8, 24]) for _ in range(5)]
    return as_case(
        [*widths, rng.choice([1, 7])],
        inputs=rng.choice([3, 16, 33]),
        side=rng.choice([5, 8]),
        field=rng.randint(1, 40),
        jump=rng.choice([1, 2, 8]),
    )


def test_blocks_agree_with_pytorch():
    rng = random.Random(1409)
    cases = [random_case(rng) for _ in range(40)]
    cases += [as_case(BLOCKS["3a"])]
    for case, got in zip(cases, compute(cases), strict=True):
        stage, widths = case["stage"], case["widths"]
        shape = stage["inputs"], stage["side"], stage["side"]
        with torch.device("meta"):
            nets = branches(stage["inputs"], widths)
        assert [b["name"] for b in got["branches"]] == list(NAMES)
        for branch in got["branches"]:
            net = nets.get(branch["name"])
            if net is None:
                assert branch["macs"] == branch["parameters"] == 0
                continue
            table = layer_table(net, shape)
            assert branch["maps"] == table.output_shape[0]
            assert branch["parameters"] == table.parameters, case
            assert branch["macs"] == table.macs
            wider = table.layers[-1].receptive_field - 1
            assert branch["field"] == stage["field"] + wider * stage["jump"]
        for key in ("maps", "parameters", "macs"):
            assert got[key] == sum(b[key] for b in got["branches"])


def test_stages_follow_from_the_blocks():
    stages = stages_of(inception_builder(BLOCKS).data)
    assert [s["inputs"] for s in stages.values()] == [192, 256, 480]
    assert [s["side"] for s in stages.values()] == [28, 28, 14]
    # As layer_table finds them in GoogLeNet: chapter 5.
    assert [s["field"] for s in stages.values()] == [27, 59, 107]
    assert [s["jump"] for s in stages.values()] == [8, 8, 16]


def test_the_words_of_the_first_block():
    own = BLOCKS["3a"]
    cases = [as_case(own), as_case((64, 96, 128, 0, 32, 0), own=own)]
    paper, without = compute(cases)
    assert paper["summaryText"] == (
        "Block 3a: 128 M MACs, 100 % of the budget, and 164 k parameters, "
        "100 %. It hands on 256 channels. Within the budget."
    )
    assert paper["fieldText"] == (
        "Of its channels 64 see 27, 160 see 43, 32 see 59 pixels at most."
    )
    assert without["summaryText"].endswith(
        "Over budget in MACs and parameters."
    )
    (nothing,) = compute([as_case((0, 8, 0, 8, 0, 0), own=own)])
    assert nothing["fieldText"] == "No channel is left."


@pytest.fixture(scope="module")
def figure() -> str:
    html = inception_builder(BLOCKS).data
    assert html == inception_builder(BLOCKS).data, "not repeatable"
    return html


def test_html(figure):
    check_html("inception_builder", figure)
    # Without JavaScript there is still a table.
    assert "reads 256 channels" in figure.split("<script>")[0]
    assert len(figure) < 40_000


def test_the_chapter_is_stored_with_these_scripts(figure):
    check_stored("inception_builder", figure)


def test_the_answer_to_the_guess(figure):
    own = BLOCKS["3a"]
    now, then = compute([as_case(own), as_case((64, 96, 128, 16, 64, 32))])
    more = 100 * (then["macs"] / now["macs"] - 1)
    assert f'"answer": {more:.1f}' in figure


def test_manners(engine, figure, tmp_path):
    check_manners(engine, tmp_path, "inception_builder", figure)


def test_a_reader_drives_the_figure(engine, figure, tmp_path):
    engine.open(page_of(tmp_path, figure, figure))
    here = "#figure1 .inception_builder"
    said = []
    engine.focus(f"{here} [role=spinbutton]")
    engine.press("ArrowRight", "ArrowUp", "ArrowUp")  # the first reduction
    said.append(engine.text(f"{here}-summary"))
    engine.focus(f"{here} button", "No reductions")
    engine.press("Enter")
    said.append(engine.text(f"{here}-summary"))
    own = BLOCKS["3a"]
    cases = [
        as_case((64, 112, 128, 16, 32, 32), own=own),
        as_case((64, 0, 128, 0, 32, 32), own=own),
    ]
    assert said == [got["summaryText"] for got in compute(cases)]
    engine.wait_for(f"{here}-body + [role=status]", said[-1])
    engine.focus(f"{here} button", "4a")
    engine.press("Enter")
    assert "reads 480 channels" in engine.text(f"{here}-caption")
    other = engine.text("#figure2 .inception_builder-summary")
    assert other.startswith("Block 3a: 128 M MACs, 100 %")
    assert engine.said == []


def test_blocks_that_are_none_are_refused():
    for wrong, words in (
        ((1, 2, 3), "wanted six whole numbers"),
        ((1, 2, 3, 4, 5, 0.5), "wanted six whole numbers"),
        ((0, 8, 0, 8, 0, 0), "makes no maps"),
    ):
        with pytest.raises(ValueError, match=words):
            inception_builder({"x": wrong})
