"""Exercises that check themselves: `check("2.3", answer)`.

The exercises of a chapter have a module of their own, `chapter_02` for
chapter 2, with three names for each, here for exercise 2.3:

- `check_2_3(answer)` returns one sentence about what was checked, or raises
  `NotYet` with a sentence that says what is off and what to look at. It goes
  by mechanism (shapes, counts, equality with PyTorch, gradients that arrive,
  filters that moved), not by the final number alone, and holds at any scale.
- `STUB_2_3` is what a reader who has not begun finds in place of the
  solution: code that defines the names that the solution hands to `check`.
- `wrong_2_3()` yields `Wrong` answers, each with a part of its sentence. At
  least one is the right number obtained the wrong way.

tests/test_checks.py proves all of them.
"""

import importlib
import textwrap

from IPython.utils.capture import capture_output

from chapters.checks._kinds import NotYet, copied, undisturbed

# Exercises without a check, each with the reason.
EXCEPTIONS: dict[str, str] = {
    "2.8": "it needs trained weights, which Colab can fetch and a test cannot",
    "8.5": "its answer is three sentences about a claim and a table",
    "8.6": "its answer follows from the logs, and changes when they grow",
    "8.7": "its answer is a plan, and yours may rightly be another network",
}


def check(exercise: str, answer) -> None:
    """Print whether an answer is right, or what is off and what to look at.

    Nothing is changed: networks and tensors are copied first, and random
    numbers go on afterwards as if nothing had happened. Nothing is raised: a
    function that raises, or an answer of another type, gets a sentence.

    Args:
        exercise: its number, such as "2.3".
        answer: what the exercise's target says; functions without brackets.
    """
    print(textwrap.fill(verdict(str(exercise), answer)[1], 79))


class NotRight(Exception):
    """What `grade` raises; shown as its sentence alone."""

    def _render_traceback_(self):
        return textwrap.wrap(str(self), 79)


def grade(exercise: str, answer) -> None:
    """Do as `check` does, but raise where the answer is not right.

    A grader takes an exception for a failure. What the answer itself prints,
    warns of or displays is swallowed, so that nothing else decides.

    Args:
        exercise: its number, such as "2.3".
        answer: what the exercise's target says; functions without brackets.

    Raises:
        NotRight: with the sentence that `check` would print.
    """
    with capture_output():
        try:
            right, sentence = verdict(str(exercise), answer)
        except BaseException as error:  # such as the grader's interrupt
            right = False
            sentence = (
                f"Exercise {exercise}: not yet. The answer was stopped "
                f"({type(error).__name__}). Look for a loop that does not end."
            )
    if not right:
        raise NotRight(sentence)
    print(textwrap.fill(sentence, 79))


def find(exercise: str, kind: str):
    """`check_2_3` for ("2.3", "check"); None where there is none."""
    chapter, _, number = exercise.partition(".")
    if not (chapter.isdecimal() and number.isdecimal()):
        return None
    module = f"chapters.checks.chapter_{int(chapter):02}"
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    return getattr(found, f"{kind}_{chapter}_{number}", None)


def verdict(exercise: str, answer) -> tuple[bool, str]:
    """Whether an answer is right, and the sentence that `check` prints.

    Args:
        exercise: its number, such as "2.3".
        answer: what the exercise's target says; functions without brackets.
    """
    if exercise in EXCEPTIONS:
        return (
            False,
            f"Exercise {exercise} has no check: {EXCEPTIONS[exercise]}",
        )
    ask = find(exercise, "check")
    if ask is None:
        return False, (
            f"There is no check for an exercise {exercise[:20]!r}. Write its "
            'number as it stands in the chapter: check("2.3", answer).'
        )
    try:
        with undisturbed():
            return True, f"Exercise {exercise}: right. {ask(copied(answer))}"
    except NotYet as reason:
        return False, f"Exercise {exercise}: not yet. {reason}"
    except Exception as error:  # so that no answer can stop a notebook
        return False, (
            f"Exercise {exercise}: this answer could not be checked "
            f"({type(error).__name__}). Compare it with what the target says."
        )
