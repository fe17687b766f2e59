"""The network viewer: its arithmetic in node, and what a reader does."""

import base64
import gzip
import io
import itertools
import json
import re
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image
from safetensors.torch import load as from_safetensors
from torch import nn
from torch.nn import functional as F

from tests.figure_checks import (
    ROOT,
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
    stored_figures,
)
from utils.chapters import definitions
from utils.data import Split
from utils.figures import network_viewer
from utils.network_file import save, to_bytes

AXE = (ROOT / "tests/vendor/axe.min.js").read_text("utf-8")
NAMES = ("cat & <dog>", *"bcdefghij")
MEAN, STD = torch.tensor([0.5, 0.4, 0.45]), torch.tensor([0.25, 0.24, 0.26])
VIEWER = ".network_viewer"


@pytest.fixture(scope="module")
def chapter() -> dict:
    return definitions(ROOT / "chapters/06_resnet.ipynb")


def trained(net: nn.Module) -> nn.Module:
    """As if it had been: no statistic of a batch norm is a default."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    nn.init.normal_(net[-1].weight, 0, 0.02)
    return net.eval()


@pytest.fixture(scope="module")
def net(chapter) -> nn.Module:
    """The smallest network of chapter 6, with three blocks."""
    torch.manual_seed(0)
    return trained(chapter["cifar_net"](1, chapter["residual"]("A")))


@pytest.fixture(scope="module")
def pictures() -> Split:
    torch.manual_seed(2)
    images = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    # Large spots, which tell the pictures apart more than noise would.
    images[:, :, 8:20, 10:26] = torch.tensor([250, 20, 130]).view(3, 1, 1, 1)
    return Split(images, torch.tensor([0, 4, 9]), MEAN, STD)


def described(names=NAMES) -> dict:
    return dict(input_shape=(3, 32, 32), mean=MEAN, std=STD, class_names=names)


@pytest.fixture(scope="module")
def html(net, pictures) -> str:
    """With weights as they are, so that numbers can be compared."""
    guess = {"question": "How many?", "answer": 7, "explain": "Count them."}
    file = to_bytes(net, **described(), accuracy=0.625)
    return network_viewer(file, pictures, NAMES, guess=guess).data


@torch.no_grad()
def says(net, image, off=()) -> tuple[torch.Tensor, list]:
    """Probabilities, and each block's mean map and |F(x)| / |x|."""
    x = (image[None] / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    x, seen = net[0](x), []
    for place, block in enumerate(net[1]):
        path, correction = block.shortcut(x), block.function(x)
        x = F.relu(path if place in off else path + correction)
        seen.append((x[0].mean(0), (correction.norm() / path.norm()).item()))
    return net[4](x.mean((2, 3))).softmax(1)[0], seen


# The arithmetic


def packed(numbers: np.ndarray) -> dict:
    return {"bytes": numpy_list(numbers)}


def numpy_list(numbers) -> list:
    return np.asarray(numbers).flatten().tolist()


def file_of(picture: Image.Image, kind: str, **settings) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def picture_files() -> dict[str, tuple[bytes, dict]]:
    """Pictures as files, and what is to be known of them."""
    some = Image.effect_noise((30, 20), 80).convert("RGB")
    other = some.rotate(180)
    moving = dict(save_all=True, append_images=[other], duration=100)
    exif = Image.Exif()
    exif[0x112] = 6
    motorola = exif.tobytes()
    intel = Image.Exif()
    intel.endian = "<"
    intel[0x112] = 3
    upright = Image.Exif()
    upright[0x112] = 1
    return {
        "PNG": (file_of(some, "PNG"), {"animated": False}),
        "APNG": (file_of(some, "PNG", **moving), {"animated": True}),
        "GIF": (file_of(some, "GIF"), {"animated": False}),
        "moving GIF": (file_of(some, "GIF", **moving), {"animated": True}),
        "WebP": (file_of(some, "WEBP"), {}),
        "WebP, lossless": (file_of(some, "WEBP", lossless=True), {}),
        "WebP with alpha": (
            file_of(some.convert("RGBA"), "WEBP", exact=True),
            {},
        ),
        "moving WebP": (file_of(some, "WEBP", **moving), {"animated": True}),
        "JPEG": (file_of(some, "JPEG"), {"turned": False, "inks": False}),
        "progressive JPEG": (
            file_of(some, "JPEG", progressive=True),
            {"turned": False, "inks": False},
        ),
        "CMYK": (
            file_of(some.convert("CMYK"), "JPEG"),
            {"turned": False, "inks": True},
        ),
        "turned": (
            file_of(some, "JPEG", exif=motorola),
            {"turned": True, "inks": False},
        ),
        "turned, little-endian": (
            file_of(some, "JPEG", exif=intel),
            {"turned": True, "inks": False},
        ),
        "not turned": (
            file_of(some, "JPEG", exif=upright),
            {"turned": False, "inks": False},
        ),
        "BMP": (file_of(some, "BMP"), {}),
    }


def test_what_a_picture_file_says_about_itself():
    files = picture_files()
    cases = [
        {
            "call": "pictureFacts",
            "args": [{"base64": base64.b64encode(content).decode()}],
        }
        for content, _ in files.values()
    ]
    for (name, (_, facts)), found in zip(
        files.items(), in_node("view_networks.js", cases), strict=True
    ):
        assert (found["width"], found["height"]) == (30, 20), name
        for key, value in {"animated": False, **facts}.items():
            assert found.get(key, False) == value, (name, key)


def test_no_picture_and_half_a_picture():
    contents = [b"", b"P", b"PK\3\4 and more", b"<svg/>", bytes(300)]
    contents += [
        content[:length]
        for content, _ in picture_files().values()
        for length in (2, 12, 20, 27)
    ]
    cases = [
        {
            "call": "pictureFacts",
            "args": [{"base64": base64.b64encode(content).decode()}],
        }
        for content in contents
    ]
    found = in_node("view_networks.js", cases)  # and none of them hangs
    assert found[:5] == [None] * 5


def shares(old: int, new: int) -> np.ndarray:
    """How much of each new pixel lies on each old one."""
    edges = np.linspace(0, old, new + 1)
    left = np.maximum(edges[:-1, None], np.arange(old))
    right = np.minimum(edges[1:, None], np.arange(old) + 1)
    return np.clip(right - left, 0, None) * new / old


@pytest.mark.parametrize(("old", "new"), [(64, 32), (45, 28), (5, 32), (9, 9)])
def test_scaling_takes_the_mean_of_areas_on_white(old, new):
    rgba = np.random.default_rng(0).integers(0, 256, (old, old, 4))
    case = {"call": "scaled", "args": [packed(rgba), old, new]}
    (got,) = in_node("view_networks.js", [case])
    share = rgba[..., 3:] / 255
    flat = share * rgba[..., :3] + 255 * (1 - share)
    want = np.einsum(
        "yr,xc,rck->kyx", shares(old, new), shares(old, new), flat
    )
    assert np.abs(np.reshape(got, want.shape) - want).max() <= 0.5001


def test_grey_colour_negative_and_edge():
    colour = np.random.default_rng(1).integers(0, 256, (3, 6, 6))
    grey = colour[0]
    spot = np.zeros((3, 6, 6), int)
    spot[:, 1:-1, 1:-1] = 200
    cases = [
        {"call": "withChannels", "args": [packed(colour), 3, 1]},
        {"call": "withChannels", "args": [packed(grey), 1, 3]},
        {"call": "withChannels", "args": [packed(colour), 3, 3]},
        {"call": "exchanged", "args": [packed(colour)]},
        {"call": "edgeMean", "args": [packed(spot), 6]},
        {"call": "edgeMean", "args": [packed(255 - spot), 6]},
        {"call": "resized", "args": [packed(spot), 3]},
    ]
    as_grey, as_colour, same, negative, dark, light, small = in_node(
        "view_networks.js", cases
    )
    picture = Image.fromarray(colour.astype(np.uint8).transpose(1, 2, 0))
    pillow = np.asarray(picture.convert("L")).astype(int).flatten()
    assert np.abs(pillow - as_grey).max() <= 1
    assert as_colour == 3 * numpy_list(grey)
    assert same == numpy_list(colour)
    assert negative == numpy_list(255 - colour)
    assert (dark, light) == (0, 255)
    assert small == 3 * [50, 100, 50, 100, 200, 100, 50, 100, 50]


def test_pixels_are_normalised_as_in_training(pictures):
    image = pictures.images[0]
    case = {
        "call": "normalised",
        "args": [packed(image), MEAN.tolist(), STD.tolist()],
    }
    (got,) = in_node("view_networks.js", [case])
    want = (image / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    torch.testing.assert_close(torch.tensor(got), want.flatten())


def test_squares_lie_everywhere(pictures):
    sides = [*range(1, 40), 64, 224, 299]
    cases = [{"call": "squarePlaces", "args": [side]} for side in sides]
    for side, plan in zip(
        sides, in_node("view_networks.js", cases), strict=True
    ):
        starts, square, step = plan["starts"], plan["square"], plan["step"]
        assert starts[0] == 0 and len(starts) <= 13
        assert side - step < starts[-1] + square <= side
        if side == 32:  # as the chapter does it
            assert (square, step, len(starts)) == (8, 2, 13)

    image = pictures.images[0].clone()
    case = {"call": "coveredAt", "args": [packed(image), 32, 8, 3, 24]}
    (got,) = in_node("view_networks.js", [case])
    image[:, 3:11, 24:32] = 128
    assert got == numpy_list(image)


class Sums(nn.Module):
    """An addition of equals, and one of the picture itself: no blocks."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)
        )
        self.last = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 10))

    def forward(self, x):
        y = self.a(x) + x
        return self.last(self.b(y) + self.c(y))


class Projected(nn.Module):
    """F first or the path first, without ReLU behind: both are blocks."""

    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 1)
        )
        self.path = nn.Conv2d(3, 4, 1)
        self.g = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
        )

    def forward(self, x):
        x = self.path(x) + self.f(x)
        return self.last(self.g(x) + x).softmax(1)


def small_description(side: int) -> dict:
    return described() | {"input_shape": (3, side, side)}


def base64_of(net: nn.Module, side: int = 4) -> dict:
    file = to_bytes(net.eval(), **small_description(side))
    return {"base64": base64.b64encode(file).decode()}


def test_blocks_and_class_maps_are_recognised(chapter):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(48, 10))
    pooled = nn.Sequential(  # an average that leaves more than one value
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 10)
    )
    mean = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(3, 10))
    cifar_net, residual = chapter["cifar_net"], chapter["residual"]
    nets = {
        "A": cifar_net(3, residual("A")),
        "B": cifar_net(1, residual("B")),
        "plain": cifar_net(1, chapter["plain"]),
        "sums": Sums(),
        "projected": Projected(),
        "linear": linear,
        "pooled": pooled,
        "mean": mean,
    }
    large = {"A", "B", "plain"}
    files = [base64_of(n, 32 if k in large else 4) for k, n in nets.items()]
    cases = [{"call": "residualBlocks", "args": [file]} for file in files]
    cases += [{"call": "classMapNodes", "args": [file]} for file in files]
    found = in_node("view_networks.js", cases)
    blocks = dict(zip(nets, found, strict=False))
    maps = dict(zip(nets, found[len(nets) :], strict=True))

    assert [b["correction"] for b in blocks["A"]] == [
        f"1.{place}.function.2.0" for place in range(9)
    ]
    shapes = [[16, 32, 32], [32, 16, 16], [64, 8, 8]]
    assert [b["shape"] for b in blocks["A"]] == [
        shapes[place // 3] for place in range(9)
    ]
    # The path is what F got, but where option A changes its shape.
    assert blocks["A"][1]["path"] == blocks["A"][0]["end"]
    assert blocks["A"][3]["path"] != blocks["A"][2]["end"]
    assert len(blocks["B"]) == 3
    assert blocks["plain"] == blocks["sums"] == blocks["linear"] == []
    assert [(b["correction"], b["path"]) for b in blocks["projected"]] == [
        ("f.2", "path"),
        ("g", blocks["projected"][0]["end"]),
    ]

    assert maps["A"] == {"maps": blocks["A"][-1]["end"], "linear": "4"}
    last = blocks["projected"][-1]["end"]
    assert maps["projected"] == {"maps": last, "linear": "last.2"}
    # A pooling may have padding, so only an adaptive average is a mean.
    for name in ("sums", "linear", "pooled", "mean"):
        assert maps[name] is None, name


def test_blocks_out_as_in_pytorch(chapter, pictures):
    """Probabilities, mean maps and ratios, with no, one, some, all out."""
    torch.manual_seed(0)
    net = trained(chapter["cifar_net"](3, chapter["residual"]("A")))
    images = pictures.images[:2]
    x = (images / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    inputs = [image.flatten().tolist() for image in x]
    settings = [[], [3], [1, 3, 5, 7], list(range(9))]
    file = base64_of(net, 32)
    cases = [{"call": "blocks", "args": [file, inputs, s]} for s in settings]
    answers = set()
    for off, got in zip(
        settings, in_node("view_networks.js", cases), strict=True
    ):
        for image, result in zip(images, got, strict=True):
            want, seen = says(net, image, off)
            probabilities = torch.tensor(result["probabilities"])
            torch.testing.assert_close(probabilities, want, atol=1e-4, rtol=0)
            answers.add(tuple(result["probabilities"]))
            for place, (mean_map, ratio) in enumerate(seen):
                block = result["blocks"][place]
                torch.testing.assert_close(
                    torch.tensor(block["map"]),
                    mean_map.flatten(),
                    atol=1e-3,
                    rtol=1e-3,
                )
                ratio = 0 if place in off else ratio
                assert block["ratio"] == pytest.approx(ratio, rel=1e-3)
    # Else the comparison would prove nothing about the switches.
    assert len(answers) == len(settings) * len(images)
    assert max(map(max, answers)) < 0.999


# The HTML


def data_of(html: str) -> dict:
    """What the figure was given, with its pictures as bytes again."""
    root = BeautifulSoup(html, "html.parser").select_one(VIEWER)
    data = json.loads(root["data-figure"])
    kind, content = data["pictures"].split(",")
    assert kind == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    side = data["shape"][1]
    rows = torch.from_numpy(np.array(image)).view(-1, side, side, 3)
    data["images"] = rows.permute(0, 3, 1, 2)[:, : data["shape"][0]]
    data["file"] = gzip.decompress(
        base64.b64decode(root.get("data-network", ""))
    )
    return data


def test_html(net, pictures, html):
    check_html("network_viewer", html)
    assert "<dog>" not in html
    data = data_of(html)
    assert torch.equal(data["images"], pictures.images)
    assert data["file"] == to_bytes(net, **described(), accuracy=0.625)
    assert data["labels"] == [0, 4, 9] and data["names"] == list(NAMES)


def test_equal_networks_give_equal_html(net, pictures):
    first, second = (
        network_viewer(net, pictures, NAMES, accuracy=0.5).data
        for _ in range(2)
    )
    assert first == second
    file = data_of(first)["file"]
    assert from_safetensors(file)["4.weight"].abs().max() == 31, "six bits"
    head = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
    about = json.loads(head["__metadata__"]["network"])
    assert about["accuracy"] == 0.5
    assert about["input_shape"] == [3, 32, 32]


def test_the_chapters_are_stored_with_these_scripts(html):
    check_stored("network_viewer", html)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "maps"}, "mode='maps'.*layers, where, blocks"),
        ({"class_names": NAMES[:9]}, r"labels are \[0, 4, 9\].*0 to 8"),
        ({"class_names": (*NAMES, "k")}, "11 class names.*10 classes"),
        ({"images": torch.zeros(3, 3, 32, 28).byte()}, r"32, 28.*H, H"),
        ({"images": torch.zeros(3, 2, 32, 32).byte()}, r"2, 32.*N, 3, H, H"),
        ({"accuracy": 89.0}, "accuracy is 89.*from 0 to 1"),
        ({"network": nn.Flatten()}, "answers.*|class names"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(net, pictures, change, message):
    images = change.pop("images", pictures.images)
    given = {
        "network": net,
        "pictures": Split(images, pictures.labels, MEAN, STD),
        "class_names": NAMES,
    }
    with pytest.raises(ValueError, match=message):
        network_viewer(**given | change)


# What a reader does


def shown(engine, root=VIEWER) -> dict[str, float]:
    """The probabilities that stand beside the bars, in percent."""
    rows = engine.run(
        "return [...document.querySelectorAll(arguments[0])].map((row) =>"
        "  [...row.children].map((part) => part.textContent));",
        f"{root}-row",
    )
    return {name: float(number.split()[0]) for name, _, number in rows}


def summary(engine, root=VIEWER) -> str:
    return engine.text(f"{root}-summary")


def agree(engine, probabilities, names=NAMES) -> None:
    """What is shown is what PyTorch says, to the last digit shown."""
    numbers = shown(engine)
    assert list(numbers) == list(names)
    for got, want in zip(numbers.values(), 100 * probabilities, strict=True):
        assert abs(got - want) < 0.06
    best = names[probabilities.argmax()]
    assert f"says {best}, " in summary(engine)


def ready(engine, path, html, **how) -> None:
    engine.open(page_of(path, html), **how)
    engine.wait_for(f"{VIEWER}-summary", "The network says")


def test_manners(engine, tmp_path, html):
    check_manners(engine, tmp_path, "network_viewer", html)


def test_a_reader_switches_blocks(engine, tmp_path, html, net, pictures):
    ready(engine, tmp_path, html, width=500)
    assert engine.text(f"{VIEWER} .network_viewer-caption").endswith(
        "It is right on 62.5\u00a0% of the test images."
    )
    agree(engine, says(net, pictures.images[0])[0])
    engine.click(f"{VIEWER} button", "Residual blocks")
    titles = [engine.text(f"{VIEWER}-title", i) for i in range(3)]
    assert titles == [
        "Stage 1: 16 maps of 32 × 32",
        "Stage 2: 32 maps of 16 × 16",
        "Stage 3: 64 maps of 8 × 8",
    ]
    switch, picture = f"{VIEWER}-switch", f"{VIEWER}-picture"
    steps = [
        (lambda: None, 0, []),
        (lambda: engine.click(switch, 1), 0, [1]),
        (lambda: engine.click(switch, 2), 0, [1, 2]),
        (lambda: engine.click(picture, 1), 1, [1, 2]),
        (lambda: engine.click(f"{VIEWER} button", "All on"), 1, []),
    ]
    for act, which, off in steps:
        act()
        probabilities, blocks = says(net, pictures.images[which], off)
        agree(engine, probabilities)
        words = summary(engine)
        start = f"Off: {', '.join(str(i + 1) for i in off)}. The"
        assert words.startswith(start if off else "All blocks on. The")
        truth = (0, 4, 9)[which]
        right = probabilities.argmax() == truth
        assert words.endswith(
            ": right." if right else f"picture of class {NAMES[truth]}."
        )
        for i, (_, ratio) in enumerate(blocks):
            wanted = "adds 0" if i in off else f"{ratio:.2f} |x|"
            assert engine.text(f"{VIEWER}-amount", i) == wanted
            state = engine.attribute(switch, "aria-checked", i)
            assert state == str(i not in off).lower()
    right = sum(
        says(net, image)[0].argmax() == label
        for image, label in zip(pictures.images, pictures.labels, strict=True)
    )
    score = f"{VIEWER} div:not([hidden]) > .network_viewer-caption"
    last = engine.count(score) - 1
    engine.wait_for(score, f"this setting: {right} right.", last)
    # What is spoken is the last of these changes.
    engine.wait_for(f"{VIEWER}-body + [role=status]", "All blocks on.")
    engine.click(f"{VIEWER} button", "One at random off")
    assert engine.count(f"{switch}[aria-checked=false]") == 1
    # In another panel all blocks are on.
    engine.click(f"{VIEWER} button", "Maps of a layer")
    agree(engine, says(net, pictures.images[1])[0])
    wide = "return document.documentElement.scrollWidth"
    assert engine.run(wide) <= 500 and engine.said == []


def caption(engine) -> str:
    """What stands under the maps, or under the map of where it looks."""
    script = (
        "return [...document.querySelectorAll(arguments[0])].find((node) =>"
        "  node.offsetParent).textContent;"
    )
    return engine.run(script, f"{VIEWER}-body > div > {VIEWER}-caption")


def test_a_reader_looks_into_layers(engine, tmp_path, html, net, pictures):
    ready(engine, tmp_path, html)
    layers = f"{VIEWER} select"
    x = (pictures.images[:1] / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    with torch.no_grad():
        maps = net[1](net[0](x))[0]
    silent = (maps.amax((1, 2)) == 0).sum()
    names = engine.run(
        "return [...document.querySelector(arguments[0]).options]"
        "  .map((option) => [option.value, option.textContent]);",
        layers,
    )
    assert ["4", "4: linear, 10"] in names
    (last,) = [v for v, words in names if words.endswith("relu, 64 × 8 × 8")][
        -1:
    ]
    engine.choose(layers, last)
    assert engine.count(f"{VIEWER}-maps canvas") == 64
    assert caption(engine).startswith("64 maps of 8 × 8, each from black")
    assert caption(engine).endswith(f"Zero everywhere: {silent}.")
    engine.choose(layers, "4")
    assert engine.count(f"{VIEWER}-maps canvas") == 1
    best = says(net, pictures.images[0])[0].argmax()
    assert caption(engine).startswith("10 numbers")
    assert caption(engine).endswith(f"which is number {best + 1}.")


@torch.no_grad()
def lost_by_covering(net, image, label: int) -> torch.Tensor:
    """As in chapter 6: probability lost by covering each place."""
    starts = range(0, 25, 2)
    covered = image.repeat(169, 1, 1, 1)
    for place, (top, left) in enumerate(itertools.product(starts, starts)):
        covered[place, :, top : top + 8, left : left + 8] = 128
    x = (covered / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    return says(net, image)[0][label] - net(x).softmax(1)[:, label]


def test_a_reader_asks_where_it_looks(engine, tmp_path, html, net, pictures):
    ready(engine, tmp_path, html)
    engine.click(f"{VIEWER} button", "Where does it look?")
    cover = (
        f"{VIEWER}-body > div:not([hidden]) .network_viewer-controls button"
    )
    engine.click(cover)
    assert engine.text(cover) == "Stop"
    engine.click(cover)
    assert caption(engine) == "Stopped."
    assert engine.text(cover) == "Cover it, square by square"

    select = f"{VIEWER}-body > div:not([hidden]) select"
    engine.choose(select, "4", 0)
    engine.click(cover)
    engine.wait_for(f"{VIEWER}-summary", "With the square at row")
    lost = lost_by_covering(net, pictures.images[0], 4)
    row, column = divmod(lost.argmax().item(), 13)
    before = says(net, pictures.images[0])[0][4]
    assert summary(engine) == (
        f"With the square at row {2 * row + 1}, column {2 * column + 1}, "
        f"{NAMES[4]} falls from {before:.1%} to {before - lost.max():.1%}."
    ).replace("%", "\u00a0%")
    assert "of 8 × 8 was laid on 169 places" in caption(engine)

    engine.choose(select, "map", 1)
    x = (pictures.images[:1] / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    with torch.no_grad():
        logit = net(x)[0, 4] - net[4].bias[4]
    number = f"{logit:.2f}".replace("-", "−")
    assert f"8 × 8 numbers, {number}, is the logit" in caption(engine)
    assert engine.said == []


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize(
    ("scheme", "ground"),
    [("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 25, 29)")],
)
def test_a_reader_without_a_mouse(
    chromium, tmp_path, html, scheme, ground, width
):
    engine = chromium
    ready(engine, tmp_path, html, width=width, scheme=scheme)
    engine.focus(f"{VIEWER}-picture")
    engine.press("ArrowRight", "Enter")
    pressed = f"{VIEWER}-picture[aria-pressed=true]"
    assert engine.text(pressed) == NAMES[4]
    engine.focus(f"{VIEWER} button", "Residual blocks")
    engine.press("Enter", "Tab", "Space")
    assert summary(engine).startswith("Off: 1. The network says ")
    focus = "return document.activeElement.textContent"
    assert engine.run(focus) == "Block 1 off"
    engine.run(AXE + ";window.axe = axe;")
    for tab in ("Residual blocks", "Where does it look?", "Maps of a layer"):
        engine.click(f"{VIEWER} button", tab)
        found = engine.page.evaluate(
            "axe.run().then((r) => r.violations.map((v) => v.id + ': ' +"
            "  v.nodes.map((node) => node.html.slice(0, 80))))"
        )
        assert found == [], tab
        assert (
            engine.run("return document.documentElement.scrollWidth") <= width
        )
    assert ground == engine.on(
        VIEWER, 0, "return getComputedStyle(node).backgroundColor"
    )
    assert engine.said == []


def test_what_is_chosen_shows_in_forced_colours(chromium, tmp_path, html):
    engine = chromium
    ready(engine, tmp_path, html)
    engine.page.emulate_media(forced_colors="active")
    engine.click(f"{VIEWER} button", "Residual blocks")
    engine.click(f"{VIEWER}-switch", 1)
    border = "const look = getComputedStyle(node); return look.border;"
    for kind, state in (
        ("picture", "pressed"),
        ("switch", "checked"),
        ("buttons button", "pressed"),
    ):
        chosen, other = (
            engine.on(f"{VIEWER}-{kind}[aria-{state}={which}]", 0, border)
            for which in ("true", "false")
        )
        assert chosen != other, kind


# What a reader brings


def note(engine) -> str:
    return engine.text(f"{VIEWER}-note")


def told(engine, words: str) -> None:
    engine.wait_for(f"{VIEWER}-note", words)


def colour(engine, x: float, y: float) -> list[int]:
    """The colour of the chosen picture, at shares of its side."""
    script = (
        "const copy = document.createElement('canvas');"
        "const context = copy.getContext('2d');"
        "context.drawImage(node, 0, 0);"
        "const at = (share) => Math.floor(share * node.width);"
        "return [...context.getImageData(at(arguments[2]),"
        "  at(arguments[3]), 1, 1).data].slice(0, 3);"
    )
    return engine.on(f"{VIEWER}-top canvas", 0, script, x, y)


def is_usable(engine, net, pictures) -> None:
    """The second picture gets its answer, then the first one again."""
    for which in (1, 0):
        engine.click(f"{VIEWER}-picture", which)
        agree(engine, says(net, pictures.images[which])[0])
        assert note(engine) == ""


def two_halves(mode: str = "RGB", size=(64, 48)) -> Image.Image:
    """Red above, blue below."""
    picture = Image.new("RGB", size, (250, 5, 5))
    picture.paste((5, 5, 250), (0, size[1] // 2, *size))
    return picture.convert(mode)


def test_pictures_of_the_readers_own(engine, tmp_path, html, net, pictures):
    ready(engine, tmp_path, html)
    file = tmp_path / "mine.png"

    # A photograph, given in each of the ways: the same answer, PyTorch's.
    photo = np.random.default_rng(3).integers(0, 256, (100, 80, 3))
    file.write_bytes(file_of(Image.fromarray(photo.astype(np.uint8)), "PNG"))
    area = shares(80, 32)
    want = np.einsum("yr,xc,rck->kyx", area, area, photo[10:90])
    want = says(net, torch.tensor(want.round()).byte())[0]
    paste = (
        "const clipboardData = new DataTransfer();"
        "clipboardData.items.add(window.mine);"
        "const event = new Event('paste', { bubbles: true });"
        "node.dispatchEvent(Object.assign(event, { clipboardData }));"
    )
    remember = (
        "node.addEventListener('change', () =>"
        "  { window.mine = node.files[0]; }, { capture: true });"
    )
    field = f"{VIEWER} input[type=file]"
    engine.on(field, 0, remember)
    for give in (
        lambda: engine.give(field, file, 0),
        lambda: engine.drop(f"{VIEWER}-picture", file),
        lambda: engine.on(f"{VIEWER}-picture", 0, paste),
    ):
        give()
        told(engine, "“mine.png”. Its middle square of 80 × 80 pixels")
        assert "a picture of none of them gets one all the same" in note(
            engine
        )
        assert not summary(engine).endswith(("right.", f"{NAMES[0]}."))
        agree(engine, want)
        assert engine.count(f"{VIEWER}-picture[aria-pressed=true]") == 0
        is_usable(engine, net, pictures)

    red, blue, white = [250, 5, 5], [5, 5, 250], [255, 255, 255]
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned clockwise by a quarter
    turned = {"exif": exif, "quality": 95}
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    clear.paste((250, 5, 5, 255), (0, 0, 40, 20))
    moving = {
        "save_all": True,
        "append_images": [two_halves().rotate(180)],
        "duration": 50,
        "loop": 0,
    }
    for content, words, corners in (
        (file_of(two_halves(), "JPEG", quality=95), "48 × 48", (red, blue)),
        (file_of(two_halves(), "JPEG", **turned), "turned", (blue, blue)),
        (file_of(two_halves(), "GIF", **moving), "first picture", (red, blue)),
        (file_of(two_halves(), "PNG", **moving), "first picture", (red, blue)),
        (file_of(clear, "PNG"), "put on white", (red, white)),
        (file_of(two_halves("CMYK"), "JPEG", quality=95), "four inks", None),
        (file_of(two_halves(size=(2, 2)), "PNG"), "only 2 × 2", (red, blue)),
        (file_of(two_halves(size=(1, 1)), "PNG"), "only 1 × 1", (blue, blue)),
        (file_of(two_halves(size=(3000, 9)), "WEBP"), "9 × 9", None),
    ):
        file.write_bytes(content)
        engine.drop(VIEWER, file)
        told(engine, words)
        if corners:  # left, above and below
            for share, want in zip((0.1, 0.9), corners, strict=True):
                got = np.array(colour(engine, 0.1, share))
                assert np.abs(got - want).max() < 12, words
    is_usable(engine, net, pictures)
    assert engine.said == []


def test_what_is_no_picture_gets_a_sentence(
    engine, tmp_path, html, net, pictures
):
    ready(engine, tmp_path, html)
    huge = bytearray(file_of(two_halves(), "PNG"))
    huge[16:24] = (20_000).to_bytes(4, "big") * 2
    damaged = bytearray(file_of(two_halves(), "PNG"))
    damaged[40:] = bytes(len(damaged) - 40)
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    before = summary(engine)
    for name, content, words in (
        ("a.png", b"", "“a.png” is empty"),
        ("notes.txt", b"milk, bread", "neither a picture"),
        ("model.bin", b"PK\3\4" + bytes(99), "neither a picture"),
        ("a.png", damaged, "cannot be read by this browser"),
        ("a.svg", drawing, "cannot be read by this browser"),
        ("huge.png", huge, "20,000 × 20,000 pixels and 64 million"),
        ("b.png", 41_000_000, "has 41 MB"),
    ):
        file = tmp_path / name
        if isinstance(content, int):
            with file.open("wb") as sparse:
                sparse.truncate(content)
        else:
            file.write_bytes(content)
        engine.drop(VIEWER, file)
        told(engine, words)
        assert engine.count(f"{VIEWER}-trouble") == 1
        assert summary(engine) == before
    # Words or a link that were dropped, not a file.
    engine.on(
        VIEWER,
        0,
        "const dataTransfer = new DataTransfer();"
        "node.dispatchEvent(new DragEvent('drop',"
        "  { dataTransfer, bubbles: true, cancelable: true }));",
    )
    told(engine, "That was no file")
    is_usable(engine, net, pictures)
    assert engine.said == []


def with_header(file: bytes, change) -> bytes:
    """The file with `change` made to the text of its header."""
    size = int.from_bytes(file[:8], "little")
    header = change(file[8 : 8 + size].decode()).encode()
    return len(header).to_bytes(8, "little") + header + file[8 + size :]


def tiny_net(channels: int = 3, classes: int = 2) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, classes),
    ).eval()


def test_what_is_no_network_gets_a_sentence(
    engine, tmp_path, html, net, pictures
):
    ready(engine, tmp_path, html)
    good = to_bytes(tiny_net(), **described("xy"))
    broken = tiny_net()
    state = io.BytesIO()
    torch.save(broken.state_dict(), state)
    with torch.no_grad():
        bias = tiny_net()[0].bias.numpy().tobytes()
    nan = good.replace(bias, np.full(4, np.nan, "<f4").tobytes())
    assert nan != good
    wide = described("xy") | {"input_shape": (3, 32, 16)}
    two = described("xy") | {"input_shape": (2, 32, 32)}
    two |= {"mean": 0.5, "std": 0.5}
    header = int.from_bytes(good[:8], "little")
    before = summary(engine)
    for name, content, words in (
        ("a.safetensors", b"", "is empty"),
        ("a.safetensors", b"milk, bread", "“a.safetensors”: "),
        ("a.safetensors", good[: len(good) - 40], "“a.safetensors”: "),
        ("a.safetensors", good[: 8 + header // 2], "“a.safetensors”: "),
        ("a.safetensors", good[:5], "“a.safetensors”: "),
        (
            "other.safetensors",
            with_header(good, lambda text: text.replace("network", "netware")),
            "“other.safetensors”: ",
        ),
        (
            "newer.safetensors",
            with_header(good, lambda text: text.replace("relu", "rule")),
            "“rule”",
        ),
        (
            "newer.safetensors",
            with_header(
                good,
                lambda text: text.replace(
                    '\\"version\\": 1', '\\"version\\": 7'
                ),
            ),
            "newer",
        ),
        (
            "sizes.safetensors",
            with_header(
                good,
                lambda text: text.replace(
                    '\\"input_shape\\": [3', '\\"input_shape\\": [1'
                ),
            ),
            "“sizes.safetensors”: ",
        ),
        ("nan.safetensors", nan, "NaN"),
        ("wide.safetensors", to_bytes(tiny_net(), **wide), "has squares"),
        ("two.safetensors", to_bytes(tiny_net(2), **two), "grey (1) or in"),
        ("a.pt", state.getvalue(), "torch.save"),
        ("a.safetensors", state.getvalue(), "torch.save"),
        ("large.safetensors", 200_000_000, "has 200 MB"),
    ):
        file = tmp_path / name
        if isinstance(content, int):
            with file.open("wb") as sparse:
                sparse.truncate(content)
        else:
            file.write_bytes(content)
        engine.drop(VIEWER, file)
        told(engine, words)
        assert summary(engine) == before
        # A sentence, and not what a program says to a programmer.
        assert re.search(r"[.?]$", note(engine)), note(engine)
        assert not re.search(r"undefined|JSON|NaN:|TypeError", note(engine))
    is_usable(engine, net, pictures)
    assert engine.said == []


def test_networks_of_the_readers_own(engine, tmp_path, html, net, pictures):
    """In colour and in grey, of another size, and back again."""
    ready(engine, tmp_path, html)
    file, grey_file = tmp_path / "mine.safetensors", tmp_path / "g.safetensors"
    mine = tiny_net()
    save(mine, file, **described(("this", "that")), accuracy=0.75)
    engine.give(f"{VIEWER} input[type=file]", file, 1)
    about = f"{VIEWER} .network_viewer-caption"
    engine.wait_for(about, "“mine.safetensors” runs here")
    assert "3 × 32 × 32 and 2 classes" in engine.text(about)
    assert engine.text(about).endswith(
        "right on 75.0\u00a0% of the test images."
    )
    x = (pictures.images[:1] / 255 - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    with torch.no_grad():
        agree(engine, mine(x).softmax(1)[0], ("this", "that"))
    # It has no blocks, and no class by the name of the picture's.
    assert engine.on(
        f"{VIEWER} button", "Residual blocks", "return node.hidden;"
    )
    assert summary(engine).endswith("%.")

    grey = tiny_net(1)
    how = dict(input_shape=(1, 16, 16), mean=0.4, std=0.3)
    save(grey, grey_file, **how, class_names=("this", "that"))
    engine.drop(f"{VIEWER}-top", grey_file)
    told(engine, "fitted to this network: to 16 × 16, grey.")
    halves = pictures.images[0].double().unfold(1, 2, 2).unfold(2, 2, 2)
    small = halves.mean((3, 4)).round()
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    image = (weights @ small.flatten(1)).round().view(1, 1, 16, 16)
    with torch.no_grad():
        want = grey(((image / 255 - 0.4) / 0.3).float()).softmax(1)[0]
    agree(engine, want, ("this", "that"))

    # A light picture for a network that knows light on black.
    file = tmp_path / "light.png"
    file.write_bytes(file_of(Image.new("RGB", (16, 16), "white"), "PNG"))
    engine.drop(VIEWER, file)
    told(engine, "exchange the two")
    assert colour(engine, 0.5, 0.5) == [255, 255, 255]
    engine.click(f"{VIEWER} button", "Exchange light and dark")
    assert colour(engine, 0.5, 0.5) == [0, 0, 0]
    assert "exchange the two" not in note(engine)

    engine.click(f"{VIEWER} button", "Back to the chapter’s network")
    focus = "return document.activeElement.textContent"
    assert engine.run(focus) == "Open a network of yours …"
    is_usable(engine, net, pictures)
    assert engine.said == []


# In the built pages

CHAPTERS = (
    *("02_alexnet", "03_vgg", "04_nin", "05_googlenet"),
    *("06_resnet", "07_densenet"),
)


def saved_by_the_chapters_line(name: str, net, split, names) -> None:
    """Run the one cell of a chapter that saves a network, for this one."""
    file = ROOT / f"chapters/{name}.ipynb"
    (line,) = (
        cell.source
        for cell in nbformat.read(file, as_version=4).cells
        if cell.cell_type == "code" and cell.source.startswith("save(")
    )
    result = {"accuracy": 0.5}
    known = {"save": save, "net": net, "trained": net, "test": split}
    data = SimpleNamespace(test=split, class_names=names)
    known |= {"data": data, "final": result}
    known |= {"names": names, "class_names": names}
    known |= {"own_runs": [{"test": result}]}
    known |= {"last": {"validation_accuracy": 0.5}}
    exec(line, known | {"resnet_20": [{"test": result}]})


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_saved_network_is_dropped_into_the_built_page(
    engine, tmp_path, monkeypatch, net, name
):
    """From disk; and the chapter's own comes from the script beside it."""
    page = ROOT / f"_build/html/chapters/{name}.html"
    assert page.exists(), "no pages to test; first: make book"
    engine.open(page)
    data = data_of(engine.run("return document.documentElement.outerHTML;"))
    names = [f"class {i}" for i in range(10)]
    mine = net if data["shape"][0] == 3 else tiny_net(1, 10)
    mean, std = torch.rand(2, data["shape"][0]) + 0.2
    split = Split(data["images"], torch.tensor(data["labels"]), mean, std)
    monkeypatch.chdir(tmp_path)
    saved_by_the_chapters_line(name, mine, split, names)

    engine.drop(VIEWER, tmp_path / "my-network.safetensors")
    about = f"{VIEWER}-body > {VIEWER}-caption"
    engine.wait_for(about, "“my-network.safetensors” runs here")
    x = (split.images / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    with torch.no_grad():
        probabilities = mine(x).softmax(1)
    for which in (0, 7):
        engine.click(f"{VIEWER}-picture", which)
        agree(engine, probabilities[which], names)
    engine.click(f"{VIEWER} button", "Back to the chapter’s network")
    assert engine.text(about).startswith("The network of this chapter")
    assert list(shown(engine)) == data["names"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_network_lies_in_a_script_beside_the_page(name):
    page = ROOT / f"_build/html/chapters/{name}.html"
    root = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    (viewer,) = root.select(VIEWER)
    assert "data-network" not in viewer.attrs
    script = page.parent / viewer["data-network-script"]
    assert script.parent == page.parent / "../_networks"
    assert script.stat().st_size < 400_000
    (stored,) = (
        html
        for html in stored_figures("network_viewer")
        if script.read_text().split('"')[1] in html
    )
    assert data_of(stored)["names"] == data_of(str(viewer))["names"]


def test_networks_are_moved_out_of_pages(tmp_path):
    sys.path.insert(0, str(ROOT / "_ext"))
    try:
        from bookext import move_networks
    finally:
        sys.path.pop(0)
    context = {
        "body": '<p data-network="QUJD"></p><p data-network="REVG"></p>',
        "pathto": lambda address, resource: f"../{address}",
    }
    app = SimpleNamespace(outdir=tmp_path)
    move_networks(app, "chapters/a", "page.html", context, None)
    scripts = re.findall(
        r'<p data-network-script="\.\./(_networks/\w{16}\.js)">',
        context["body"],
    )
    assert [(tmp_path / script).read_text() for script in scripts] == [
        f'document.currentScript.dataset.network = "{text}";\n'
        for text in ("QUJD", "REVG")
    ]
    move_networks(app, "search", "search.html", {}, None)  # without a body
