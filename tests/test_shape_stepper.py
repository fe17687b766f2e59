"""The shape stepper: its JavaScript against PyTorch, its HTML, its manners."""

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
from utils.figures import shape_stepper
from utils.shapes import layer_table


def alexnet() -> nn.Sequential:
    """The network of the paper, in one column with grouped convolutions."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4),
        nn.ReLU(),
        nn.LocalResponseNorm(5),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(9216, 4096),
        nn.Linear(4096, 4096),
        nn.Linear(4096, 1000),
    )


@pytest.fixture(scope="module")
def table():
    with torch.device("meta"):
        return layer_table(alexnet(), (3, 227, 227))


def compute(cases: list[dict]) -> list[dict]:
    """What the stepper's arithmetic makes of them, in node."""
    return in_node("compute_tables.js", cases)


def as_input(channels: int, side: int) -> dict:
    return {"channels": channels, "side": side}


def random_layer(rng: random.Random, channels: int) -> dict:
    """A layer's settings; about a third of them are impossible."""
    kind = rng.choice(["Conv2d", "Conv2d", "MaxPool2d", "AvgPool2d"])
    layer = {
        "name": "layer",
        "kind": kind,
        "kernel": rng.randint(1, 12),
        "stride": rng.randint(1, 6),
        "padding": rng.randint(0, 5),
    }
    if kind != "AvgPool2d":
        layer["dilation"] = rng.choice([1, 1, 1, 2, 3])
    if kind == "Conv2d":
        layer["out_channels"] = rng.choice([1, 2, 4, 6, 8, 12])
        layer["groups"] = rng.choice([1, 1, 1, 2, 3, 4])
        layer["bias"] = rng.choice([True, False])
    else:
        layer["ceil_mode"] = rng.choice([True, False])
    if rng.random() < 0.05:
        spoilt = rng.choice(["kernel", "stride", "padding"])
        layer[spoilt] = -1 if spoilt == "padding" else 0
    return layer


def build(layer: dict, channels: int) -> nn.Module:
    """The PyTorch module of these settings; raises where PyTorch does."""
    window = [layer["kernel"], layer["stride"], layer["padding"]]
    if layer["kind"] == "AvgPool2d":
        return nn.AvgPool2d(*window, ceil_mode=layer["ceil_mode"])
    window.append(layer["dilation"])
    if layer["kind"] == "MaxPool2d":
        return nn.MaxPool2d(*window, ceil_mode=layer["ceil_mode"])
    return nn.Conv2d(
        channels,
        layer["out_channels"],
        *window,
        groups=layer["groups"],
        bias=layer["bias"],
    )


def run_torch(layer: dict, channels: int, side: int):
    """(output shape, parameters), or None where PyTorch raises."""
    # stride=0 would mean "the kernel" to nn.MaxPool2d, not zero.
    if layer["kernel"] < 1 or layer["stride"] < 1:
        return None
    try:
        module = build(layer, channels)
        output = module(torch.zeros(1, channels, side, side))
    except (RuntimeError, ValueError, ZeroDivisionError):
        return None
    return tuple(output.shape[1:]), sum(p.numel() for p in module.parameters())


def test_single_layers_agree_with_pytorch():
    rng = random.Random(2012)
    cases, expected = [], []
    for _ in range(2000):
        channels, side = rng.choice([1, 2, 3, 4, 6, 8]), rng.randint(1, 30)
        layer = random_layer(rng, channels)
        cases.append({"input": as_input(channels, side), "layers": [layer]})
        expected.append(run_torch(layer, channels, side))
    impossible = expected.count(None)
    assert 400 < impossible < 1600, "both kinds must be well represented"
    for case, want, got in zip(cases, expected, compute(cases), strict=True):
        row = got["rows"][1]
        if want is None:
            assert row["state"] == "impossible", case
            assert row["problem"]["text"] and row["problem"]["fix"], case
        else:
            shape = (row["channels"], row["side"], row["side"])
            assert (shape, row["parameters"]) == want, case


def test_the_way_out_works():
    """Taking the offered fix, again where needed, always ends in a layer
    that PyTorch accepts."""
    rng = random.Random(1)
    cases = []
    for _ in range(500):
        channels, side = rng.choice([2, 3, 6]), rng.randint(1, 12)
        layer = random_layer(rng, channels)
        cases.append({"input": as_input(channels, side), "layers": [layer]})
    for _ in range(5):
        for case, got in zip(cases, compute(cases), strict=True):
            problem = got["rows"][1].get("problem")
            if problem:
                field, value = problem["field"], problem["fix"]["value"]
                case["layers"][0][field] = value
    for case in cases:
        layer, start = case["layers"][0], case["input"]
        assert run_torch(layer, start["channels"], start["side"]), case


def unread_columns(layer: dict, channels: int, padded: int) -> int:
    """Columns at the right edge that have no influence on the output."""
    image = torch.ones(1, channels, padded, padded, requires_grad=True)
    module = build(layer | {"padding": 0}, channels)
    nn.init.ones_(module.weight)
    module(image).sum().backward()
    return padded - 1 - int(image.grad[0, 0, 0].nonzero().max())


def test_unread_pixels_are_those_without_a_gradient():
    rng = random.Random(4)
    cases = []
    while len(cases) < 300:
        channels, side = rng.choice([1, 2]), rng.randint(1, 30)
        layer = random_layer(rng, channels)
        if layer["kind"] == "Conv2d" and run_torch(layer, channels, side):
            start = as_input(channels, side)
            cases.append({"input": start, "layers": [layer]})
    remainders = 0
    for case, got in zip(cases, compute(cases), strict=True):
        layer, start = case["layers"][0], case["input"]
        padding = layer["padding"]
        padded = start["side"] + 2 * padding
        unread = unread_columns(layer, start["channels"], padded)
        assert got["rows"][1]["unread"] == unread, case
        hint = got["hints"][0]
        remainders += unread > 0
        assert (f"a remainder of {unread}:" in hint) == (unread > 0), case
        only_padding = 0 < unread <= padding
        assert ("no pixel is lost" in hint) == only_padding, case
    assert 50 < remainders < 250


def random_chain(rng: random.Random):
    """A small network, its input and the stepper's layers for it."""
    channels, side = rng.choice([1, 3]), rng.randint(16, 64)
    shape, modules, layers = (channels, side), [], []
    for _ in range(rng.randint(1, 5)):
        layer = random_layer(rng, shape[0])
        found = run_torch(layer, *shape)
        if found is None:
            continue
        modules.append(build(layer, shape[0]))
        layers.append(layer)
        shape = found[0][:2]
    features = shape[0] * shape[1] ** 2
    modules.append(nn.Flatten())
    for units in (7, 5):
        bias = rng.random() < 0.5
        modules.append(nn.Linear(features, units, bias, device="meta"))
        layers.append(
            {
                "name": "fc",
                "kind": "Linear",
                "in_features": rng.choice([features, None]),
                "out_features": units,
                "bias": bias,
            }
        )
        features = units
    return nn.Sequential(*modules), as_input(channels, side), layers


def test_chains_agree_with_layer_table():
    rng = random.Random(27)
    chains = [random_chain(rng) for _ in range(200)]
    cases = [{"input": i, "layers": layers} for _, i, layers in chains]
    for (net, start, _), got in zip(chains, compute(cases), strict=True):
        side = start["side"]
        table = layer_table(net, (start["channels"], side, side))
        want = [layer for layer in table.layers if layer.kind != "Flatten"]
        assert (got["parameters"], got["macs"]) == (
            table.parameters,
            table.macs,
        )
        for layer, row in zip(want, got["rows"][1:], strict=True):
            for key in ("parameters", "macs", "receptive_field", "jump"):
                assert row[key] == getattr(layer, key), (net, key)


def handed_over(html: str) -> dict:
    """What the figure hands to its script."""
    figure = BeautifulSoup(html, "html.parser").select_one(".shape_stepper")
    return json.loads(figure["data-figure"])


def named_alexnet_html(table) -> str:
    changes = {"0": {"padding": 2}}
    presets = [("227", "", 227, {}), ("224", "", 224, {})]
    return shape_stepper(table, [*presets, ("p2", "", 224, changes)]).data


def test_alexnet_and_its_presets(table):
    data = handed_over(named_alexnet_html(table))
    cases = []
    for preset in data["presets"]:
        layers = [
            layer | preset["changes"].get(layer["name"], {})
            for layer in data["layers"]
        ]
        cases.append({"input": as_input(3, preset["side"]), "layers": layers})
    works, paper, torchvision = compute(cases)
    assert works["parameters"] == torchvision["parameters"] == 60_965_224
    assert works["macs"] == torchvision["macs"] == 724_406_816
    sides = [row.get("side") for row in paper["rows"]]
    assert sides[:9] == [224, 54, 26, 26, 12, 12, 12, 12, 5]
    assert "9,216" in paper["stopped"]["problem"]["text"]
    assert "6,400" in paper["stopped"]["problem"]["text"]
    assert paper["rows"][-1]["state"] == "unreachable"
    assert paper["parameters"] is None


def test_notes_name_the_layers_that_keep_the_size(table):
    layers = handed_over(named_alexnet_html(table))["layers"]
    assert layers[0]["notes"] == "ReLU · LRN"
    kinds = {layer["kind"] for layer in layers}
    assert kinds == {"Conv2d", "MaxPool2d", "Linear"}


def test_html(table):
    html = named_alexnet_html(table)
    assert html == named_alexnet_html(table)
    check_html("shape_stepper", html)
    # Without JavaScript there is still the table.
    assert "60,965,224" in html.split("<script>")[0]
    assert len(html) < 60_000


def test_the_chapter_is_stored_with_these_scripts(table):
    check_stored("shape_stepper", named_alexnet_html(table))


@pytest.mark.parametrize(
    "settings",
    [
        dict(kernel_size=11, stride=4),
        dict(kernel_size=11, stride=4, padding=2),
        dict(kernel_size=3, padding=1, dilation=2),
        dict(kernel_size=7, stride=2, padding=3),
    ],
    ids=str,
)
def test_the_answer_to_the_guess(settings):
    """One pixel more, by PyTorch's own convolution."""
    for side in (224, 227, 230):
        layer = nn.Conv2d(3, 2, **settings)
        before, after = (
            layer(torch.zeros(1, 3, n, n)).shape[-1] for n in (side, side + 1)
        )
        table = layer_table(nn.Sequential(layer), (3, side, side))
        guess = handed_over(shape_stepper(table, ()).data)["guess"]
        assert f"makes maps {before} wide" in guess["question"]
        assert guess["answer"] == after
        assert guess["explain"].split(".")[0].endswith(f"= {after}")
        assert ("not enough" in guess["explain"]) == (before == after)


def test_a_network_of_linear_layers_asks_nothing():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    table = layer_table(net, (1, 2, 2))
    assert "guess" not in handed_over(shape_stepper(table, ()).data)


def test_figures_it_cannot_follow_are_refused(table):
    with pytest.raises(ValueError, match="conv1.*the layers are 0, 3"):
        shape_stepper(table)  # its presets are for a layer called conv1
    refused = {
        "BatchNorm2d": nn.BatchNorm2d(3),
        "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d(1),
    }
    for words, module in refused.items():
        with pytest.raises(ValueError, match=words):
            shape_stepper(layer_table(nn.Sequential(module), (3, 8, 8)), ())
    with pytest.raises(ValueError, match="square"):
        shape_stepper(layer_table(nn.Sequential(nn.ReLU()), (3, 8, 9)), ())


def test_adaptive_pooling_is_refused_even_where_it_keeps_the_size():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(6))
    with pytest.raises(ValueError, match="AdaptiveAvgPool2d"):
        shape_stepper(layer_table(net, (3, 8, 8)), ())


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 4, (3, 5)),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 4, 3, stride=(1, 2)),
        nn.MaxPool2d((2, 3)),
        nn.AvgPool2d(3, stride=(2, 1)),
    ],
    ids=str,
)
def test_windows_that_are_no_squares_are_refused(module):
    table = layer_table(nn.Sequential(module), (3, 8, 8))
    with pytest.raises(ValueError, match=r"0 \(.*one whole number"):
        shape_stepper(table, ())


def test_manners(engine, table, tmp_path):
    html = named_alexnet_html(table)
    check_manners(engine, tmp_path, "shape_stepper", html)


WORKS = "It fits: 1,000 outputs, 60,965,224 parameters, 724,406,816 MACs."


def test_a_reader_drives_the_figure(engine, table, tmp_path):
    html = named_alexnet_html(table)
    engine.open(page_of(tmp_path, html, html))
    stepper = "#figure1 .shape_stepper"
    fields = f"{stepper}-open input"

    def says(start: str) -> None:
        text = engine.text(f"{stepper}-summary")
        assert text.startswith(start), text

    says(WORKS)
    engine.click(f"{stepper}-preset", 1)
    says(
        "It stops at 13. 13 was built with weights for 9,216 inputs, but "
        "256 × 5 × 5 = 6,400 arrive."
    )
    engine.click(f"{stepper}-way")
    says("It fits: 1,000 outputs, 49,430,888 parameters (−11,534,336),")
    engine.click(f"{stepper} button", "Reset")
    says(WORKS)
    dots = "return getComputedStyle(node, '::before').content;"
    assert engine.on(f"{stepper}-value", 1, dots) == "none"
    engine.click(f"{stepper}-preset", 1)
    assert "•" in engine.on(f"{stepper}-changed .shape_stepper-value", 0, dots)
    engine.click(f"{stepper} button", "Reset")
    # By keyboard: the second layer opens, the first closes.
    engine.focus(f"{stepper} button.shape_stepper-row", 1)
    engine.press("Enter")
    assert engine.count(f"{stepper} [aria-expanded=true]") == 1
    # The layers are one stop of the Tab key, and so are a layer's settings.
    engine.press("ArrowDown", "ArrowUp", "Tab", "ArrowRight", "ArrowRight")
    focus = "return document.activeElement.value"
    assert engine.run(focus) == engine.value(fields, 2) == "0"
    engine.fill(fields, "2", 2)
    says("It stops at 3. Padding 2 is more than half of the 3 × 3 window")
    engine.fill(fields, "1", 2)
    says("It fits: 1,000 outputs, 60,965,224 parameters, 741,302,816")
    engine.press("ArrowUp")
    says("It stops at 3. Padding 2 is more than half of the 3 × 3 window")
    engine.press("ArrowDown")
    engine.fill(fields, "99", 0)
    says(
        "It stops at 3. The 99 × 99 window does not fit: the map that "
        "arrives is 55 × 55, with its padding 57 × 57."
    )
    engine.fill(fields, "", 0)
    says("It stops at 3. The kernel must be a whole number from 1 to 9,999.")
    assert engine.attribute(fields, "aria-invalid") == "true"
    engine.click(f"{stepper}-open .shape_stepper-way")
    says("It stops at 3. Padding 1 is more than half of the 1 × 1 window")
    shown = [engine.value(fields, i) for i in range(engine.count(fields))]
    assert shown == ["1", "2", "1"]
    assert engine.count("[aria-expanded=true]") == 2, "one in each figure"
    engine.wait_for(f"{stepper}-body + [role=status]", "Padding 1 is more")
    assert engine.text("#figure2 .shape_stepper-summary") == WORKS
    assert engine.said == []
