"""The pictures: what is drawn, and what is refused in words."""

import matplotlib

matplotlib.use("Agg")

import io
import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from utils.display import (
    COLOURS,
    MARKERS,
    plot_history,
    show_feature_maps,
    show_filters,
    show_images,
)
from utils.tables import ChartData


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Keep each figure when it is shown, with its PNG as a notebook has it."""
    shown = []

    def show():
        figure = plt.gcf()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight")
        shown.append((figure, buffer.getvalue()))

    monkeypatch.setattr(plt, "show", show)
    yield shown
    plt.close("all")


def pictures(figure) -> list[np.ndarray]:
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def test_images_are_drawn_upright_and_unchanged(figures):
    images = torch.arange(3 * 3 * 4 * 5, dtype=torch.uint8).view(3, 3, 4, 5)
    assert show_images(images, titles=["a", "b", "c"], columns=2) is None
    figure, _ = figures[0]
    assert len(figure.axes) == 4 and not any(a.axison for a in figure.axes)
    assert [a.get_title() for a in figure.axes] == ["a", "b", "c", ""]
    for image, drawn in zip(images, pictures(figure), strict=True):
        assert np.array_equal(drawn, image.permute(1, 2, 0))
        assert figure.axes[0].images[0].origin == "upper"


@pytest.mark.parametrize("shape", [(2, 6, 6), (2, 1, 6, 6)])
def test_grey_images_keep_black_and_white(figures, shape):
    show_images(torch.rand(shape) * 0.2)
    image = figures[0][0].axes[0].images[0]
    assert image.get_cmap().name == "gray"
    assert image.get_clim() == (0, 1)  # not stretched to the image's own range
    show_images((torch.rand(shape) * 9).to(torch.uint8))
    assert figures[1][0].axes[0].images[0].get_clim() == (0, 255)


def test_float_images_are_clipped(figures):
    show_images(torch.tensor([-1.0, 0.5, 2.0, 1.0]).view(1, 1, 2, 2))
    assert pictures(figures[0][0])[0].tolist() == [[0.0, 0.5], [1.0, 1.0]]


def test_filters_keep_zero_in_the_middle(figures):
    weight = torch.tensor([[-2.0, 0.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    show_filters(torch.cat([weight, 100 * weight, 0 * weight]))
    first, scaled, dead = pictures(figures[0][0])
    assert first.tolist() == [[0.0, 0.5], [0.75, 0.5]]
    assert np.array_equal(first, scaled) and (dead == 0.5).all()


def test_feature_maps_use_their_own_range(figures):
    maps = torch.tensor([[1.0, 3.0], [5.0, 1.0]]).repeat(5, 1, 1)
    maps[1] = 7  # a constant map must not divide by zero
    show_feature_maps(maps[None], count=3, columns=2)
    drawn = pictures(figures[0][0])
    assert len(drawn) == 3
    assert drawn[0].tolist() == [[0.0, 0.5], [1.0, 0.0]]
    assert (drawn[1] == 0).all()


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: show_images(torch.zeros(2, 4, 5, 5)), r"\(2, 4, 5, 5\).*N"),
        (lambda: show_images(torch.zeros(5, 5)), r"\(5, 5\).*\(N, H, W\)"),
        (lambda: show_images(torch.zeros(0, 5, 5)), "at least one image"),
        (lambda: show_images(torch.zeros(2, 5, 5), ["a"]), "1 titles for 2"),
        (lambda: show_filters(torch.zeros(8, 16, 3, 3)), r"16.*\(O, 3, k, k"),
        (lambda: show_feature_maps(torch.zeros(2, 3, 4, 4)), r"2, 3, 4, 4"),
        (lambda: show_feature_maps(torch.zeros(3, 4, 4), 0), "count=0"),
        (lambda: plot_history(), "at least one log"),
        (lambda: plot_history({"name": "a", "epochs": []}), "one entry"),
        (lambda: plot_history(log(), labels=["a", "b"]), "2 labels for 1"),
    ],
)
def test_what_cannot_be_drawn_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def log(name: str = "net", epochs: int = 3) -> dict:
    entries = [
        {
            "epoch": epoch,
            "train_loss": 2 / epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "validation_loss": 2.2 / epoch,
            "validation_accuracy": 1 - 0.6 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]
    return {"name": name, "epochs": entries}


def test_history_has_two_panels_with_units(figures):
    plot_history(log())
    loss, accuracy = figures[0][0].axes
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert "loss" in loss.get_ylabel() and "%" in accuracy.get_ylabel()
    train, validation = accuracy.lines
    assert (train.get_linestyle(), validation.get_linestyle()) == ("--", "-")
    assert validation.get_ydata() == pytest.approx([40.0, 70.0, 80.0])
    assert loss.lines[0].get_ydata() == pytest.approx([2.0, 1.0, 2 / 3])


def test_histories_differ_without_colour(figures):
    plot_history(log("a"), log("b"), log("c", epochs=1), labels=list("xyz"))
    axis = figures[0][0].axes[0]
    looks = {(li.get_marker(), li.get_linestyle()) for li in axis.lines}
    assert len(looks) == 6
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels[0] == "x, train" and labels[-1] == "z, validation"


def test_histories_carry_their_numbers(monkeypatch):
    shown = []
    monkeypatch.setattr("utils.display.display", shown.append)
    plot_history(log("a"), log("b", epochs=1), labels=["x", "y"])
    (data,) = shown
    assert isinstance(data, ChartData)
    assert list(data.head)[2:4] == ["train loss", "validation loss"]
    assert data.rows[1] == ["x", "2", "1.000", "1.100", "75.0%", "70.0%"]
    assert [row[:2] for row in data.rows[2:]] == [["x", "3"], ["y", "1"]]


def luminance(colour) -> float:
    """Of an sRGB colour, three numbers from 0 to 1, as WCAG defines it."""
    linear = np.where(
        colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def in_dark_mode(colour, page):
    """What _assets/book.css makes of a colour of a chart.

    `invert(1) hue-rotate(180deg) brightness(0.92)`, with the matrix of CSS
    Filter Effects, and the lighter of that and of the page.
    """
    half_turn = 2 * np.array([0.213, 0.715, 0.072]) - np.eye(3)
    turned = np.clip(half_turn @ (1 - colour), 0, 1)
    return np.maximum(0.92 * turned, page)


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_of_charts_reach_three_to_one(colour):
    colour = np.array(to_rgb(colour))
    assert contrast(colour, np.ones(3)) >= 3
    page = np.array(to_rgb("#121212"))  # the theme's ground in dark mode
    assert contrast(in_dark_mode(colour, page), page) >= 3


def test_contrast_tells_light_colours():
    sky, white = np.array(to_rgb("#56B4E9")), np.ones(3)
    assert contrast(sky, white) == pytest.approx(2.31, abs=0.01)
    assert contrast(np.zeros(3), white) == pytest.approx(21)


def test_every_colour_has_a_marker_of_its_own():
    assert len(set(MARKERS)) == len(set(COLOURS)) == len(COLOURS)


def test_figures_are_legible_small_and_white(figures):
    show_images(torch.rand(16, 3, 32, 32), titles=["ankle boot"] * 16)
    plot_history(log("a", 30), log("b", 30))
    for figure, png in figures:
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert image.getpixel((0, 0)) == (255, 255, 255)
        assert image.width <= 1200 and len(png) < 150_000
        for text in figure.findobj(plt.Text):
            assert not text.get_text() or text.get_fontsize() >= 9


@pytest.mark.parametrize(
    "images",
    [
        torch.randint(256, (2, 3, 8, 8)),
        torch.randint(256, (2, 8, 8), dtype=torch.int32),
        torch.rand(2, 8, 8).bfloat16(),
        torch.rand(2, 1, 8, 8).half(),
        torch.rand(2, 3, 8, 8).double(),
        torch.rand(2, 8, 8) > 0.5,
    ],
    ids=lambda images: str(images.dtype),
)
def test_any_kind_of_number_is_drawn_as_it_is(figures, images):
    show_images(images)
    drawn = torch.tensor(np.stack(pictures(figures[0][0]))).double()
    given = images.double()
    if images.dim() == 4:
        given = given.permute(0, 2, 3, 1).squeeze(-1)
    assert torch.allclose(drawn, given)
    low, high = figures[0][0].axes[0].images[0].get_clim()
    assert (low, high) == (0, 1 if given.max() <= 1 else 255)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 8, 8) * 255, "from 0 to 1: try images.byte()"),
        (torch.full((1, 4, 4), 300), "int64 from 300 to 300"),
        (torch.full((1, 4, 4), -1), "from -1 to -1"),
        (torch.full((1, 4, 4), math.nan), "from nan to nan"),
        (torch.full((1, 4, 4), math.inf), "from inf to inf"),
    ],
)
def test_numbers_that_would_draw_white_are_refused(images, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        show_images(images)


def test_words_stay_legible_in_a_dark_style(figures):
    logs = {"epochs": [dict.fromkeys(KEYS, 0.5) | {"epoch": 1}], "name": "a"}
    with plt.style.context("dark_background"):
        plot_history(logs)
        show_images(torch.rand(1, 8, 8), titles=["a"])
    for figure, _ in figures:
        assert figure.get_facecolor() == (1, 1, 1, 1)
        for axis in figure.axes:
            for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
                assert text.get_color() == "black"
            for label in axis.get_xticklabels():
                assert label.get_color() == "black"


KEYS = [
    f"{part}_{key}"
    for part in ("train", "validation")
    for key in ("loss", "accuracy")
]
