"""The block switch: the network in the page against PyTorch, its manners."""

import base64
import copy
import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.figure_checks import (
    find_program,
    outside_references,
    page_with_two,
    selectors,
    stored_figures,
    without_content,
)
from tools.record import definitions
from utils.figures import block_switch

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tests/js/run_blocks.js"
NAMES = ("cat & <dog>", *"bcdefghij")
MEAN, STD = torch.tensor([0.5, 0.4, 0.45]), torch.tensor([0.25, 0.24, 0.26])


@pytest.fixture(scope="module")
def chapter() -> dict:
    return definitions(ROOT / "chapters/06_resnet.ipynb")


@pytest.fixture(scope="module")
def net(chapter) -> nn.Module:
    """ResNet-20 as if it had been trained: no statistic is a default."""
    torch.manual_seed(1)
    net = chapter["cifar_net"](3, chapter["residual"]("A"))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    nn.init.normal_(net[4].weight, 0, 0.02)
    return net.eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)


@pytest.fixture(scope="module")
def html(net, images) -> str:
    labels = torch.tensor([0, 4, 9])
    return block_switch(net, images, labels, NAMES, MEAN, STD).data


def attribute(html: str, name: str) -> str:
    return unescape(re.search(f'data-{name}="(.*?)"', html)[1])


def rounded(net: nn.Module, network: dict) -> nn.Module:
    """The network with the weights that the page has, without batch norm."""
    net = copy.deepcopy(net)

    def put(pair, packed):
        def numbers(key, dtype):
            raw = bytearray(base64.b64decode(packed[key]))
            return torch.frombuffer(raw, dtype=dtype)

        conv = pair[0]
        whole = [ord(character) - 94 for character in packed["weights"]]
        whole = torch.tensor(whole).float().view_as(conv.weight)
        scales = numbers("scales", torch.float32).view(-1, 1, 1, 1)
        conv.weight = nn.Parameter(whole * scales)
        conv.bias = nn.Parameter(numbers("bias", torch.float32))
        pair[1] = nn.Identity()

    put(net[0][0], network["stem"])
    for block, packed in zip(net[1], network["blocks"], strict=True):
        put(block.function[0], packed["first"])
        put(block.function[2], packed["second"])
    return net


@torch.no_grad()
def in_pytorch(net, image, on) -> tuple[torch.Tensor, list]:
    x = (image[None] / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    x, seen = net[0](x), []
    for block, added in zip(net[1], on, strict=True):
        path, correction = block.shortcut(x), block.function(x)
        x = F.relu(path + correction if added else path)
        ratio = (correction.norm() / path.norm()).item() if added else None
        seen.append((x[0].mean(0), ratio))
    return net[4](x.mean((2, 3))).softmax(1)[0], seen


SETTINGS = [
    {"picture": 0, "on": [True] * 9},
    {"picture": 2, "on": [True] * 9},
    {"picture": 1, "on": [place != 3 for place in range(9)]},
    {"picture": 1, "on": [place % 2 == 0 for place in range(9)]},
    {"picture": 0, "on": [False] * 9},
]


@pytest.fixture(scope="module")
def results(html) -> list[dict]:
    question = {
        "network": json.loads(attribute(html, "network")),
        "pictures": attribute(html, "pictures"),
        "size": 3 * 32 * 32,
        "settings": SETTINGS,
    }
    run = subprocess.run(
        [find_program("node"), str(SCRIPT)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def test_the_page_computes_what_pytorch_computes(net, images, html, results):
    same = rounded(net, json.loads(attribute(html, "network")))
    for setting, result in zip(SETTINGS, results, strict=True):
        want, seen = in_pytorch(
            same, images[setting["picture"]], setting["on"]
        )
        got = torch.tensor(result["probabilities"])
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
        for (mean_map, ratio), block in zip(
            seen, result["blocks"], strict=True
        ):
            assert block["side"] == len(mean_map)
            torch.testing.assert_close(
                torch.tensor(block["map"]),
                mean_map.flatten(),
                atol=1e-3,
                rtol=1e-3,
            )
            assert (block["ratio"] is None) == (ratio is None)
            if ratio is not None:
                assert block["ratio"] == pytest.approx(ratio, rel=1e-3)


def test_every_setting_matters(results):
    """Else the comparison above would prove nothing about the switches."""
    answers = {tuple(result["probabilities"]) for result in results}
    assert len(answers) == len(SETTINGS)
    assert max(map(max, answers)) < 0.999


def test_six_bits_change_little(net, images, html):
    same = rounded(net, json.loads(attribute(html, "network")))
    for image in images:
        before, _ = in_pytorch(net, image, [True] * 9)
        after, _ = in_pytorch(same, image, [True] * 9)
        # Here 0.013 with 6 bits, 0.025 with 5.
        torch.testing.assert_close(before, after, atol=0.02, rtol=0)


def test_html_is_self_contained_small_and_repeatable(net, images, html):
    again = block_switch(
        net, images, torch.tensor([0, 4, 9]), NAMES, MEAN, STD
    )
    assert html == again.data
    assert not outside_references(html)
    assert "<dog>" not in html
    assert len(html) < 340_000


def test_every_style_is_scoped(html):
    found = selectors(html)
    assert len(found) > 30
    for selector in found:
        assert ".bsw" in selector, selector


def test_the_chapter_is_stored_with_these_scripts(html):
    for stored in stored_figures("bsw"):
        assert without_content(stored) == without_content(html)


def test_other_networks_and_images_are_refused(chapter, net, images):
    labels = torch.tensor([0, 1, 2])
    rest = (labels, NAMES, MEAN, STD)
    with pytest.raises(ValueError, match="torch.float32.*wanted"):
        block_switch(net, images / 255, *rest)
    with pytest.raises(ValueError, match="as cifar_net of chapter 6"):
        block_switch(nn.Sequential(nn.Flatten()), images, *rest)
    plain = chapter["cifar_net"](3, chapter["plain"])
    with pytest.raises(ValueError, match="as cifar_net of chapter 6"):
        block_switch(plain, images, *rest)
    projected = chapter["cifar_net"](3, chapter["residual"]("B"))
    with pytest.raises(ValueError, match="makes it with option A"):
        block_switch(projected, images, *rest)


def alter(net: nn.Module, path: str, layer: nn.Module) -> nn.Module:
    """A copy of the network with another layer at one place."""
    net = copy.deepcopy(net)
    parent, name = path.rsplit(".", 1)
    setattr(net.get_submodule(parent), name, layer)
    return net


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("1.0.function.0.0", nn.Conv2d(16, 16, 5, padding=2, bias=False)),
        ("1.0.function.2.0", nn.Conv2d(16, 16, 3, padding=1)),
        ("1.4.function.1", nn.GELU()),
        ("1.3.shortcut", nn.AvgPool2d(2)),
        ("0.1", nn.Identity()),
    ],
)
def test_a_layer_that_the_page_would_get_wrong(net, images, path, layer):
    net, labels = alter(net, path, layer), torch.tensor([0, 1, 2])
    with pytest.raises(
        ValueError, match=rf"chapter 6.*{type(layer).__name__}"
    ):
        block_switch(net, images, labels, NAMES, MEAN, STD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.tensor([0, 1])}, r"\[0, 1\].*wanted 3"),
        ({"labels": torch.tensor([0, 1, 11])}, r"\[0, 1, 11\].*0 to 9"),
        ({"class_names": NAMES[:9]}, "9 class names.*10 classes"),
        ({"mean": MEAN[:1]}, r"mean is \(1,\).*wanted \(3,\)"),
        ({"images": torch.zeros(3, 3, 32, 28).byte()}, r"32, 28.*H, H"),
        ({"images": torch.zeros(0, 3, 32, 32).byte()}, r"\(0, 3.*N, 3"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(net, images, change, message):
    arguments = {
        "images": images,
        "labels": torch.tensor([0, 1, 2]),
        "class_names": NAMES,
        "mean": MEAN,
        "std": STD,
    }
    with pytest.raises(ValueError, match=message):
        block_switch(net, **arguments | change)


# What a reader does, on a page with the figure twice.
DRIVER = """() => {
const [figure, other] = document.querySelectorAll(".bsw");
const all = (selector) => [...figure.querySelectorAll(selector)];
const said = [];
const say = () => said.push(figure.querySelector(".bsw-verdict").textContent);
const score = () => figure.querySelector(".bsw-score").textContent;
say();
const switches = all(".bsw-switch");
switches[3].click(); say();
switches[7].click(); say();
all(".bsw-picture")[1].click(); say();
const off = all(".bsw-switch[aria-pressed=false]").map((b) => b.textContent);
const waiting = score();
all(".bsw-actions button")[0].click(); say();
all(".bsw-actions button")[1].click();
const random = all(".bsw-switch[aria-pressed=false]").length;
switches[0].focus();
return {said, off, waiting, random};
}"""
AFTERWARDS = """() => {
const [figure, other] = document.querySelectorAll(".bsw");
const all = (selector) => [...figure.querySelectorAll(selector)];
const numbers = all(".bsw-number").map((n) => parseInt(n.textContent, 10));
return {
    sum: numbers.reduce((a, b) => a + b),
    focus: document.activeElement.textContent,
    wide: document.documentElement.scrollWidth,
    inner: window.innerWidth,
    stages: all(".bsw-title").map((node) => node.textContent),
    score: figure.querySelector(".bsw-score").textContent,
    other: other.querySelectorAll("[aria-pressed=false]").length,
};
}"""


def test_a_reader_drives_the_figure(browser, tmp_path, html, net, images):
    with page_with_two(browser, tmp_path, html, width=500) as (page, wrong):
        seen = page.evaluate(DRIVER)
        page.locator(".bsw-score").first.get_by_text("right").wait_for()
        seen |= page.evaluate(AFTERWARDS)
    assert wrong == []

    def expected(picture, off):
        on = [place + 1 not in off for place in range(9)]
        probabilities, _ = in_pytorch(net, images[picture], on)
        share, says = probabilities.max(0)
        truth = (0, 4, 9)[picture]
        start = (
            f"Off: {', '.join(map(str, off))}." if off else "All blocks on."
        )
        end = "right." if says == truth else f"class {NAMES[truth]}."
        return start, f"says {NAMES[says]}, ", 100 * share.item(), end

    steps = [(0, []), (0, [4]), (0, [4, 8]), (1, [4, 8]), (1, [])]
    for text, step in zip(seen["said"], steps, strict=True):
        start, middle, share, end = expected(*step)
        assert text.startswith(start) and middle in text, text
        assert text.endswith(end), text
        shown = int(re.search(r"(\d+)\s%", text)[1])
        assert abs(shown - share) < 10  # the page has weights of 6 bits
    assert seen["off"] == ["Block 4 off", "Block 8 off"]
    assert seen["waiting"].endswith("…")
    assert re.search(r"All 3 pictures, this setting: \d right", seen["score"])
    assert seen["random"] == 1
    assert seen["focus"].startswith("Block 1")
    assert 97 <= seen["sum"] <= 103
    assert seen["wide"] <= seen["inner"]
    assert seen["stages"] == [
        "Stage 1: 16 maps of 32 × 32",
        "Stage 2: 32 maps of 16 × 16",
        "Stage 3: 64 maps of 8 × 8",
    ]
    # The other figure has its own switches, and its own first picture.
    assert seen["other"] == 2


@pytest.mark.parametrize(
    ("scheme", "ground"),
    [("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 25, 29)")],
)
def test_a_reader_without_a_mouse(browser, tmp_path, html, scheme, ground):
    with page_with_two(browser, tmp_path, html, width=390, scheme=scheme) as (
        page,
        wrong,
    ):
        figure = page.locator(".bsw").first
        page.keyboard.press("Tab")  # the first picture
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")  # the third picture
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        focus = page.evaluate("document.activeElement.textContent")
        figure.get_by_text(re.compile(r"\d right\.$")).wait_for()
        page.evaluate((ROOT / "tests/vendor/axe.min.js").read_text("utf-8"))
        assert [] == page.evaluate(
            "axe.run().then((r) => r.violations.map((v) => v.id))"
        )
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        pressed = figure.locator(".bsw-picture[aria-pressed=true]")
        assert pressed.all_text_contents() == [NAMES[4]]
        verdict = figure.locator("[role=status]").inner_text()
        assert verdict.startswith("Off: 1. The network says ")
        assert ground == figure.evaluate(
            "(node) => getComputedStyle(node).backgroundColor"
        )
    assert focus == "Block 1 off"
    assert wrong == []
