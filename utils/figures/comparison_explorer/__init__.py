"""The comparison explorer: networks by what they cost and how they err."""

from collections.abc import Mapping

from IPython.display import HTML

from utils.figures.comparison_explorer.rows import check, row
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
    check(timed_on, "timed_on", words)
    check(settings, "settings", "none, so no logs at all; give at least one")
    shown, sets = [], {}
    for (data, budget), runs in settings.items():
        name = f"{data}, {budget}"
        strange = ", ".join(title for title in runs if title not in networks)
        known = f"none of the networks; they are {', '.join(networks)}"
        check(not strange, name, f"{strange}: {known}")
        rows = []
        for title, network in networks.items():
            for log in runs.get(title, ()):
                found = log["data"]["name"]
                first = sets.setdefault(data, found)
                words = f"a log is of {found!r}, others of {first!r}; one "
                words += "data set has one name"
                check(found == first, f"{title}, {name}", words)
            if logs := runs.get(title):
                where = f"{title}, {name}"
                rows.append({"name": title, **row(where, data, network, logs)})
        words = "no logs at all; record a network there, or leave it out"
        check(rows, name, words)
        missing = [title for title in networks if not runs.get(title)]
        shown.append({"name": name, "rows": rows, "missing": missing})
    return figure(
        "comparison_explorer",
        {"settings": shown, "timedOn": timed_on},
        still(shown, timed_on),
        scripts=SCRIPTS,
    )
