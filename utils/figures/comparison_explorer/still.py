"""The comparison where no script runs: for each setting a chart, a table."""

import math
from html import escape

from utils.tables import Table

WIDTH, LEFT, RIGHT, ROW = 420, 150, 400, 20  # of the chart
HEAD = {
    "network": "",
    "test error": ".1%",
    "lowest": ".1%",
    "highest": ".1%",
    "seeds": "d",
    "PFLOPs": ".3g",
    "parameters": ",",
    "MACs": ",",
    "activations, MB": ".3g",
    "ms, batch 1": ".3g",
    "ms, batch 128": ".3g",
}
COSTS = ("pflops", "parameters", "macs", "memory", "latency1", "latency128")


def still(settings: list[dict]) -> str:
    """HTML with the numbers of all settings, the best network first."""
    parts = []
    for setting in settings:
        rows = []
        for row in setting["rows"]:
            errors = [1 - accuracy for accuracy in row["accuracies"]]
            mean = sum(errors) / len(errors)
            seen = mean, min(errors), max(errors), len(errors)
            rows.append((row["name"], *seen, *(row[key] for key in COSTS)))
        rows.sort(key=lambda row: row[1])
        parts.append(_chart(setting["name"], rows))
        parts.append(Table(HEAD, rows, setting["name"])._repr_html_())
        if setting["missing"]:
            names = escape(", ".join(setting["missing"]))
            parts.append(f"<p>Not recorded here: {names}.</p>")
    return "".join(parts)


def _chart(name: str, rows: list[tuple]) -> str:
    """A dot at the mean of each network, a line from seed to seed."""
    low = math.floor(100 * min(row[2] for row in rows)) / 100
    high = math.ceil(100 * max(row[3] for row in rows) + 0.01) / 100

    def place(error: float) -> str:
        share = (error - low) / (high - low)
        return f"{LEFT + share * (RIGHT - LEFT):.1f}"

    height = ROW * (len(rows) + 1)
    marks = [
        f'<text x="{LEFT}" y="{height - 6}">{low:.0%}</text>'
        f'<text x="{RIGHT}" y="{height - 6}" text-anchor="end">{high:.0%}'
        "</text>"
    ]
    for i, (title, mean, least, most, *_) in enumerate(rows):
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
        f"of each network, {escape(name)}</title>{''.join(marks)}</svg>"
    )
