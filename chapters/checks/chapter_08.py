"""Checks of chapter 8, the comparison."""

import math
from statistics import mean

import numpy as np

from chapters.checks._kinds import (
    NotYet,
    Wrong,
    described,
    function,
    number,
    whole,
)

# 8.1: test images

STUB_8_1 = '''
def images_needed(p, points):
    """Test images for a standard error of so many percentage points."""
    raise NotImplementedError
'''


def check_8_1(images_needed):
    ask = function(images_needed, "images_needed")
    for p, points in ((0.75, 0.5), (0.9, 0.1), (0.5, 1), (0.93, 0.3)):
        here = f"images_needed({p}, {points})"
        answer = number(ask(p, points), here)
        exact = p * (1 - p) / (points / 100) ** 2
        if abs(answer * 10_000 - exact) < 0.01 * exact:
            raise NotYet(
                f"{here} is {float(answer):.4g}: points are percentage "
                "points, a hundredth each."
            )
        if abs(answer - math.sqrt(p * (1 - p)) / (points / 100)) < 1.01:
            raise NotYet(
                f"{here} is {float(answer):.4g}. The number of images stands "
                "under the root: square both sides."
            )
        answer = whole(answer, here)
        if answer < exact - 1e-3:
            raise NotYet(
                f"With {answer:,} images the error is "
                f"{100 * math.sqrt(p * (1 - p) / max(answer, 1)):.4g} points, "
                f"and {points} were asked for. Round up."
                if exact - answer < 1
                else f"{here} is {described(answer)}, which is too few. "
                "Solve p (1 - p) / n for n, for any p and any error."
            )
        if answer > exact + 1.01:
            raise NotYet(
                f"{here} is {described(answer)}, and fewer would do. Solve "
                "p (1 - p) / n for n, for any p and any error."
            )
    return "The smallest number in four cases, rounded up."


def wrong_8_1():
    def exact(p, points):
        return p * (1 - p) / (points / 100) ** 2

    yield Wrong("shares", lambda p, e: p * (1 - p) / e**2, "a hundredth each")
    yield Wrong(
        "the root forgotten",
        lambda p, e: math.sqrt(p * (1 - p)) / (e / 100),
        "under the root",
    )
    yield Wrong(
        "rounded down", lambda p, e: int(exact(p, e) + 1e-6), "Round up"
    )
    yield Wrong(
        "p = 1/2 always",
        lambda p, e: math.ceil(exact(0.5, e) - 1e-6),
        "fewer would do",
    )
    yield Wrong("copied", lambda p, e: 7_500, "too few", copied=True)


# 8.2: the rule

STUB_8_2 = '''
def decided(one, other, spread, images):
    """Whether the chapter's rule ranks two networks."""
    raise NotImplementedError
'''

_CASES = (  # means, seeds, spread, images, and what each is there for
    (0.75, 0.785, (3, 3), 0.005, 10_000, True),
    (0.785, 0.75, (3, 3), 0.005, 10_000, True),
    (0.75, 0.76, (3, 3), 0.005, 10_000, False),
    (0.75, 0.90, (2, 3), 0.005, 10_000, False),
    (0.75, 0.90, (3, 1), 0.005, 10_000, False),
    (0.75, 0.766, (3, 3), 0.0, 10_000, False),
    (0.75, 0.766, (3, 3), 0.0, 100_000, True),
    (0.75, 0.77, (3, 3), 0.02, 10**9, False),
    (0.75, 0.77, (30, 30), 0.02, 10**9, True),
    (0.94, 0.953, (3, 3), 0.0, 10_000, True),
)


def _decided(one, other, spread, images, *, least=3, sure=3, seeds=True):
    if min(len(one), len(other)) < least:
        return False
    p = (mean(one) + mean(other)) / 2
    error = 2 * p * (1 - p) / images
    if seeds:
        error += spread**2 * (1 / len(one) + 1 / len(other))
    return abs(mean(one) - mean(other)) > sure * math.sqrt(error)


def check_8_2(decided):
    ask = function(decided, "decided")
    for first, second, seeds, spread, images, right in _CASES:
        one, other = [first] * seeds[0], [second] * seeds[1]
        answer = ask(list(one), list(other), spread, images)
        if not isinstance(answer, (bool, np.bool_)):
            raise NotYet(f"It should be True or False: {described(answer)}.")
        if answer == right:
            continue
        if min(seeds) < 3:
            raise NotYet(
                f"Seeds: {seeds[0]} on one side and {seeds[1]} on the other. "
                "The rule asks for three on each."
            )
        if first > second:
            raise NotYet(
                "It depends on the order. Compare the size of the "
                "difference, without its sign."
            )
        p = (first + second) / 2
        error = 100 * math.sqrt(
            2 * spread**2 / seeds[0] + 2 * p * (1 - p) / images
        )
        raise NotYet(
            f"{100 * abs(first - second):.1f} points, {seeds[0]} seeds each, "
            f"spread {100 * spread:g} points, {images:,} test images: by "
            f"(8.1) the error is {error:.2f} points, and three of them are "
            f"{3 * error:.1f}."
        )
    return "Ten cases, among them both kinds of luck on their own."


def wrong_8_2():
    def built(**changed):
        return lambda *given: _decided(*given, **changed)

    yield Wrong("two errors", built(sure=2), "three of them")
    yield Wrong("any number of seeds", built(least=1), "three on each")
    yield Wrong("no luck of seeds", built(seeds=False), "by (8.1) the error")
    yield Wrong(
        "with its sign",
        lambda one, other, *more: (
            mean(other) > mean(one) and _decided(one, other, *more)
        ),
        "depends on the order",
    )
    yield Wrong(
        "a fixed gap",
        lambda one, other, spread, images: (
            min(len(one), len(other)) >= 3
            and abs(mean(one) - mean(other)) > 0.02
        ),
        "by (8.1) the error",
        copied=True,
    )


# 8.3: the front

STUB_8_3 = '''
def front(points):
    """Names that no other one beats, cheapest first."""
    raise NotImplementedError
'''

_POINTS = (
    {"a": (1, 0.5), "b": (2, 0.7), "c": (3, 0.6), "d": (4, 0.9)},
    {"late": (9, 0.9), "early": (1, 0.2), "mid": (5, 0.5)},
    {"dear": (2, 0.7), "cheap": (1, 0.7)},
    {"weak": (1, 0.6), "strong": (1, 0.7)},
    {"only": (3, 0.1)},
)


def _front(points, strictly=False):
    def beats(rival, own):
        if strictly:
            return rival[0] < own[0] and rival[1] > own[1]
        return rival[0] <= own[0] and rival[1] >= own[1] and rival != own

    left = [
        name
        for name, own in points.items()
        if not any(beats(rival, own) for rival in points.values())
    ]
    return sorted(left, key=lambda name: points[name])


def check_8_3(front):
    ask = function(front, "front")
    for points in _POINTS:
        answer = ask(dict(points))
        if not isinstance(answer, list | tuple):
            raise NotYet(
                f"Return a list of names; this is {described(answer)}."
            )
        try:
            given = {str(name) for name in answer}
        except Exception:
            raise NotYet("The list should hold names.") from None
        right = _front(points)
        lost = [name for name in right if name not in given]
        if lost:
            raise NotYet(
                f"Of {points} nobody beats {lost[0]!r}, and it is missing."
            )
        extra = sorted(given - set(right))
        if extra:
            raise NotYet(
                f"Of {points} {extra[0]!r} should be gone: another one costs "
                "no more and is at least as accurate."
            )
        if [str(name) for name in answer] != right:
            raise NotYet(
                "The names are right. Sort them by cost, cheapest first."
            )
    return "Five sets of points, with equal costs and equal accuracies."


def wrong_8_3():
    yield Wrong(
        "strictly on both sides",
        lambda points: _front(points, strictly=True),
        "should be gone",
    )
    yield Wrong(
        "only the best",
        lambda points: [max(points, key=lambda name: points[name][1])],
        "it is missing",
    )
    yield Wrong(
        "unsorted",
        lambda points: [name for name in points if name in _front(points)],
        "cheapest first",
    )
    yield Wrong(
        "copied", lambda points: ["a", "b", "d"], "is missing", copied=True
    )


# 8.4: the best of k

STUB_8_4 = '''
def flattery(k):
    """How far the best of k lies above the truth, in standard deviations."""
    raise NotImplementedError
'''

_BEST = {1: 0.0, 2: 0.5642, 3: 0.8463, 10: 1.5388, 40: 2.1608}


def check_8_4(flattery):
    ask = function(flattery, "flattery")
    for k, right in _BEST.items():
        value = number(ask(k), f"flattery({k})")
        if abs(value - right) <= 0.03:
            continue
        if abs(value - right) < 0.12:
            raise NotYet(
                f"flattery({k}) is {float(value):.3g}, which is close. If you "
                "draw, draw more often: the average of N draws still wobbles "
                "by about 1/√N."
            )
        if k == 1:
            raise NotYet(
                "With one epoch there is nothing to choose: it lies on the "
                "truth on average."
            )
        if abs(value - right / 2) < 0.02 or value < right:
            raise NotYet(
                f"flattery({k}) is {float(value):.3g}, which is too small. "
                f"Draw {k} normal numbers, take the largest, and average "
                "over many draws."
            )
        raise NotYet(
            f"flattery({k}) is {float(value):.3g}, which is too large: "
            "formulas for large k exaggerate for small ones. Draw normal "
            "numbers and see."
        )
    return "For one, two, three, ten and forty."


def wrong_8_4():
    yield Wrong("too few draws", lambda k: _BEST[k] + 0.05, "draw more often")
    yield Wrong(
        "for large k",
        lambda k: math.sqrt(2 * math.log(k)),
        "exaggerate",
    )
    yield Wrong("the root", lambda k: math.sqrt(k), "nothing to choose")
    yield Wrong("the mean", lambda k: 0.0, "take the largest")
    yield Wrong(
        "copied", lambda k: 0 if k == 1 else 0.85, "too large", copied=True
    )
