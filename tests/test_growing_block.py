"""The growing block: its JavaScript against PyTorch, its manners."""

import random

import pytest
import torch
from torch import nn

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import growing_block
from utils.shapes import layer_table


def compute(cases: list[dict]) -> list[dict]:
    """What the figure's arithmetic makes of them, in node."""
    return in_node("grow_blocks.js", cases)


def as_case(
    layers, growth, bottleneck=True, compression=0.5, first=None, side=8
) -> dict:
    return {
        "first": 2 * growth if first is None else first,
        "layers": layers,
        "growth": growth,
        "bottleneck": bottleneck,
        "compression": compression,
        "side": side,
    }


def unit(channels: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Batch norm, ReLU and a convolution that keeps the size."""
    conv = nn.Conv2d(
        channels, outputs, kernel, padding=kernel // 2, bias=False
    )
    return [nn.BatchNorm2d(channels), nn.ReLU(), conv]


class Dense(nn.Module):
    """A dense block, as the chapter defines it."""

    def __init__(self, case: dict):
        super().__init__()
        k = case["growth"]
        self.layers = nn.ModuleList()
        for i in range(case["layers"]):
            c = case["first"] + i * k
            self.layers.append(
                nn.Sequential(*unit(c, 4 * k, 1), *unit(4 * k, k, 3))
                if case["bottleneck"]
                else nn.Sequential(*unit(c, k, 3))
            )

    def forward(self, x):
        kept = [x]
        for layer in self.layers:
            kept.append(layer(torch.cat(kept, 1)))
        return torch.cat(kept, 1)


class Pairs(nn.Module):
    """Residual pairs of 3 × 3, pre-activation."""

    def __init__(self, pairs: int, width: int):
        super().__init__()
        self.pairs = nn.ModuleList(
            nn.Sequential(*unit(width, width, 3), *unit(width, width, 3))
            for _ in range(pairs)
        )

    def forward(self, x):
        for pair in self.pairs:
            x = x + pair(x)
        return x


def kept_maps(net: nn.Module, channels: int, side: int) -> float:
    """What autograd keeps for one image, in maps of its size."""
    own = {t.data_ptr() for t in [*net.parameters(), *net.buffers()]}
    kept, alive = {}, []

    def note(tensor):
        storage = tensor.untyped_storage()
        if tensor.data_ptr() not in own and tensor.ndim == 4:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    images = torch.randn(2, channels, side, side, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        net(images)
    return sum(kept.values()) / 4 / images[:, 0].numel()


def random_case(rng: random.Random) -> dict:
    return as_case(
        rng.randint(1, 7),
        rng.choice([2, 4, 6, 12]),
        rng.random() < 0.6,
        rng.choice([1, 0.5, 0.25]),
        rng.choice([None, 7, 16]),
        rng.choice([4, 6]),
    )


def test_blocks_agree_with_pytorch():
    rng = random.Random(1608)
    cases = [random_case(rng) for _ in range(25)]
    for case, got in zip(cases, compute(cases), strict=True):
        net, first, side = Dense(case), case["first"], case["side"]
        table = layer_table(net, (first, side, side))
        assert got["parameters"] == table.parameters, case
        assert got["macs"] == table.macs
        assert got["channels"] == table.output_shape[0]
        reads = [x[0].num_features for x in net.layers]
        assert got["reads"] == reads
        assert got["kept"] == kept_maps(net, first, side)
        assert got["passed"] == int(case["compression"] * got["channels"])
        other = got["other"]
        pairs = Pairs(other["pairs"], other["width"])
        table = layer_table(pairs, (other["width"], side, side))
        assert other["parameters"] == table.parameters
        assert other["macs"] == table.macs
        assert other["kept"] == kept_maps(pairs, other["width"], side)


def test_the_residual_block_is_the_nearest():
    cases = [as_case(n, k) for n in (1, 6, 20) for k in (2, 12, 40)]
    for got in compute(cases):
        pairs, width = got["other"]["pairs"], got["other"]["width"]
        off = [
            abs(pairs * (18 * w * w + 4 * w) - got["parameters"])
            for w in (width - 1, width, width + 1)
        ]
        assert off[1] == min(off)


def test_the_words_of_a_block_of_densenet_121():
    (got,) = compute([as_case(6, 32, side=56)])
    assert got["channels"] == 256 and got["passed"] == 128
    assert got["connections"] == 21
    assert got["layerText"] == (
        "Layer 6 reads 224 channels: the block's input and 5 layers of 32. "
        "It writes 32."
    )
    assert got["summaryText"].startswith(
        "6 layers, k = 32: 21 connections, 256 channels at the end, 128 "
        "behind the transition, 335,040 parameters."
    )


@pytest.fixture(scope="module")
def figure() -> str:
    html = growing_block().data
    assert html == growing_block().data, "not repeatable"
    return html


def test_html(figure):
    check_html("growing_block", figure)
    # Without JavaScript there is still a table.
    assert "reads 84 channels" in figure.split("<script>")[0]
    assert len(figure) < 30_000


def test_the_chapter_is_stored_with_these_scripts(figure):
    check_stored("growing_block", figure)


def test_the_answer_to_the_guess():
    (now, then) = compute([as_case(6, 12), as_case(12, 12)])
    html = growing_block().data
    assert f"pass {now['kept']:,} maps are kept" in html
    assert f'"answer": {then["kept"] / now["kept"]:.1f}' in html
    assert f"it is {then['kept']:,}" in html


def test_manners(engine, figure, tmp_path):
    check_manners(engine, tmp_path, "growing_block", figure)


def test_a_reader_drives_the_figure(engine, figure, tmp_path):
    engine.open(page_of(tmp_path, figure, figure))
    grow = "#figure1 .growing_block"
    said = []

    def press(words: str) -> None:
        engine.focus(f"{grow} button", words)
        engine.press("Enter")
        said.append(engine.text(f"{grow}-summary"))

    for number, key in ((0, "ArrowUp"), (1, "ArrowDown")):
        engine.focus(f"{grow} [role=spinbutton]", number)
        engine.press(key)
        said.append(engine.text(f"{grow}-summary"))
    press("Twice the layers")
    engine.click(f"{grow} label", "3 × 3")
    engine.click(f"{grow} label", "1")
    said.append(engine.text(f"{grow}-summary"))
    cases = [
        as_case(7, 12, side=32),
        as_case(7, 10, side=32),
        as_case(14, 10, side=32),
        as_case(14, 10, False, 1, side=32),
    ]
    assert said == [got["summaryText"] for got in compute(cases)]
    engine.focus(f"{grow} input[type=range]")
    engine.press("Home")
    assert "the block's input alone" in engine.text(f"{grow}-caption")
    engine.wait_for(f"{grow}-body + [role=status]", said[-1])
    other = engine.text("#figure2 .growing_block-summary")
    assert other.startswith("6 layers, k = 12: ")
    press("From the start")
    assert said[-1] == other
    assert engine.said == []


def test_arguments_out_of_range_are_refused():
    for wrong in ({"layers": 0}, {"growth": 1}, {"side": 2.5}):
        with pytest.raises(ValueError, match="wanted a whole number from"):
            growing_block(**wrong)
