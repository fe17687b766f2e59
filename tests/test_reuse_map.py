"""The reuse map: its JavaScript against Python, its manners."""

import random

import pytest

from tests.figure_checks import (
    check_html,
    check_manners,
    check_stored,
    in_node,
    page_of,
)
from utils.figures import reuse_map
from utils.figures.reuse_map import KINDS


def made_up(blocks: int = 3, readers: int = 5) -> list[dict]:
    rng = random.Random(5)
    return [
        {
            "block": block,
            "reader": reader,
            "source": source,
            "weight": rng.random(),
            "signal": 3 * rng.random(),
            "cut": rng.uniform(-0.02, 0.5),
        }
        for block in range(1, blocks + 1)
        for reader in range(1, readers + 1)
        for source in range(reader)
    ]


def of_block(wires: list[dict], number: int) -> list[list[list[float]]]:
    """A block as the figure has it: by reader, by source, by measure."""
    own = [wire for wire in wires if wire["block"] == number]
    return [
        [[w[kind] for kind in KINDS] for w in own if w["reader"] == reader]
        for reader in range(1, max(w["reader"] for w in own) + 1)
    ]


def test_the_arithmetic_agrees_with_python():
    wires = made_up()
    cases = [
        {"block": of_block(wires, number), "number": number, "kind": kind}
        for number in (1, 2, 3)
        for kind in range(3)
    ]
    for case, got in zip(cases, in_node("map_reuse.js", cases), strict=True):
        kind, block = case["kind"], case["block"]

        def first(kind, block=block):
            return [
                max(range(len(x)), key=lambda s: x[s][kind]) for x in block
            ]

        assert got["largest"] == first(kind)
        same = [a == b for a, b in zip(first(kind), first(2), strict=True)]
        assert got["agreement"] == {"same": sum(same[1:]), "asked": 4}
        for shares, reader in zip(got["shares"], block, strict=True):
            values = [max(0, wire[kind]) for wire in reader]
            most = max(values)
            right = [v / most if most else 0 for v in values]
            assert shares == pytest.approx(right)
        assert got["mapText"].startswith(
            f"Block {case['number']} by {KINDS[kind]}: its exit's largest"
        )
        assert ("by cutting" in got["mapText"]) == (kind < 2)


@pytest.fixture(scope="module")
def figure() -> str:
    html = reuse_map(made_up()).data
    assert html == reuse_map(made_up()).data, "not repeatable"
    return html


def test_html(figure):
    check_html("reuse_map", figure)
    # Without JavaScript there is still a table.
    assert "block 3, exit" in figure.split("<script>")[0]
    assert len(figure) < 30_000


def test_the_chapter_is_stored_with_these_scripts(figure):
    check_stored("reuse_map", figure)


def test_manners(engine, figure, tmp_path):
    check_manners(engine, tmp_path, "reuse_map", figure)


def test_a_reader_drives_the_figure(engine, figure, tmp_path):
    engine.open(page_of(tmp_path, figure, figure))
    reuse = "#figure1 .reuse_map"
    assert engine.count(f"{reuse}-most") == 5, "one in each column"
    assert "loss grows" in engine.text(f"{reuse}-title")
    engine.click(f"{reuse} label", "weight")
    engine.click(f"{reuse} label", "2")
    wires = made_up()
    case = {"block": of_block(wires, 2), "number": 2, "kind": 0}
    (got,) = in_node("map_reuse.js", [case])
    assert engine.text(f"{reuse}-summary") == got["mapText"]
    engine.wait_for(f"{reuse}-body + [role=status]", got["mapText"])
    # The first reader has one source; its number is the wire's.
    shown = engine.text(f"{reuse} tbody tr td")
    wire = next(w for w in wires if w["block"] == 2)
    assert shown == f"{wire['weight']:.3f}"
    assert engine.text("#figure2 .reuse_map-summary").startswith(
        "Block 1 by cut"
    )
    assert engine.said == []


def test_wires_that_are_missing_are_refused():
    wires = made_up()
    for wrong in (wires[1:], [*wires, wires[0]]):
        with pytest.raises(ValueError, match=r"block 1 has \d+ wires"):
            reuse_map(wrong)
    with pytest.raises(ValueError, match="no wires"):
        reuse_map([])
