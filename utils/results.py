"""Recorded runs and experiments: logs of tools/record.py, for chapters."""

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"


def recorded(chapter: str, name: str) -> list[dict]:
    """The logs of a run or an experiment, one for each seed, in their order.

    That of a run is what `utils.training.fit` returned, and under "test" the
    one evaluation on the test set. That of an experiment holds under
    "numbers" what the chapter's function returned.

    Args:
        chapter: the chapter's file name without its ending.
        name: of the run or the experiment.

    Raises:
        FileNotFoundError: it was not recorded.
    """
    files = (RESULTS / chapter).glob(f"{name}-seed*.json")
    logs = [json.loads(file.read_text("utf-8")) for file in files]
    if not logs:
        known = {
            file.stem.rpartition("-seed")[0]
            for file in (RESULTS / chapter).glob("*-seed*.json")
        }
        raise FileNotFoundError(
            f"results/{chapter} holds no {name!r}; it holds "
            f"{', '.join(sorted(known)) or 'none'}. To record one: "
            f"python tools/record.py {chapter} {name}"
        )
    return sorted(logs, key=lambda log: log["seed"])
