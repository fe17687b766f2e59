"""The comparison explorer: networks by what they cost and how they err."""

import math
from collections.abc import Mapping
from numbers import Real

from IPython.display import HTML

from utils.chapters import CHAPTERS
from utils.figures.comparison_explorer.still import still
from utils.figures.frame import figure

SCRIPTS = ("numbers.js",)


def comparison_explorer(
    networks: Mapping[str, dict],
    settings: Mapping[tuple[str, str], Mapping[str, list[dict]]],
    timed_on: str,
) -> HTML:
    """The interactive figure that compares networks under one protocol.

    The reader chooses a setting and two axes, sees which networks lie on the
    Pareto line, and asks each for its layers, its numbers and its chapter.

    Args:
        networks: by title, the "chapter" (the file's name without its
            ending) and "costs", by the name of a data set: "layers", a
            `layer_table`; "memory", of the activations, in bytes; "latency",
            by batch size (1 and 128), in milliseconds: of all recordings
            the lowest tenth, the median and the highest tenth.
        settings: by data set and budget, by title, the logs of all seeds, as
            `utils.results.recorded` returns them. A network without logs was
            not recorded there, and the figure says so.
        timed_on: the machine of all latencies, which need not be that of the
            logs, as in "AMD EPYC, 2 threads, float32".

    Raises:
        ValueError: a chapter, a network or the costs for a data set are not
            known, a setting has no logs, or they are of other data or of
            another network, a number is not finite, or the machine of the
            latencies is not named.
    """
    words = f"{timed_on!r} names no machine; say where latency was measured"
    _check(timed_on, "timed_on", words)
    _check(settings, "settings", "none, so no logs at all; give at least one")
    shown, sets = [], {}
    for (data, budget), runs in settings.items():
        name = f"{data}, {budget}"
        strange = ", ".join(title for title in runs if title not in networks)
        known = f"none of the networks; they are {', '.join(networks)}"
        _check(not strange, name, f"{strange}: {known}")
        rows = []
        for title, network in networks.items():
            for log in runs.get(title, ()):
                found = log["data"]["name"]
                first = sets.setdefault(data, found)
                words = f"a log is of {found!r}, others of {first!r}; one "
                words += "data set has one name"
                _check(found == first, f"{title}, {name}", words)
            if logs := runs.get(title):
                where = f"{title}, {name}"
                rows.append(
                    {"name": title, **_row(where, data, network, logs)}
                )
        words = "no logs at all; record a network there, or leave it out"
        _check(rows, name, words)
        missing = [title for title in networks if not runs.get(title)]
        shown.append({"name": name, "rows": rows, "missing": missing})
    return figure(
        "comparison_explorer",
        {"settings": shown, "timedOn": timed_on},
        still(shown, timed_on),
        scripts=SCRIPTS,
    )


def _check(holds: object, where: str, words: str) -> None:
    if not holds:
        raise ValueError(f"{where}: {words}")


def _row(where: str, data: str, network: dict, logs: list[dict]) -> dict:
    """What the page needs to know of one network in one setting."""
    chapter, costs = network["chapter"], network["costs"].get(data)
    known = sorted(file.stem for file in CHAPTERS.glob("*.ipynb"))
    words = f"no chapter {chapter!r}; there are {', '.join(known)}"
    _check(chapter in known, where, words)
    words = f"no costs for {data!r}, only for {', '.join(network['costs'])}; "
    _check(costs, where, words + "name the data set in both alike")
    table, size = costs["layers"], "{:,} parameters and {:,} MACs"
    own = table.parameters, table.macs
    for log in logs:
        trained = log["parameters"], log["macs"]
        words = f"a log is of {size.format(*trained)}, the layers have "
        words += f"{size.format(*own)}; give the network that was trained"
        _check(trained == own, where, words)
    latency = {f"latency{n}": costs["latency"].get(n) for n in (1, 128)}
    for key, found in latency.items():
        words = f"{key} is {found!r}; wanted three numbers: the lowest tenth, "
        words += "the median, the highest tenth"
        _check(isinstance(found, tuple) and len(found) == 3, where, words)
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
        _check(finite, where, words)
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
