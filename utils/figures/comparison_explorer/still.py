"""The comparison where no script runs: for each setting a chart, a table."""

import math
from html import escape

from utils.tables import Table

WIDTH, LEFT, RIGHT, ROW = 420, 150, 400, 20  # of the chart
# Few digits, so that all fits on paper.
HEAD = {
    "network": "",
    "test error": ".1%",
    "seeds": ">",
    "PFLOPs": ".3g",
    "M parameters": ".3g",
    "M MACs": ".3g",
    "MB activations": ".3g",
    "ms, batch 1": ">",
    "ms, batch 128": ">",
}


def still(settings: list[dict], timed_on: str) -> str:
    """HTML with the numbers of all settings, the best network first."""
    parts = []
    latency = f"Latency on {timed_on}: the median of all recordings, and in "
    latency += "brackets their lowest and their highest tenth"
    for setting in settings:
        rows, ranges = [], {}
        for row in setting["rows"]:
            errors = [1 - accuracy for accuracy in row["accuracies"]]
            mean = sum(errors) / len(errors)
            ranges[row["name"]] = min(errors), mean, max(errors)
            rows.append(
                (
                    row["name"],
                    mean,
                    ", ".join(f"{100 * error:.1f}" for error in errors),
                    row["pflops"],
                    row["parameters"] / 1e6,
                    row["macs"] / 1e6,
                    row["memory"],
                    _spread(row, "latency1"),
                    _spread(row, "latency128"),
                )
            )
        rows.sort(key=lambda row: row[1])
        name = escape(setting["name"])
        parts.append(f"<p><strong>{name}: test error</strong></p>")
        parts.append(_chart(name, {row[0]: ranges[row[0]] for row in rows}))
        caption = f"{setting['name']}. {latency}"
        parts.append(Table(HEAD, rows, caption)._repr_html_())
        if setting["missing"]:
            names = escape(", ".join(setting["missing"]))
            parts.append(f"<p>Not recorded here: {names}.</p>")
    return "".join(parts)


def _spread(row: dict, key: str) -> str:
    """A cost, and between which numbers it was found."""
    low, high = row["ranges"][key]
    return f"{row[key]:.3g} ({low:.3g}\u00a0to\u00a0{high:.3g})"


def _chart(name: str, ranges: dict[str, tuple]) -> str:
    """A dot at the mean of each network, a line from seed to seed."""
    low = math.floor(100 * min(x for x, _, _ in ranges.values())) / 100
    high = math.ceil(100 * max(x for _, _, x in ranges.values()) + 0.01) / 100

    def place(error: float) -> str:
        share = (error - low) / (high - low)
        return f"{LEFT + share * (RIGHT - LEFT):.1f}"

    height = ROW * (len(ranges) + 1)
    marks = [
        f'<text x="{LEFT}" y="{height - 6}">{low:.0%}</text>'
        f'<text x="{RIGHT}" y="{height - 6}" text-anchor="end">{high:.0%}'
        "</text>"
    ]
    for i, (title, (least, mean, most)) in enumerate(ranges.items()):
        y = ROW * i + ROW // 2
        marks.append(
            f'<text x="{LEFT - 12}" y="{y + 5}" text-anchor="end">'
            f'{escape(title)}</text><path stroke="currentColor" '
            f'd="M{place(least)} {y}H{place(most)}"/>'
            f'<circle cx="{place(mean)}" cy="{y}" r="4"/>'
        )
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" font-size="14" '
        f'fill="currentColor" style="max-width: {WIDTH}px"><title>Test error '
        f"of each network, {name}</title>{''.join(marks)}</svg>"
    )
