"""The channel mixer: its JavaScript against PyTorch, its manners."""

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
from utils.figures import channel_mixer

PAINTS = {
    "red": (0.9, 0.1, 0.1),
    "orange": (0.9, 0.5, 0.1),
    "yellow": (0.9, 0.9, 0.1),
    "grey": (0.5, 0.5, 0.5),
}
AS_LIST = [{"name": name, "rgb": rgb} for name, rgb in PAINTS.items()]


def mix(weights, bias) -> dict:
    return {"weights": list(weights), "bias": bias}


def as_case(pixels, network) -> dict:
    return {
        "pixels": pixels,
        "paints": AS_LIST,
        "target": "orange",
        "network": network,
    }


GREEN = {"deep": False, "hidden": [], "answer": mix((0, 1, 0), 0)}
ONLY_ORANGE = {
    "deep": True,
    "hidden": [
        mix((0, 1, 0), -0.5),
        mix((0, -1, 0), 0.5),
        mix((0, 0, 0), 0),
    ],
    "answer": mix((-1, -1, 0), 0.5),
}


def test_maps_agree_with_convolutions():
    torch.manual_seed(0)
    cases, want = [], []
    for i in range(60):
        pixels = torch.randint(256, (5, 4, 3))
        image = pixels.permute(2, 0, 1)[None].double() / 255
        hidden = torch.randn(3, 3, dtype=torch.float64), torch.randn(3)
        answer = torch.randn(1, 3, dtype=torch.float64), torch.randn(1)
        network = {
            "deep": i % 2 == 1,
            "hidden": [
                mix(w, b)
                for w, b in zip(*(x.tolist() for x in hidden), strict=True)
            ],
            "answer": mix(answer[0][0].tolist(), answer[1].item()),
        }
        cases.append(as_case(pixels.tolist(), network))
        if i % 2:
            image = F.relu(
                F.conv2d(image, hidden[0][..., None, None], hidden[1].double())
            )
            want.append((image[0], None))
        else:
            want.append((torch.empty(0), None))
        out = F.conv2d(image, answer[0][..., None, None], answer[1].double())
        want[-1] = want[-1][0], out[0, 0]
    for got, (hidden, answer) in zip(
        in_node("mix_channels.js", cases), want, strict=True
    ):
        made = torch.tensor(got["answer"], dtype=torch.float64)
        torch.testing.assert_close(made, answer)
        assert len(got["hidden"]) == len(hidden)
        for one, other in zip(got["hidden"], hidden, strict=True):
            one = torch.tensor(one, dtype=torch.float64)
            torch.testing.assert_close(one, other)


def test_no_single_mix_finds_orange_and_two_layers_do():
    torch.manual_seed(1)
    cases = [
        as_case(
            [[[0, 0, 0]]],
            {
                "deep": False,
                "hidden": [],
                "answer": mix(torch.randn(3).tolist(), 0.3),
            },
        )
        for _ in range(500)
    ]
    got = in_node(
        "mix_channels.js", [*cases, as_case([[[0, 0, 0]]], ONLY_ORANGE)]
    )
    assert not any(case["verdict"]["found"] for case in got[:-1])
    # Grey has as much green as orange, so (4.2) alone does not part the two.
    words = got[-1]["verdict"]["words"]
    assert words == (
        "Orange is not singled out: 0.50 on it, and grey at least as much."
    )
    third = ONLY_ORANGE["hidden"][:2] + [mix((-1, 0, 1), 0.8)]
    network = ONLY_ORANGE | {"hidden": third, "answer": mix((-1,) * 3, 0.5)}
    (got,) = in_node("mix_channels.js", [as_case([[[0, 0, 0]]], network)])
    assert got["verdict"]["found"]
    assert got["verdict"]["words"] == (
        "Orange is singled out: 0.50 on it, less on every other."
    )


def figure_html() -> str:
    torch.manual_seed(0)
    pictures = {
        "card <&>": torch.randint(256, (3, 4, 6)).byte(),
        "square": torch.randint(256, (3, 8, 8)).byte(),
    }
    return channel_mixer(pictures, PAINTS, target="orange").data


def test_html():
    html = figure_html()
    assert html == figure_html(), "not repeatable"
    check_html("channel_mixer", html)
    assert "<&>" not in html
    node = BeautifulSoup(html, "html.parser").select_one(".channel_mixer")
    data = json.loads(node["data-figure"])
    assert data["pictures"][0]["name"] == "card <&>"
    assert len(data["pictures"][0]["pixels"]) == 4
    assert "to red and 0.2 to yellow" in data["guess"]["question"]


def test_the_chapter_is_stored_with_these_scripts():
    check_stored("channel_mixer", figure_html())


def test_manners(engine, tmp_path):
    check_manners(engine, tmp_path, "channel_mixer", figure_html())


def test_a_reader_drives_the_figure(engine, tmp_path):
    engine.open(page_of(tmp_path, figure_html(), figure_html()))
    own = "#figure1 .channel_mixer"

    def focused() -> str:
        script = "return document.activeElement.getAttribute('aria-label');"
        return engine.run(script)

    def summary() -> str:
        return engine.text(f"{own}-summary")

    assert summary().startswith("Orange is not singled out: 0.50 on it, and")
    assert engine.count(f"{own}-weights [tabindex='0']") == 1
    # The arrows choose a weight, and stop at the ends.
    engine.focus(f"{own}-weights [tabindex='0']")
    assert focused() == "answer: weight of green, 1.0"
    engine.press("ArrowLeft", "ArrowLeft", "ArrowUp")
    assert focused() == "answer: weight of red, 0.0"
    assert engine.count(f"{own}-weights [tabindex='0']") == 1
    engine.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    assert focused() == "answer: constant, 0.0"
    # The slider changes it.
    engine.press("Tab")
    engine.press("ArrowRight")
    assert engine.text(f"{own}-slider label") == "answer: constant"
    assert "0.60 on it" in summary()
    engine.click(f"{own} button", "two layers: neither end")
    assert summary().endswith("0.50 on it, and grey at least as much.")
    assert engine.count(f"{own} canvas") == 5
    # The third hidden mix: blue minus red, and a constant.
    for column, presses in (
        (8, ["ArrowLeft"] * 10),
        (10, ["ArrowRight"] * 10),
        (11, ["ArrowRight"] * 8),
        (14, ["ArrowLeft"] * 10),
    ):
        engine.click(f"{own}-weights button", column)
        engine.focus(f"{own} [type=range]")
        engine.press(*presses)
    assert summary() == (
        "Orange is singled out: 0.50 on it, less on every other."
    )
    engine.wait_for(f"{own}-body + [role=status]", "is singled out")
    engine.choose(f"{own} select", "1")
    assert engine.text(f"{own}-view figcaption").endswith("square")
    engine.click(f"{own} label", "one mix")
    assert engine.count(f"{own} canvas") == 2
    other = engine.text("#figure2 .channel_mixer-summary")
    assert other.startswith("Orange is not singled out")
    assert engine.said == []


def test_what_does_not_fit_is_refused():
    square = torch.zeros(3, 8, 8).byte()
    for picture in (square.float(), square[:1], torch.zeros(3, 8, 65).byte()):
        with pytest.raises(ValueError, match="'odd'.*at most 64"):
            channel_mixer({"odd": picture}, PAINTS, "orange")
    with pytest.raises(ValueError, match="at least one picture"):
        channel_mixer({}, PAINTS, "orange")
    for target in ("grey", "violet"):
        with pytest.raises(ValueError, match=f"'{target}' does not lie"):
            channel_mixer({"square": square}, PAINTS, target)
