"""What help with an exercise is fair, of people and of AI assistants.

A writer of an exercise adds its number to a kind below. Its page and both
editions then have the kind's sentence under its text (`_ext/fair_help.py`,
`tools/editions.py`), and `teaching/assistants.md` says what to grade.
"""

import re

HELP = {
    "Arithmetic by hand": "the rule, with other numbers. Not the number.",
    "Code that `check` tests": (
        "Python, PyTorch, and what `check` says. Not the idea, and not the "
        "code."
    ),
    "A measurement": (
        "getting it to run, and plotting. Not what to expect, and not what "
        "it shows."
    ),
    "Words and plans": "somebody who doubts your draft. Not the draft.",
}

# Where the rule is itself the answer, as in 7.5, an exercise is code.
KINDS = {
    "Arithmetic by hand": (
        "1.1 1.4 2.1 2.2 2.3 2.6 3.1 3.2 3.3 3.4 3.6 4.1 4.5 6.1 6.7"
    ),
    "Code that `check` tests": (
        "1.2 1.3 2.5 3.5 3.8 3.9 4.2 4.3 4.4 5.1 5.2 5.3 5.4 5.5 5.6 5.7 "
        "6.2 6.8 7.1 7.2 7.3 7.4 7.5 7.7 8.1 8.2 8.3 8.4"
    ),
    "A measurement": "1.5 1.6 1.7 2.4 2.7 2.8 3.7 4.6 6.3 6.4 6.5 6.6 7.6",
    "Words and plans": "8.5 8.6 8.7",
}

# Its text ends where an answer is folded, the next heading comes, or the cell
# ends.
EXERCISE = re.compile(
    r"^### Exercise (\d+\.\d+)$.*?(?=\s*(?:^<details|^##|\Z))",
    re.DOTALL | re.MULTILINE,
)


def line(exercise: str) -> str:
    """Return the line that stands under an exercise, in Markdown.

    Args:
        exercise: its number, such as "2.3".

    Raises:
        LookupError: the exercise has no kind.
    """
    for kind, exercises in KINDS.items():
        if exercise in exercises.split():
            return f"*Fair help:* {HELP[kind]}"
    raise LookupError(
        f"exercise {exercise} does not say what help is fair: add its number "
        "to one of KINDS in chapters/fair_help.py"
    )


def with_help(text: str) -> str:
    """Return a chapter's Markdown with the line under each exercise.

    Raises:
        LookupError: an exercise has no kind.
    """
    return EXERCISE.sub(lambda found: f"{found[0]}\n\n{line(found[1])}", text)
