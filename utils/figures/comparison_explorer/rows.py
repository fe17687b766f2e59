"""A network in one setting: what the page is told, and what is refused."""

import math
from numbers import Real

from utils.chapters import CHAPTERS


def check(holds: object, where: str, words: str) -> None:
    """Raise a ValueError that says where, and what to do about it."""
    if not holds:
        raise ValueError(f"{where}: {words}")


def row(where: str, data: str, network: dict, logs: list[dict]) -> dict:
    """What the page needs to know of one network in one setting."""
    chapter, costs = network["chapter"], network["costs"].get(data)
    known = sorted(file.stem for file in CHAPTERS.glob("*.ipynb"))
    words = f"no chapter {chapter!r}; there are {', '.join(known)}"
    check(chapter in known, where, words)
    words = f"no costs for {data!r}, only for {', '.join(network['costs'])}; "
    check(costs, where, words + "name the data set in both alike")
    table, size = costs["layers"], "{:,} parameters and {:,} MACs"
    own = table.parameters, table.macs
    for log in logs:
        trained = log["parameters"], log["macs"]
        words = f"a log is of {size.format(*trained)}, the layers have "
        words += f"{size.format(*own)}; give the network that was trained"
        check(trained == own, where, words)
    latency = {f"latency{n}": costs["latency"].get(n) for n in (1, 128)}
    for key, found in latency.items():
        words = f"{key} is {found!r}; wanted three numbers: the lowest tenth, "
        words += "the median, the highest tenth"
        check(isinstance(found, tuple) and len(found) == 3, where, words)
    numbers = {
        "pflops": logs[0]["pflops"],
        "parameters": table.parameters,
        "macs": table.macs,
        "memory": costs["memory"],
        **{key: middle for key, (_, middle, _) in latency.items()},
    }
    accuracies = [log["test"]["accuracy"] for log in logs]
    checked = [(*number, math.inf) for number in numbers.items()]
    checked += [("accuracy", x, 1) for x in accuracies]
    for key, (low, middle, high) in latency.items():
        checked += [(key, high, math.inf), (key, middle, high)]
        checked += [(key, low, middle)]
    for key, x, most in checked:
        words = f"{key} is {x!r}; wanted a finite number above 0, at most "
        words += f"{most}: record it again, or leave the network out"
        finite = isinstance(x, Real) and math.isfinite(x) and 0 < x <= most
        check(finite, where, words)
    machines = {f"{x['hardware']['device']}, {x['precision']}" for x in logs}
    layers = [x for x in table.layers if x.kind in ("Conv2d", "Linear")]
    return {
        **numbers,
        "ranges": {
            key: (low, high) for key, (low, _, high) in latency.items()
        },
        "memory": costs["memory"] / 1e6,  # MB
        "chapter": chapter,
        "layers": [x.output_shape[:2] for x in layers],  # a vector: no side
        "seeds": [log["seed"] for log in logs],
        "accuracies": accuracies,
        "epochs": len(logs[0]["epochs"]),
        "images": logs[0]["test"]["images"],
        "machines": sorted(machines),
    }
