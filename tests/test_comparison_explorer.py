"""The comparison explorer: its JavaScript against Python, its manners."""

import copy
import json
import math
import random
from functools import cache

import pytest
from bs4 import BeautifulSoup
from torch import nn

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import comparison_explorer
from utils.shapes import layer_table


def compute(*cases: list) -> list:
    """What functions of the figure's arithmetic return: [name, *arguments]."""
    return in_node("compare_networks.js", cases)


@cache
def made_up(width: int, side: int = 32) -> dict:
    """The costs of a small network for images of this side."""
    net = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.Flatten(),
        nn.Linear(2 * width * (side // 4) ** 2, 10),
    )
    return {
        "layers": layer_table(net, (3, side, side)),
        "memory": 4096 * width,
        "latency": {
            1: (0.09 * width, 0.1 * width, 0.125 * width),
            128: (1.75 * width, 2.0 * width, 2.5 * width),
        },
    }


def logs_of(costs: dict, *accuracies: float, data="cifar10") -> list[dict]:
    """What `recorded` returns, as far as the figure reads it."""
    table = costs["layers"]
    return [
        {
            "seed": seed,
            "parameters": table.parameters,
            "macs": table.macs,
            "pflops": 0.03,
            "data": {"name": data},
            "epochs": [{}, {}, {}],
            "hardware": {"device": "machine <1>"},
            "precision": "bfloat16",
            "test": {"accuracy": accuracy, "images": 10_000},
        }
        for seed, accuracy in enumerate(accuracies)
    ]


CHAPTERS = {"Small": "02_alexnet", "Odd <&>": "03_vgg", "Large": "06_resnet"}
WIDTHS = dict(zip(CHAPTERS, (4, 16, 64), strict=True))
CLOCK = "clock <2>, 2 threads"
C10 = ("CIFAR-10", "0.03 PFLOPs")
LONG = ("CIFAR-10", "0.12 PFLOPs")
FASHION = ("Fashion-MNIST", "0.03 PFLOPs")


@pytest.fixture(scope="module")
def arguments() -> tuple[dict, dict, str]:
    """Three networks; "Odd" has more weights than "Small" and errs more."""
    networks = {
        title: {
            "chapter": CHAPTERS[title],
            "costs": {
                "CIFAR-10": made_up(width),
                "Fashion-MNIST": made_up(width, 28),
            },
        }
        for title, width in WIDTHS.items()
    }

    def logs(title, data, *accuracies):
        name = {"CIFAR-10": "cifar10"}.get(data, "fashion-mnist")
        return logs_of(networks[title]["costs"][data], *accuracies, data=name)

    settings = {
        C10: {
            "Small": logs("Small", C10[0], 0.7, 0.72, 0.74),
            "Odd <&>": logs("Odd <&>", C10[0], 0.65, 0.66, 0.7),
            "Large": logs("Large", C10[0], 0.8),
        },
        LONG: {
            "Small": logs("Small", LONG[0], 0.75, 0.77),
            "Large": logs("Large", LONG[0], 0.9),
        },
        FASHION: {
            title: logs(title, FASHION[0], 0.9 + 0.01 * i, 0.91 + 0.01 * i)
            for i, title in enumerate(networks)
        },
    }
    return networks, settings, CLOCK


@cache
def example() -> str:
    """A crowded figure: ten long names, and in one setting all alike."""
    networks = {
        f"Network {'wide ' * (i % 2)}{i}": {
            "chapter": "06_resnet",
            "costs": {"CIFAR-10": made_up(4 + i)},
        }
        for i in range(10)
    }
    settings = {
        setting: {
            title: logs_of(
                network["costs"]["CIFAR-10"],
                *(0.8 + spread * ((7 * i) % 10 + seed) for seed in range(3)),
            )
            for i, (title, network) in enumerate(networks.items())
        }
        for setting, spread in ((C10, 0.01), (LONG, 0.0001))
    }
    return comparison_explorer(networks, settings, CLOCK).data


@pytest.fixture(scope="module")
def figure(arguments) -> str:
    html = comparison_explorer(*arguments).data
    assert html == comparison_explorer(*arguments).data, "not repeatable"
    return html


def settings_of(html: str) -> list[dict]:
    node = BeautifulSoup(html, "html.parser")
    packed = node.select_one(".comparison_explorer")["data-figure"]
    return json.loads(packed)["settings"]


# The arithmetic


def dominated(points: list[dict], point: dict) -> bool:
    """By the definition, in other words than the figure's."""
    return any(
        other["x"] <= point["x"]
        and other["error"] <= point["error"]
        and (other["x"], other["error"]) != (point["x"], point["error"])
        for other in points
    )


def test_the_line_is_of_those_to_whom_none_is_preferable():
    rng = random.Random(8)
    cases = [
        [
            # Few values, so that many are equal in one or in both.
            {"x": rng.randint(1, 6), "error": rng.randint(1, 6), "name": i}
            for i in range(rng.randint(1, 10))
        ]
        for _ in range(60)
    ]
    lines = compute(*(["frontier", points] for points in cases))
    for points, line in zip(cases, lines, strict=True):
        right = [point for point in points if not dominated(points, point)]
        assert sorted(p["name"] for p in line) == [p["name"] for p in right]
        assert [p["x"] for p in line] == sorted(p["x"] for p in line)
        errors = [p["error"] for p in line]
        assert errors == sorted(errors, reverse=True)


def test_mean_and_range_are_those_of_the_seeds():
    accuracies = [0.7, 0.72, 0.755]
    error, accuracy = compute(
        *(
            ["measured", {"accuracies": accuracies}, kind]
            for kind in ("error", "accuracy")
        )
    )
    want = {"mean": 72.5, "low": 70, "high": 75.5}
    assert accuracy == pytest.approx(want)
    want = {"mean": 27.5, "low": 24.5, "high": 30}
    assert error == pytest.approx(want)


def test_axes_hold_their_values_and_have_round_ticks():
    rng = random.Random(1)
    cases = [[0.03], [5, 5], [1, 7.9], [1, 8.1], [886_440, 59_338_752]]
    for _ in range(200):
        low = 10 ** rng.uniform(-3, 9)
        cases.append([low, low * 10 ** rng.uniform(0.0, 4)])
    axes = compute(*(["axisFor", values, 6] for values in cases))
    for values, axis in zip(cases, axes, strict=True):
        low, high = min(values), max(values)
        assert axis["isLog"] == (high >= 8 * low), values
        into = math.log10 if axis["isLog"] else float
        assert axis["from"] < into(low) <= into(high) < axis["to"]
        ticks = axis["ticks"]
        assert 2 <= len(ticks) <= 6 and ticks == sorted(set(ticks)), values
        for tick in ticks:
            assert axis["from"] <= into(tick) <= axis["to"]
            digits = f"{tick:.9e}".partition("e")[0].rstrip("0")
            assert len(digits) <= 4, f"{tick} is not round: {values}"
    logarithmic, plain = axes[4], axes[2]
    shares = compute(
        ["share", logarithmic, 10 ** logarithmic["from"]],
        ["share", logarithmic, 10 ** logarithmic["to"]],
        ["share", plain, (plain["from"] + plain["to"]) / 2],
    )
    assert shares == pytest.approx([0, 1, 0.5])


def test_numbers_are_short():
    cases = {
        83_126: "83.1 k",
        50_000: "50 k",
        100_000: "100 k",
        1_000_000: "1 M",
        1_500_000: "1.5 M",
        59_338_752: "59.3 M",
        0.029887: "0.0299",
        0.1 + 0.2: "0.3",
        20: "20",
        100: "100",
    }
    told = compute(*(["amount", n] for n in cases))
    assert told == [text.replace(" ", "\u00a0") for text in cases.values()]


def test_the_nearest_mark_is_found_if_it_is_near():
    marks = [{"x": 10, "y": 10}, {"x": 20, "y": 10}]
    asked = ([14, 10], [17, 12], [20, 40])
    found = compute(*(["nearest", marks, at, 24] for at in asked))
    assert found == [0, 1, -1]
    assert compute(["nearest", [], [0, 0], 24]) == [-1]


def overlaps(a: dict, b: dict) -> bool:
    return min(a["right"], b["right"]) > max(a["left"], b["left"]) and min(
        a["bottom"], b["bottom"]
    ) > max(a["top"], b["top"])


def test_no_label_lies_on_another_or_on_a_mark():
    """As on a phone: ten long names, also where all marks are in a heap."""
    rng = random.Random(3)
    area = {"left": 10, "top": 20, "right": 280, "bottom": 298}
    cases = []
    for spread in (1, 5, 20, 60, 130):
        for _ in range(2):
            marks = [
                {
                    "x": 145 + rng.uniform(-spread, spread),
                    "y": 159 + rng.uniform(-spread, spread),
                }
                for _ in range(10)
            ]
            sizes = [[rng.uniform(35, 110), 22] for _ in marks]
            cases.append((marks, sizes))
    found = compute(*(["placeLabels", *case, area, []] for case in cases))
    for (marks, sizes), boxes in zip(cases, found, strict=True):
        for i, box in enumerate(boxes):
            size = box["right"] - box["left"], box["bottom"] - box["top"]
            assert size == pytest.approx(sizes[i])
            for start, end in (("left", "right"), ("top", "bottom")):
                assert area[start] <= box[start] <= box[end] <= area[end]
            assert not any(overlaps(box, other) for other in boxes[:i])
            for mark in marks:
                dot = {
                    "left": mark["x"] - 4,
                    "right": mark["x"] + 4,
                    "top": mark["y"] - 4,
                    "bottom": mark["y"] + 4,
                }
                assert not overlaps(box, dot)


def test_each_network_fits_into_its_drawing(figure):
    rows = settings_of(figure)[0]["rows"]
    (channel,) = compute(["channelWidth", rows, 300])
    widths = [
        sum(channel * layer[0] + 1 for layer in row["layers"]) for row in rows
    ]
    assert max(widths) == pytest.approx(300)


def test_the_words(figure):
    setting, long, _ = settings_of(figure)
    small, odd, large = setting["rows"]
    told = compute(
        ["lineText", setting, "parameters"],
        ["missingText", setting],
        ["missingText", long],
        ["errorText", setting],
        ["layersText", small["layers"]],
    )
    assert told == [
        "On the line: Small, Large.",
        "",
        "Not recorded in this setting: Odd <&>.",
        "A vertical line goes from the lowest to the highest seed. Not drawn "
        "is the binomial error of 10,000 test images, up to 0.5 points (one "
        "standard error).",
        "2 convolutions, the first with maps of 32 × 32, the last of 8 × 8, "
        "at most 8 channels; 1 fully connected layer.",
    ]
    costs = compute(
        ["costText", small, "latency1", CLOCK],
        ["costText", small, "latency128", CLOCK],
        ["costText", small, "memory", CLOCK],
        ["headText", small, "latency128", CLOCK],
        ["headText", small, "parameters", CLOCK],
    )
    assert costs == [
        f"0.4\u00a0ms (0.36\u00a0to\u00a00.5), {CLOCK}",
        f"8\u00a0ms (7\u00a0to\u00a010), {CLOCK}",
        "0.0164\u00a0MB",
        f"latency, batch 128, ms on {CLOCK}",
        "parameters",
    ]
    (timed,) = compute(["summaries", setting, "latency1", "error"])
    assert (
        ", latency, batch 1: 0.4\u00a0ms (0.36\u00a0to\u00a00.5). "
        in dict(timed)["Small"]
    )
    assert summaries(setting, "macs", "error") == {
        "Small": "Small on CIFAR-10, 0.03 PFLOPs: test error 28.0\u00a0% "
        "(26.0 to 30.0\u00a0% over 3 seeds), MACs: "
        f"{small['macs'] / 1e3:.0f}\u00a0k. It lies on the line.",
        "Odd <&>": "Odd <&> on CIFAR-10, 0.03 PFLOPs: test error "
        "33.0\u00a0% (30.0 to 35.0\u00a0% over 3 seeds), MACs: "
        f"{odd['macs'] / 1e3:.0f}\u00a0k. Preferable: Small.",
        "Large": "Large on CIFAR-10, 0.03 PFLOPs: test error 20.0\u00a0% "
        f"(1 seed), MACs: {large['macs'] / 1e6:.2f}\u00a0M. It lies on the "
        "line.",
    }


def summaries(setting: dict, cost: str, measure: str) -> dict[str, str]:
    """What is said of each network of a setting."""
    (told,) = compute(["summaries", setting, cost, measure])
    return dict(told)


# The figure


def test_html(figure):
    check_html("comparison_explorer", figure)
    assert len(figure) < 50_000


def test_without_a_script_there_are_a_chart_and_a_table(figure):
    still = BeautifulSoup(figure.split("<script>")[0], "html.parser")
    small = settings_of(figure)[0]["rows"][0]
    charts, tables = still.select("svg"), still.select("table")
    assert len(charts) == len(tables) == 3
    # The best is first; the dot is the mean, the line goes over the seeds.
    head = [cell.text for cell in tables[0].select("thead th")]
    rows = [
        dict(
            zip(
                head,
                [cell.text for cell in row.select("th, td")],
                strict=True,
            )
        )
        for row in tables[0].select("tbody tr")
    ]
    assert [row["network"] for row in rows] == ["Large", "Small", "Odd <&>"]
    assert rows[1] == {
        "network": "Small",
        "test error": "28.0%",
        "seeds": "30.0, 28.0, 26.0",
        "PFLOPs": "0.03",
        "M parameters": f"{small['parameters'] / 1e6:.3g}",
        "M MACs": f"{small['macs'] / 1e6:.3g}",
        "MB activations": "0.0164",
        "ms, batch 1": "0.4 (0.36\u00a0to\u00a00.5)",
        "ms, batch 128": "8 (7\u00a0to\u00a010)",
    }
    for table, setting in zip(tables, settings_of(figure), strict=True):
        caption = f"{setting['name']}. Latency on {CLOCK}: the median of all "
        caption += "recordings, and in brackets their lowest and their "
        caption += "highest tenth"
        assert table.caption.text == caption
    xs = [float(dot["cx"]) for dot in charts[0].select("circle")]
    assert xs == sorted(xs) and len(xs) == 3
    assert "Not recorded here: Odd <&>." in still.text


def test_what_the_page_gets(figure):
    first, long, fashion = settings_of(figure)
    small = first["rows"][0]
    table = made_up(4)["layers"]
    assert small["macs"] == table.macs
    assert small["layers"] == [[4, 32], [8, 8], [10]]
    assert small["memory"] == 4096 * 4 / 1e6
    assert small["machines"] == ["machine <1>, bfloat16"]
    assert (small["latency1"], small["latency128"]) == (0.4, 8)
    assert small["ranges"] == {"latency1": [0.36, 0.5], "latency128": [7, 10]}
    assert [row["name"] for row in long["rows"]] == ["Small", "Large"]
    assert long["missing"] == ["Odd <&>"]
    assert fashion["rows"][0]["layers"][0] == [4, 28]


def test_the_chapter_is_stored_with_these_scripts(figure):
    check_stored("comparison_explorer", figure)


def test_manners(engine, figure, tmp_path):
    check_manners(engine, tmp_path, "comparison_explorer", figure)


def test_a_reader_drives_the_figure(engine, figure, tmp_path):
    engine.open(page_of(tmp_path, figure, figure))
    own = "#figure1 .comparison_explorer"
    first, long, fashion = settings_of(figure)

    def summary() -> str:
        return engine.text(f"{own}-summary")

    def pressed() -> str:
        return engine.text(f"{own}-plot [aria-pressed=true]")

    # It begins with the lowest error, which is the one stop of the Tab key.
    expected = summaries(first, "parameters", "error")
    assert summary() == expected["Large"]
    assert engine.count(f"{own}-plot [tabindex='0']") == 1
    engine.focus(f"{own}-plot [tabindex='0']")
    # The arrows choose, from the cheapest on.
    engine.press("ArrowLeft")
    assert summary() == expected["Odd <&>"] and pressed() == "Odd <&>"
    engine.press("Home")
    assert summary() == expected["Small"]
    engine.wait_for(f"{own}-body + [role=status]", expected["Small"])
    assert engine.text(f"{own}-title a") == "chapter 2"
    assert engine.attribute(f"{own}-title a", "href") == "02_alexnet.html"
    # The card's drawing: two convolutions and a layer without a side.
    assert engine.count(f"{own}-maps") == 2
    assert engine.count(f"{own}-vector") == 1
    card = engine.text(f"{own}-values")
    assert "30.0, 28.0, 26.0" in card
    assert f"0.4\u00a0ms (0.36\u00a0to\u00a00.5), {CLOCK}" in card
    assert f"8\u00a0ms (7\u00a0to\u00a010), {CLOCK}" in card
    # A press on a name or on a mark.
    engine.click(f"{own}-plot button", "Odd <&>")
    assert summary() == expected["Odd <&>"]
    # Other axes: the table follows.
    engine.click(f"{own} label", "latency, batch 1")
    engine.click(f"{own} label", "test accuracy")
    expected = summaries(first, "latency1", "accuracy")
    assert summary() == expected["Odd <&>"]
    cells = [
        engine.text(f"{own} tbody tr:first-child :is(th, td)", i)
        for i in range(4)
    ]
    assert cells == [
        "Small",
        "0.4 (0.36\u00a0to\u00a00.5)",
        "72.0\u00a0%",
        "70.0, 72.0, 74.0\u00a0%",
    ]
    head = engine.text(f"{own} thead th", 1)
    assert head == f"latency, batch 1, ms on {CLOCK}"
    # Where it was not recorded, the best is chosen instead, and that is said.
    engine.click(f"{own} label", "CIFAR-10, 0.12 PFLOPs")
    missing = "Not recorded in this setting: Odd <&>."
    assert summary() == summaries(long, "latency1", "accuracy")["Large"]
    engine.wait_for(f"{own}-body + [role=status]", missing)
    shown = f"{own}-plot button:not([hidden])"
    assert engine.count(shown) == engine.count(f"{own}-mark") == 2
    # The other data set, and still the network that was chosen last.
    engine.click(f"{own} label", "Fashion-MNIST, 0.03 PFLOPs")
    told = summaries(fashion, "latency1", "accuracy")["Large"]
    assert summary() == told
    other = engine.text("#figure2 .comparison_explorer-summary")
    assert other.startswith("Large on CIFAR-10, 0.03 PFLOPs: test error")
    assert engine.said == []


def test_a_pointer_on_a_mark_chooses_it(chromium, figure, tmp_path):
    chromium.open(page_of(tmp_path, figure))
    boxes = [
        chromium.find(".comparison_explorer-mark", i).bounding_box()
        for i in range(3)
    ]
    for box, name in zip(boxes, CHAPTERS, strict=True):
        x, y = (
            box[start] + box[size] / 2
            for start, size in (("x", "width"), ("y", "height"))
        )
        chromium.page.mouse.move(x + 3, y - 3)
        summary = chromium.text(".comparison_explorer-summary")
        assert summary.startswith(f"{name} on CIFAR-10")
    # Away from all of them nothing is chosen.
    chromium.page.mouse.move(2, 2)
    assert chromium.text(".comparison_explorer-summary") == summary


def test_on_paper_the_data_of_the_chart_are_open(chromium, figure, tmp_path):
    chromium.open(page_of(tmp_path, figure))
    table = chromium.page.locator(".comparison_explorer-scroll table")
    assert not table.is_visible()
    chromium.page.emulate_media(media="print")
    assert table.is_visible()


# What is refused


def with_change(arguments, change) -> tuple[dict, dict, str]:
    networks, settings, timed_on = copy.deepcopy(arguments)
    change(networks, settings)
    return networks, settings, timed_on


def latency_of(networks: dict) -> dict:
    return networks["Large"]["costs"]["CIFAR-10"]["latency"]


def first_log(settings: dict) -> dict:
    return settings[C10]["Small"][0]


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda n, s: s.clear(), "settings: none, so no logs at all"),
        (
            lambda n, s: s[LONG].clear(),
            "CIFAR-10, 0.12 PFLOPs: no logs at all; record",
        ),
        (
            lambda n, s: n["Small"].update(chapter="02_alex"),
            r"Small, CIFAR-10.*no chapter '02_alex'; there are 01_rep",
        ),
        (
            lambda n, s: n.pop("Small"),
            "Small: none of the networks; they are Odd",
        ),
        (
            lambda n, s: n["Small"]["costs"].pop("CIFAR-10"),
            "no costs for 'CIFAR-10', only for Fashion-MNIST; name the data",
        ),
        (
            lambda n, s: first_log(s)["data"].update(name="fashion-mnist"),
            "a log is of 'cifar10', others of 'fashion-mnist'",
        ),
        (
            lambda n, s: first_log(s).update(parameters=7),
            r"a log is of 7 parameters and [\d,]+ MACs, the layers have",
        ),
        (
            lambda n, s: first_log(s)["test"].update(accuracy=math.nan),
            "accuracy is nan; wanted a finite number above 0, at most 1",
        ),
        (
            lambda n, s: first_log(s)["test"].update(accuracy=73.5),
            "accuracy is 73.5; wanted .* at most 1: record it again",
        ),
        (
            lambda n, s: n["Large"]["costs"]["CIFAR-10"].update(
                memory=math.inf
            ),
            "Large, CIFAR-10, 0.03 PFLOPs: memory is inf; wanted a finite",
        ),
        (
            lambda n, s: n["Large"]["costs"]["CIFAR-10"]["latency"].pop(128),
            "latency128 is None; wanted three numbers: the lowest tenth",
        ),
        (
            lambda n, s: latency_of(n).update({1: 6.4}),
            "latency1 is 6.4; wanted three numbers: the lowest tenth",
        ),
        (
            lambda n, s: latency_of(n).update({1: (3, 2, 4)}),
            "latency1 is 3; wanted a finite number above 0, at most 2",
        ),
        (
            lambda n, s: latency_of(n).update({1: (1, 2, math.nan)}),
            "latency1 is nan; wanted a finite number above 0",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, change, words):
    with pytest.raises(ValueError, match=words):
        comparison_explorer(*with_change(arguments, change))


def test_without_the_latencies_machine_there_is_no_figure(arguments):
    with pytest.raises(ValueError, match="timed_on: '' names no machine"):
        comparison_explorer(*arguments[:2], "")
