"""The exercises' checks: what they pass, what they refuse, what they touch.

Each chapter proves with nbval that its own solutions pass.
"""

import ast
import copy
import itertools
import math
import random
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from chapters.checks import EXCEPTIONS, _kinds, check, find
from chapters.checks.chapter_02 import TABLE

CHAPTERS = sorted((Path(__file__).parent.parent / "chapters").glob("*.ipynb"))
TITLE = r"^(?:#+ |\*\*)Exercise (\d+\.\d+)"


def exercises_of(notebook):
    text = "\n".join(c.source for c in notebook.cells)
    return re.findall(TITLE, text, re.MULTILINE)


def solutions_of(notebook):
    """The code cells of solutions, by exercise."""
    found = {}
    for cell in notebook.cells:
        if title := re.match(r"# @title Solution (\d+\.\d+)", cell.source):
            found[title[1]] = cell
    return found


def handed_over(source, exercise):
    """The expression that a solution's last line hands to `check`."""
    last = ast.parse(source).body[-1]
    assert isinstance(last, ast.Expr), "the last line is no check"
    name, answer = last.value.args
    assert (last.value.func.id, name.value) == ("check", exercise)
    return ast.unparse(answer)


NOTEBOOKS = {path.stem: nbformat.read(path, 4) for path in CHAPTERS}
EXERCISES = [n for book in NOTEBOOKS.values() for n in exercises_of(book)]
CHECKED = [n for n in EXERCISES if n not in EXCEPTIONS]
SOLUTIONS = {
    n: cell
    for book in NOTEBOOKS.values()
    for n, cell in solutions_of(book).items()
}
each_checked = pytest.mark.parametrize("exercise", CHECKED)


@pytest.fixture
def said(capsys):
    """Check an answer and return the sentence, on one line."""

    def ask(exercise, answer):
        capsys.readouterr()
        assert check(exercise, answer) is None
        output = capsys.readouterr()
        assert not output.err
        assert max(map(len, output.out.splitlines())) <= 79
        return " ".join(output.out.split())

    return ask


# Every exercise has one


def test_there_are_exercises():
    assert len(EXERCISES) >= 29


@each_checked
def test_an_exercise_has_check_stub_and_wrong_answers(exercise):
    for kind in ("check", "STUB", "wrong"):
        assert find(exercise, kind), (
            f"exercise {exercise} has no {kind}: write it, or name the "
            "exercise in EXCEPTIONS with the reason (chapters/checks)"
        )


def test_an_exception_has_a_reason_and_no_check(said):
    for exercise, reason in EXCEPTIONS.items():
        assert exercise in EXERCISES and len(reason) > 20
        assert not find(exercise, "check")
        assert " ".join(reason.split()) in said(exercise, 1)


def test_a_check_has_an_exercise():
    for path in sorted(Path(_kinds.__file__).parent.glob("chapter_*.py")):
        found = re.findall(r"^def check_(\d+)_(\d+)", path.read_text(), re.M)
        assert found
        assert {f"{a}.{b}" for a, b in found} <= set(CHECKED)


@each_checked
def test_a_solution_ends_with_its_check(exercise):
    handed_over(SOLUTIONS[exercise].source, exercise)


@each_checked
def test_a_solution_is_right_in_the_stored_page(exercise):
    texts = [o.get("text", "") for o in SOLUTIONS[exercise].outputs]
    assert f"Exercise {exercise}: right." in "".join(texts)


# What they refuse


def bound_by(stub, exercise):
    """What a stub defines, with all that chapters have before it."""
    (net, *_), *_ = (w.answer for w in find("6.2", "wrong")())
    given = {"torch": torch, "nn": nn, "F": F, "np": np, "copy": copy}
    given |= {"trained": net, "CONVOLUTIONS": TABLE}
    names = dict(given)
    exec(stub, names)
    answer = eval(handed_over(SOLUTIONS[exercise].source, exercise), names)
    return answer, set(names) - set(given) - {"__builtins__"}


def useful(sentence, exercise, names):
    """Whether a sentence says that nothing is right yet, and of what."""
    start, _, hint = sentence.partition("not yet. ")
    words = set(re.findall(r"\w+", hint))
    return start == f"Exercise {exercise}: " and bool(words & names)


@each_checked
def test_a_stub_is_not_yet_right(exercise, said):
    """Nothing has been written yet: the sentence names what is to be."""
    answer, names = bound_by(find(exercise, "STUB"), exercise)
    sentence = said(exercise, answer)
    assert useful(sentence, exercise, names), (sentence, names)


def test_a_sentence_that_names_nothing_is_found():
    for sentence, use in (
        ("Exercise 6.1: not yet. step should be a number.", True),
        ("Exercise 6.1: not yet. There is a misstep.", False),
        ("Exercise 6.1: not yet. ", False),
        ("Exercise 6.1: right. step is 2.", False),
        ("Exercise 6.2: not yet. step should be a number.", False),
    ):
        assert useful(sentence, "6.1", {"step", "closest"}) == use, sentence


@each_checked
def test_a_wrong_answer_gets_its_own_hint(exercise, said):
    wrong = list(find(exercise, "wrong")())
    assert sum(not answer.copied for answer in wrong) >= 2
    assert sum(answer.copied for answer in wrong) >= 1
    for answer in wrong:
        sentence = said(exercise, answer.answer)
        start, _, hint = sentence.partition("not yet. ")
        assert start == f"Exercise {exercise}: ", (answer.what, sentence)
        assert answer.hint in hint, (answer.what, sentence)


def raising(*_):
    raise RuntimeError("the reader's own")


def leaving(*_):
    raise SystemExit


class Scalar(nn.Module):
    """Returns a tensor without axes."""

    def forward(self, x):
        return x.sum()


class Odd:
    """Nearly everything about it raises."""

    def __repr__(self):
        raise RuntimeError("no words")

    __str__ = __len__ = __eq__ = __bool__ = __iter__ = __repr__
    __hash__ = None


NAN = float("nan")
ZOO = (
    None, "x", 10**400, NAN, {}, Odd(), torch.zeros(2, 3), raising,
    leaving,
    lambda *_: None, lambda *_: NAN, lambda *_: torch.zeros(2, device="meta"),
    lambda *_: 10**400, lambda *_: (None, NAN), lambda *given: given[0],
    nn.Linear(3, 2), lambda *_: nn.Linear(3, 2),
)  # fmt: skip
MORE = (
    True, b"", 0, -1, math.inf, 1j, [], (), set(), object, torch, range(3),
    {"PCA": "x"}, {1: 2}, torch.tensor(NAN), torch.empty(0), np.zeros(3),
    np.array("x"), torch.zeros(2, device="meta"), torch.tensor([1j]),
    nn.Sequential(), nn.ReLU, lambda: None, lambda *_: Odd(), lambda *_: "x",
    lambda *_: (1, 2), lambda *_: torch.zeros(2, 3), lambda *_: [[]],
    10**5000, nn.LazyLinear(2), lambda *_: Scalar(),
)  # fmt: skip


@each_checked
def test_nothing_is_raised(exercise, said):
    """Whatever is handed over, alone or in place of a part."""
    answers = [*ZOO, *MORE]
    code = handed_over(SOLUTIONS[exercise].source, exercise)
    parts = len(getattr(ast.parse(code).body[0].value, "elts", ()))
    wrong = [w.answer for w in find(exercise, "wrong")()] if parts else ()
    wrong = [answer for answer in wrong if len(answer) == parts]
    places = itertools.product(range(parts), ZOO)
    for (place, animal), near in zip(
        places, itertools.cycle(wrong), strict=False
    ):
        answers.append((*near[:place], animal, *near[place + 1 :]))
    for answer in answers:
        sentence = said(exercise, answer)
        assert "could not be checked" not in sentence
        assert sentence.startswith(f"Exercise {exercise}: not yet. ")


@pytest.mark.parametrize("exercise", ["9.9", "2.99", "x", "", 2, None, "².1"])
def test_an_unknown_exercise_gets_a_sentence(exercise, said):
    assert "There is no check" in said(exercise, 1)


def test_an_exercise_may_be_a_number(said):
    assert said(2.2, 1).startswith("Exercise 2.2: not yet. ")


def test_a_fault_in_a_check_stops_no_notebook(said, monkeypatch):
    def faulty(answer):
        raise ZeroDivisionError

    monkeypatch.setattr("chapters.checks.chapter_02.check_2_1", faulty)
    assert "could not be checked (ZeroDivisionError)" in said("2.1", 1)


# What they leave as it is


def state():
    return (
        random.getstate(),
        [list(map(str, np.random.get_state()[1:]))],
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
    )


@each_checked
def test_random_numbers_and_gradient_mode_stay(exercise, said):
    def draws(*_):
        random.random(), np.random.rand(), torch.rand(1)
        torch.set_grad_enabled(False)
        return 1

    wrong = [answer.answer for answer in find(exercise, "wrong")()]
    before = state()
    for answer in (draws, *wrong[:2]):
        said(exercise, answer)
        assert state() == before


def test_networks_and_tensors_stay():
    """A check of a network may do what it likes: it has a copy."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    net[1].eval()
    net[0].bias.requires_grad_(False)
    net(torch.rand(2, 3, 5, 5)).sum().backward()
    frozen = copy.deepcopy(net.state_dict())
    gradient = net[0].weight.grad.clone()
    answer = (net, {"tensor": torch.ones(3)}, [np.ones(3)], "text")
    twin, given, arrays, text = _kinds.copied(answer)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        twin.eval().requires_grad_(True)
    given["tensor"].zero_()
    arrays[0][:] = 0
    assert text == "text"
    assert answer[1]["tensor"].all() and answer[2][0].all()
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert not net[0].bias.requires_grad
    assert torch.equal(net[0].weight.grad, gradient)
    for name, value in net.state_dict().items():
        assert torch.equal(value, frozen[name])


@pytest.mark.parametrize("exercise", ["1.6", "3.5", "6.2"])
def test_a_network_handed_over_stays(exercise, said):
    for wrong in find(exercise, "wrong")():
        parts = wrong.answer if isinstance(wrong.answer, tuple) else ()
        for net in [part for part in parts if isinstance(part, nn.Module)]:
            net.train()
            before = copy.deepcopy(net.state_dict())
            said(exercise, wrong.answer)
            assert all(module.training for module in net.modules())
            assert all(p.grad is None for p in net.parameters())
            for name, value in net.state_dict().items():
                assert value.dtype == before[name].dtype
                assert torch.equal(value, before[name])


def test_a_network_that_cannot_be_copied_gets_a_sentence(said):
    net = nn.Linear(2, 2)
    net.result = net(torch.ones(1, 2))  # not a leaf: no deepcopy
    assert "cannot be copied" in said("3.5", net)
