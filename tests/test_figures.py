"""What all figures promise: their frame, and the folder that each one is."""

import base64
import itertools
import json
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.figure_checks import (
    HANGS,
    ROOT,
    check_html,
    left_behind,
    outer_selectors,
    page_of,
)
from utils.figures import frame

FIGURES = ROOT / "utils/figures"
NAMES = sorted(path.parent.name for path in FIGURES.glob("*/view.js"))

VIEW = """
/** A button that counts. */
function mount(element, data) {
  const { body, summary, say, id } = frame(element, data, "Counter");
  let count = data.start;
  const refresh = () => say(`It is ${count}.`);
  body.append(make("button", { type: "button", class: "add", id: id("add"),
    onclick: () => { count += 1; refresh(); } }, "One more"), summary);
  if (data.loads) {
    data.network().then(
      (bytes) => { body.append(`${bytes.byteLength} bytes`); },
      (error) => { body.append(error.message); });
  }
  refresh();
}
"""
GUESS = {
    "question": "how many?",
    "answer": 1234.5,
    "unit": "eggs",
    "tolerance": 0.5,
    "explain": "We counted.",
}


@pytest.fixture
def counter(tmp_path, monkeypatch):
    """A figure as a newcomer would add it; returns its function."""
    folder = tmp_path / "figures"
    (folder / "counter").mkdir(parents=True)
    for file in ("frame.css", "frame.js"):
        shutil.copy(FIGURES / file, folder)
    (folder / "counter/view.js").write_text(VIEW)
    (folder / "counter/style.css").write_text(
        ".FIGURE { .FIGURE-add { color: red; } }"
    )
    monkeypatch.setattr(frame, "FIGURES", folder)

    def make(data=None, **settings):
        data = {"start": 1} | (data or {})
        return frame.figure(
            "counter", data, "<p>A hen counts.</p>", **settings
        ).data

    return make


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_a_folder(name):
    folder = FIGURES / name
    lines = (folder / "__init__.py").read_text("utf-8").splitlines()
    assert len(lines) <= 120, "a figure's own Python is at most 120 lines"
    for file in ("view.js", "style.css"):
        assert (folder / file).exists()
    tests = (ROOT / f"tests/test_{name}.py").read_text("utf-8")
    for check in ("check_html(", "check_stored(", "check_manners("):
        assert check in tests, f"tests/test_{name}.py never calls {check}...)"


def windows(folder: Path, length: int = 6) -> set[tuple[str, ...]]:
    """Every run of so many lines of a figure's files, blank ones left out."""
    found = set()
    for file in folder.iterdir():
        if file.suffix in (".py", ".js", ".css"):
            lines = map(str.strip, file.read_text("utf-8").splitlines())
            lines = [line for line in lines if line]
            starts = range(len(lines) - length + 1)
            found |= {tuple(lines[i : i + length]) for i in starts}
    return found


def test_no_two_figures_share_six_lines():
    """What two figures need belongs into the frame."""
    runs = {name: windows(FIGURES / name) for name in NAMES}
    for one, other in itertools.combinations(NAMES, 2):
        shared = runs[one] & runs[other]
        assert not shared, f"{one}, {other}: " + "\n".join(min(shared))


def test_equal_lines_would_be_seen(tmp_path):
    for name, first in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        lines = [first, "", *map(str, range(6)), "end of " + first]
        (tmp_path / name / "view.js").write_text("\n  ".join(lines))
    shared = windows(tmp_path / "a") & windows(tmp_path / "b")
    assert shared == {("0", "1", "2", "3", "4", "5")}


def test_selectors_that_reach_out_are_found():
    style = """@media print { .a { color: red; } p { .a & { top: 0 } } }
    .a, /* , */ .b { .c { top: 0; } @media print { & { left: 0; } } }"""
    assert outer_selectors(style) == [".a", "p", ".a,  .b"]


def test_a_new_figure_needs_no_more_than_a_folder(counter):
    html = counter({"note": '<p>it\'s "so" & so'})
    assert html == counter({"note": '<p>it\'s "so" & so'})
    check_html("counter", html)
    figure = BeautifulSoup(html, "html.parser").select_one(".counter")
    data = json.loads(figure["data-figure"])
    assert data == {"start": 1, "note": '<p>it\'s "so" & so'}
    assert figure.get_text().endswith("JavaScript.A hen counts.")


def test_what_is_left_behind_is_found(engine, tmp_path):
    """Also where another file on the disk has stored something before."""
    for name in ("empty", "untidy"):
        (tmp_path / name).mkdir()
    empty = page_of(tmp_path / "empty")
    engine.open(empty)
    engine.run("localStorage.setItem('before', 1);")
    untidy = page_of(
        tmp_path / "untidy",
        "<p id='a'><p id='a'><script>var leaked = 1; leaks = 2;"
        "localStorage.setItem('here', 1);"
        "sessionStorage.setItem('now', 1);</script>",
    )
    assert left_behind(engine, untidy, empty) == {
        "names": ["leaked", "leaks"],
        "kept": ["here", "now"],
        "ids twice": ["a"],
    }
    nothing = {"names": [], "kept": [], "ids twice": []}
    assert left_behind(engine, empty, empty) == nothing


@pytest.mark.parametrize("answer", [float("nan"), float("inf")])
def test_an_answer_that_no_guess_can_meet_is_refused(counter, answer):
    with pytest.raises(ValueError, match="no finite number"):
        counter(guess=GUESS | {"answer": answer})


def test_where_no_script_runs_it_says_what_to_do(browser, counter, tmp_path):
    page = page_of(tmp_path, counter(guess=GUESS)).as_uri()
    words = "run this cell, or trust the notebook"
    for runs in (False, True):
        context = browser.new_context(java_script_enabled=runs)
        tab = context.new_page()
        tab.goto(page)
        if runs:  # a figure is mounted when the browser has a moment
            tab.wait_for_selector(".counter[data-mounted]", timeout=HANGS)
        text = tab.inner_text(".counter")
        assert (words in text) == (not runs)
        assert ("A hen counts." in text) == (not runs)
        assert ("It is 1." in text) == runs
        context.close()


def test_on_paper_the_figure_is_light_and_asks_nothing(
    chromium, counter, tmp_path
):
    chromium.open(page_of(tmp_path, counter(guess=GUESS)), scheme="dark")
    assert chromium.page.is_visible(".counter-guess")
    chromium.page.emulate_media(media="print")
    assert not chromium.page.is_visible(".counter-guess")
    assert chromium.page.is_visible(".counter-summary")
    assert chromium.on(".counter", 0, SCHEME) == "light"
    chromium.page.emulate_media(media="screen")
    chromium.click("button", "Skip")
    chromium.page.emulate_media(media="print")
    assert chromium.page.is_visible(".counter-guess p"), "the answer stays"


SCHEME = "return getComputedStyle(node).colorScheme;"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_page_and_else_the_system(
    engine, counter, tmp_path, scheme
):
    """data-theme is the book's, theme Colab's, the last JupyterLab's."""
    engine.open(page_of(tmp_path, counter()), scheme=scheme)
    assert engine.on(".counter", 0, SCHEME) == scheme
    for place, name, light, dark in (
        ("html", "data-theme", "light", "dark"),
        ("html", "theme", "light", "dark"),
        ("body", "data-jp-theme-light", "true", "false"),
    ):
        for value, wanted in ((light, "light"), (dark, "dark")):
            script = "node.setAttribute(arguments[2], arguments[3]);"
            engine.on(place, 0, script, name, value)
            assert engine.on(".counter", 0, SCHEME) == wanted, (name, value)
        engine.on(place, 0, "node.removeAttribute(arguments[2]);", name)


def test_it_speaks_once_when_a_change_ends(engine, counter, tmp_path):
    engine.open(page_of(tmp_path, counter()))
    status = ".counter-body + [role=status]"
    engine.on(
        status,
        0,
        "window.spoken = [];"
        "new MutationObserver(() => spoken.push(node.textContent))"
        "  .observe(node, { childList: true });",
    )
    # What it begins with is no change: this timer ends after the figure's own.
    engine.run("return new Promise((done) => setTimeout(done, 1000));")
    engine.on(".counter-add", 0, "node.click(); node.click(); node.click();")
    assert engine.text(".counter-summary") == "It is 4."
    assert engine.text(status) == "", "it waits for the end"
    engine.wait_for(status, "It is 4.")
    assert engine.run("return spoken;") == ["It is 4."]


# JupyterLab's way to decide: it listens before everything in the page does.
# A key that it takes is not the figure's any more.
JUPYTER = """
window.taken = [];
document.addEventListener("keydown", ({ key, target }) => {
  if (!target.hasAttribute("data-lm-suppress-shortcuts")) taken.push(key);
}, true);
"""
CONTROL_S = """
for (const [type, key] of [["keydown", "Control"], ["keydown", "s"],
  ["keyup", "s"], ["keyup", "Control"], ["keydown", "d"]]) {
  const ctrlKey = key !== "d" && !(type === "keyup" && key === "Control");
  node.dispatchEvent(new KeyboardEvent(type,
    { key, ctrlKey, bubbles: true }));
}
"""


def test_keys_in_a_figure_are_its_own(engine, counter, tmp_path):
    engine.open(page_of(tmp_path, counter(guess=GUESS)))
    engine.run(JUPYTER)
    engine.press("d", "d")
    assert engine.run("return taken;") == ["d", "d"], "outside they are not"
    engine.focus(".counter-add")
    engine.press("d", "d", "ArrowDown", "Enter")
    engine.focus(".counter-guess input")
    engine.press("d", "ArrowUp")
    assert engine.run("return taken;") == ["d", "d"]
    assert engine.text(".counter-summary") == "It is 2."
    # Saving stays JupyterLab's; its Control arrives with the next key.
    engine.on(".counter-add", 0, "node.focus();" + CONTROL_S)
    assert engine.run("return taken;") == ["d", "d", "s"]


@pytest.mark.parametrize(
    "said, answer",
    [
        ("1234.5", "1,234.5 eggs, and that is right."),
        ("1235", "1,235 eggs, near enough. It is 1,234.5 eggs."),
        ("-3", "−3 eggs. It is 1,234.5 eggs."),
    ],
)
def test_a_guess(chromium, counter, tmp_path, said, answer):
    chromium.open(page_of(tmp_path, counter(guess=GUESS)))
    assert chromium.text(".counter-guess label").endswith("how many?")
    # The figure does not wait for it, and nothing is no guess.
    chromium.click("button", "One more")
    chromium.click("button", "Guess")
    assert chromium.text(".counter-summary") == "It is 2."
    assert chromium.text(".counter-guess p") == ""
    chromium.fill(".counter-guess input", said)
    chromium.click("button", "Guess")
    assert (
        chromium.text(".counter-guess p") == f"You said {answer} We counted."
    )
    assert chromium.text(".counter-summary") == "It is 2."
    assert chromium.said == []


def test_a_network_comes_from_the_figure_or_from_beside_the_page(
    engine, counter, tmp_path
):
    network = bytes(range(256)) * 5
    inside = counter({"loads": True}, network=network)
    text = base64.b64encode(network).decode()
    assert f' data-network="{text}"' in inside
    (tmp_path / "beside.js").write_text(
        f'document.currentScript.dataset.network = "{text}";'
    )
    beside = inside.replace(
        f'data-network="{text}"', 'data-network-script="beside.js"'
    )
    engine.open(page_of(tmp_path, inside, beside))
    for section in ("#figure1", "#figure2"):
        engine.wait_for(f"{section} .counter-body", "1280 bytes")
    assert engine.said == []
    engine.open(page_of(tmp_path, beside.replace("beside.js", "gone.js")))
    engine.wait_for(".counter-body", "It is in the file gone.js beside")
