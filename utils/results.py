"""The recorded runs: logs that tools/record.py wrote, read by chapters."""

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"


def recorded(chapter: str, run: str) -> list[dict]:
    """The logs of a recorded run, one for each seed, in their order.

    Each is what `utils.training.fit` returned, and under "test" the one
    evaluation on the test set.

    Args:
        chapter: the chapter's file name without its ending.
        run: the run's name.

    Raises:
        FileNotFoundError: there is no such run.
    """
    files = (RESULTS / chapter).glob(f"{run}-seed*.json")
    logs = [json.loads(file.read_text("utf-8")) for file in files]
    if not logs:
        known = {
            file.stem.rpartition("-seed")[0]
            for file in (RESULTS / chapter).glob("*-seed*.json")
        }
        raise FileNotFoundError(
            f"results/{chapter} holds no run {run!r}; it holds "
            f"{', '.join(sorted(known)) or 'none'}. To record one: "
            f"python tools/record.py {chapter} {run}"
        )
    return sorted(logs, key=lambda log: log["seed"])
