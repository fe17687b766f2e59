"""Figures that move are for every reader: by keyboard, narrow, dark, printed.

Each figure of the chapters, with today's scripts. The checks that look at
pages are in tests/access_checks.py, and proved here where they are a figure's.
"""

import base64
import importlib
import json

import pytest
from bs4 import BeautifulSoup

from tests.access_checks import (
    SPACING,
    TEXT_SIZES,
    alike_when_pressed,
    axe,
    crowded,
    faint_marks,
    unseen_focus,
)
from tests.figure_checks import page_of, stored_figures
from tests.test_figures import NAMES
from utils.figures.frame import figure

LONG = pytest.mark.long("every reader's needs in all figures")
EVERY = pytest.mark.parametrize("name", NAMES)

# What shows most: every value changed, the largest kernel, all blocks, ...
STATES = {
    "channel_mixer": ["two layers: neither end", "one mix: brightness"],
    "class_map_viewer": [1, 5],  # of the buttons, whose words are numbers
    "kernel_lab": ["edge, left to right", "learned"],
    "shape_stepper": ["224, padding 2torchvision’s answer"],
    "growing_network": ["VGG E", "Add a block"],
    "network_viewer": [
        "Maps of a layer",
        "Where does it look?",
        "Residual blocks",
    ],
    "inception_builder": ["4e", "No reductions"],
    "growing_block": ["Twice the layers", "Twice the k"],
    "reuse_map": ["3", "weight"],
    "comparison_explorer": [
        "training compute",
        "CIFAR-10 (JPEG copy), 0.12 PFLOPs",
        "test accuracy",
    ],
}


def of_a_chapter(name: str) -> str:
    """A figure as the chapters have it, with the scripts of today."""
    # Of the network viewers the one with switches, which shows most.
    stored = max(
        stored_figures(name),
        key=lambda x: "&quot;blocks" in x or '"mode": "blocks"' in x,
    )
    node = BeautifulSoup(stored, "html.parser").select_one(f".{name}")
    network = node.get("data-network")
    module = importlib.import_module(f"utils.figures.{name}")
    return figure(
        name,
        json.loads(node["data-figure"]),
        "",
        scripts=getattr(module, "SCRIPTS", ()),
        network=network and base64.b64decode(network),
    ).data


def opened(engine, folder, name: str, **how) -> None:
    engine.open(page_of(folder, of_a_chapter(name)), **how)
    if name == "network_viewer":
        engine.wait_for(f".{name}-summary", "The network says")
    assert engine.said == [], "a script is missing or fails"


def states(engine, name: str):
    """Bring the figure into each of its states."""
    # Only there the words of a choice are a label's, and all are seen.
    labelled = name in ("reuse_map", "comparison_explorer")
    kinds = "button, label" if labelled else "button"
    for words in STATES.get(name, []):
        engine.click(f".{name} :is({kinds})", words)
        yield words


SMALLEST = """
const all = document.querySelectorAll(`.${arguments[0]}-body *`);
return Math.min(...[...all].filter((node) => node.checkVisibility())
  .map((node) => parseFloat(getComputedStyle(node).fontSize)));
"""


def test_all_figures_are_looked_at():
    assert set(STATES) == set(NAMES), "tell STATES what shows most in it"


@pytest.mark.parametrize("spaced", [False, True], ids=["", "spaced"])
@pytest.mark.parametrize("width", [320, pytest.param(390, marks=LONG), 704])
@EVERY
def test_words_have_room(chromium, tmp_path, name, width, spaced):
    """On phones and in the column of a page; none shrinks to nothing."""
    opened(chromium, tmp_path, name, width=width)
    if spaced:
        chromium.page.add_style_tag(content=SPACING)
    for state in states(chromium, name):
        assert crowded(chromium.page) == [], state
        wide = "return document.documentElement.scrollWidth"
        assert chromium.run(wide) <= width, state
        assert chromium.run(SMALLEST, name) >= 9, state


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=LONG)])
@EVERY
def test_marks_and_states_are_seen(chromium, tmp_path, name, scheme):
    opened(chromium, tmp_path, name, scheme=scheme)
    for state in states(chromium, name):
        assert faint_marks(chromium.page) == [], state
        assert alike_when_pressed(chromium.page) == [], state
        assert axe(chromium.page) == [], state


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=LONG), "dark"])
@EVERY
def test_forced_colours_leave_marks_and_states(
    chromium, tmp_path, name, scheme
):
    opened(chromium, tmp_path, name, scheme=scheme)
    chromium.page.emulate_media(forced_colors="active", color_scheme=scheme)
    for state in states(chromium, name):
        assert faint_marks(chromium.page) == [], state
        assert alike_when_pressed(chromium.page) == [], state
    assert unseen_focus(chromium.page) == []


def test_rows_keep_the_colours_of_their_bars(chromium, tmp_path):
    """Where colours are forced, too: each as in the bars."""
    opened(chromium, tmp_path, "growing_network")
    chromium.page.emulate_media(forced_colors="active")
    chromium.click("button", "VGG D")
    rows = chromium.run(
        "return [...document.querySelectorAll('.growing_network-name')].map("
        "  (name) => getComputedStyle(name, '::before').backgroundColor);"
    )
    bars = chromium.run(
        "return [...document.querySelector('.growing_network-gauge')"
        "  .querySelectorAll('rect')].map((bar) => getComputedStyle(bar).fill)"
    )
    assert rows == bars and len(set(rows)) == 6


@EVERY
def test_presented_no_word_is_too_small(chromium, tmp_path, name):
    """A page is zoomed by 1.8 then, on a projector 1920 pixels wide."""
    html = of_a_chapter(name)
    page = page_of(tmp_path, f"<article style='zoom: 1.8'>{html}</article>")
    chromium.open(page, width=1920)
    if name == "network_viewer":
        chromium.wait_for(f".{name}-summary", "The network says")
    for state in states(chromium, name):
        found = chromium.page.evaluate(TEXT_SIZES)
        assert [text for text in found if " px: " in text] == [], state
        assert crowded(chromium.page) == [], state


# By keyboard

CONTROLS = """
const [name] = arguments;
window.found = [...document.querySelectorAll(`.${name} :is(button, input,
  select, [role=spinbutton])`)].filter((node) => node.checkVisibility()
  && !(node.tabIndex < 0 && node.closest("[class$=-spin]")
    && node.tagName === "BUTTON"));
return found.length;
"""
HERE = """
const node = document.activeElement;
return { index: found.indexOf(node), isGroup: node.type === "radio"
  || Boolean(node.closest("[role=toolbar], [role=grid]")) };
"""
MOST_STOPS = 10


def along(engine, key: str) -> set[int]:
    """The controls that this key leads to, until it leads nowhere new."""
    seen = {engine.run(HERE)["index"]}
    while True:
        engine.press(key)
        index = engine.run(HERE)["index"]
        if index in seen:
            return seen
        seen.add(index)


@EVERY
def test_few_stops_and_all_within_reach(engine, tmp_path, name):
    """Tab leads from group to group, arrows lead about in a group.

    A control is reached when it has had the focus. The buttons beside a
    number are for pointers; where the number stands, arrows do the same.
    """
    opened(engine, tmp_path, name)
    for _ in states(engine, name):
        pass
    count = engine.run(CONTROLS, name)
    engine.on("h1", 0, "node.tabIndex = -1; node.focus();")
    reached, stops = set(), set()
    while True:
        engine.press("Tab")
        here = engine.run(HERE)
        if here["index"] == -1 or here["index"] in stops:
            break
        stops.add(here["index"])
        reached.add(here["index"])
        if here["isGroup"]:
            reached |= along(engine, "ArrowRight")
            reached |= along(engine, "ArrowLeft")
            # Tab goes on from where it came in.
            while engine.run(HERE)["index"] != here["index"]:
                engine.press("ArrowRight")
    assert sorted(set(range(count)) - reached) == [], "out of reach"
    assert len(stops) <= MOST_STOPS


# What is said


RECORD = """
window.spoken = [];
new MutationObserver(() => spoken.push(node.textContent))
  .observe(node, { childList: true });
"""


def test_a_drag_is_told_when_it_ends(chromium, tmp_path):
    opened(chromium, tmp_path, "kernel_lab")
    status = ".kernel_lab-body + [role=status]"
    chromium.on(status, 0, RECORD)
    box = chromium.find(".kernel_lab-stage", 1).bounding_box()
    mouse = chromium.page.mouse
    at = {share: box["x"] + share * box["width"] for share in (0.1, 0.5, 0.9)}
    mouse.move(at[0.1], box["y"] + 9)
    mouse.down()
    mouse.move(at[0.5], box["y"] + 9, steps=9)
    chromium.page.wait_for_timeout(2000)  # it rests, and is not yet let go
    mouse.move(at[0.9], box["y"] + 9, steps=9)
    mouse.up()
    last = chromium.text(".kernel_lab-summary")
    chromium.wait_for(status, last)
    assert chromium.run("return spoken;") == [last]


def test_what_stands_beside_the_summary_is_told_where_it_changes(
    chromium, tmp_path
):
    opened(chromium, tmp_path, "kernel_lab")
    status = ".kernel_lab-body + [role=status]"
    chromium.choose("select", "2", 1)
    chromium.wait_for(status, "Places along a side: ⌊(28 + 2 · 1 − 3) / 2⌋")
    chromium.focus("[type=range]")
    chromium.press("Home")
    chromium.wait_for(status, "Row 1, ")
    assert "Places" not in chromium.text(status)


def test_the_score_of_the_blocks_is_told_once(chromium, tmp_path):
    opened(chromium, tmp_path, "network_viewer")
    status = ".network_viewer-body + [role=status]"
    score = ".network_viewer-cards"
    chromium.wait_for("body", "right.")  # what it begins with, unspoken
    chromium.on(status, 0, RECORD)
    assert chromium.count(score) == 3
    chromium.click(".network_viewer-switch", 3)
    chromium.wait_for(status, "right.")
    (told,) = chromium.run("return spoken;")
    assert told.startswith("Off: 4. The network says ")
    assert " All 10 pictures, this setting: " in told


# On paper


def test_the_table_of_the_stepper_stays_whole(chromium, tmp_path):
    opened(chromium, tmp_path, "shape_stepper")
    chromium.page.emulate_media(media="print")
    whole = chromium.run(
        "const rows = document.querySelectorAll('.shape_stepper-row');"
        "return [...document.querySelectorAll('.shape_stepper *')].some("
        "  (node) => getComputedStyle(node).breakInside === 'avoid'"
        "    && [...rows].every((row) => node.contains(row)));"
    )
    assert whole, "it may split after its first row"


@EVERY
def test_paper_shows_the_last_state(chromium, tmp_path, name):
    """In light colours, marks too, without what cannot be pressed there."""
    opened(chromium, tmp_path, name, scheme="dark")
    for _ in states(chromium, name):
        pass
    chromium.page.emulate_media(media="print", color_scheme="dark")
    style = "return [getComputedStyle(node)[arguments[2]]]"
    for key, want in (("colorScheme", "light"), ("printColorAdjust", "exact")):
        assert chromium.on(f".{name}", 0, style, key) == [want]
    assert chromium.page.locator(f".{name}-buttons:visible").count() == 0
    assert chromium.page.locator(f".{name}-summary").is_visible()


# The checks themselves

BAD = {
    crowded: "<p style='width: 9em; white-space: nowrap'>"
    "<span>60,965,224</span><span style='margin-left: -1em'>724,406</span>",
    alike_when_pressed: "<button aria-pressed='true'>On</button>",
    faint_marks: "<svg width='50' height='50'><rect class='part' width='9' "
    "height='9' fill='#56b4e9' stroke='#fff'/></svg>",
}


@pytest.mark.parametrize("check", BAD, ids=lambda check: check.__name__)
def test_check_finds(chromium, tmp_path, check):
    html = f"<div data-mounted style='background: #fff'>{BAD[check]}</div>"
    chromium.open(page_of(tmp_path, html))
    assert check(chromium.page) != []


def test_what_reaches_out_is_found(chromium, tmp_path):
    html = (
        "<div data-mounted style='width: 100px'><button style='width: 140px'>"
        "channels</button><input type='number' style='width: 20px' "
        "value='-0.12'></div>"
    )
    chromium.open(page_of(tmp_path, html))
    found = crowded(chromium.page)
    assert [text.split(":")[0] for text in found] == ["reaches out", "cut off"]
