"""The cover: what it says is what follows from definitions and logs."""

from pathlib import Path

import pytest

from tools import cover
from utils.shapes import layer_table

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "_build/html/index.html"
SHOWN = ".cover-panel:not(.cover-off)"


def test_the_cover_is_the_one_that_would_be_drawn_now():
    written = cover.COVER.read_text("utf-8")
    assert written == cover.cover(), "run: python tools/cover.py"


def test_what_the_cover_claims():
    """The sentences with "fewest", "no other", "a third", "a thousand"."""
    parameters, work, errors = {}, {}, {}
    for one in cover.NETWORKS:
        shape = (3, one.side, one.side)
        table = layer_table(one.make().to("meta"), shape)
        parameters[one.title] = table.parameters
        work[one.title] = table.macs
        errors[one.title] = cover.top5_error(one)
    lenet = cover.chapter("02_alexnet", "lenet").lenet()
    times = parameters["AlexNet"] / layer_table(lenet, (1, 28, 28)).parameters
    assert 950 < times < 1000
    assert max(parameters, key=parameters.get) == "VGG"
    assert max(work, key=work.get) == "VGG"
    assert min(parameters, key=parameters.get) == "GoogLeNet"
    share = parameters["DenseNet"] / parameters["ResNet"]
    assert share == pytest.approx(1 / 3, abs=0.03)
    assert 0 < errors["DenseNet"] - errors["ResNet"] < 1


def test_sizes_are_the_widest_maps_and_all_vectors():
    net = cover.NETWORKS[0].make().to("meta")
    assert cover.sizes(net, 227) == (
        [(55, 96), (27, 256), (13, 384), (6, 256)],
        [4096, 4096, 1000],
    )


def test_one_network_one_key_apart(engine):
    engine.open(INDEX)
    assert engine.count(SHOWN) == 1
    titles = [one.title for one in cover.NETWORKS]
    engine.focus(".cover-book [role=tab]")
    for title in titles[1:]:
        engine.press("ArrowRight")
        assert title in engine.text(SHOWN + " .cover-name")
        assert title in engine.text(":focus")
    engine.press("ArrowRight")  # there is none
    assert engine.count(SHOWN) == 1
    engine.press("Home")
    assert titles[0] in engine.text(SHOWN + " .cover-name")
    engine.click(".cover-book [role=tab]", 2)
    assert engine.attribute(SHOWN, "role") == "tabpanel"
    page = engine.attribute(SHOWN + " .cover-drawing", "href")
    assert page == "chapters/04_nin.html"
    assert (INDEX.parent / page).exists()
    # The theme tells the console which colours it has chosen.
    assert [said for said in engine.said if "[PST]" not in said] == []


def test_nothing_moves_from_one_network_to_the_next(chromium):
    for width in (1280, 390, 320):
        chromium.open(INDEX, width=width)
        script = "return document.querySelector('.cover-book').offsetHeight"
        heights = set()
        for place in range(len(cover.NETWORKS)):
            chromium.click(".cover-book [role=tab]", place)
            heights.add(chromium.run(script))
        assert len(heights) == 1, (width, heights)


def test_all_six_without_scripts(browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(INDEX.as_uri())
    assert page.locator(SHOWN).count() == len(cover.NETWORKS)
    assert page.locator(".cover-book [role=tablist]").is_hidden()
    page.context.close()
