"""The foot of a chapter says when its code ran, and no more than that."""

import json
import sys

import pytest

from tests.test_pages import CHAPTERS, ROOT, parsed, site
from utils.chapters import code_hash

sys.path.insert(0, str(ROOT / "_ext"))
from verified import verified

__all__ = ["site"]

CHANGED = "The code of this chapter was changed since it was last verified."
RUN = {
    "code_hash": "now",
    "date": "2026-07-14",
    "emulated": False,
    "scale": "laptop",
    "torch": "2.15.0+cu132",
}
TRIED = {
    "code_hash": "now",
    "date": "2026-07-20",
    "scale": "smoke",
    "device": "cpu",
    "versions": {
        "Python": "3.13.5",
        "PyTorch": "2.11.0+cpu",
        "torchvision": "0.26.0",
        "NumPy": "2.1.3",
        "IPython": "7.34.0",
    },
}
EXECUTED = (
    "This chapter's code was last executed on 2026-07-14, at the scale "
    "laptop, with PyTorch 2.15.0."
)
ALONE = (
    "Alone in an empty folder it ran, twice in one kernel, on 2026-07-20, at "
    "the scale smoke, with Python 3.13.5, PyTorch 2.11.0, NumPy 2.1.3, "
    "IPython 7.34.0."
)


@pytest.mark.parametrize(
    ("times", "tried", "said"),
    [
        ({"AVX2": RUN}, TRIED, f"{EXECUTED} {ALONE}"),
        ({"AVX2": RUN | {"date": "2026-01-01"}, "GPU": RUN}, None, EXECUTED),
        ({"AVX2": RUN | {"emulated": True}}, TRIED, ALONE),
        ({"AVX2": RUN | {"code_hash": "old"}}, TRIED, ALONE),
        ({"AVX2": RUN}, TRIED | {"code_hash": "old"}, EXECUTED),
        ({}, TRIED | {"code_hash": "old"}, CHANGED),
        ({}, None, CHANGED),
    ],
)
def test_only_the_code_as_it_stands_was_verified(times, tried, said):
    assert verified("now", times, tried) == said


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_page_says_what_is_on_record(site, page):
    notebook = json.loads((ROOT / f"{page}.ipynb").read_text("utf-8"))
    record = json.loads((ROOT / "results/verified.json").read_text("utf-8"))
    times = notebook["metadata"]["book"]["times"]
    tried = record.get(page.removeprefix("chapters/"))
    (foot,) = parsed(site / f"{page}.html").select("article p.verified")
    assert foot.text == verified(code_hash(notebook), times, tried)


def test_other_pages_say_nothing(site):
    for page in ("index.html", "distributed.html"):
        assert not parsed(site / page).select(".verified")
