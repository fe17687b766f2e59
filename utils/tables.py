"""Tables: real ones in pages and notebooks, aligned text in a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LEFT = ' style="text-align:left"'  # a notebook has no style sheet of ours


@dataclass(repr=False)
class Table:
    """A table: the value of a cell, or shown with `display`.

    Args:
        head: by name, the format of each column's numbers, as in
            f"{number:,}": {"network": "", "MACs": ",", "error": ".1%"}. A
            column with a format, ">" for text, is aligned right. The first
            column names the rows.
        rows: one value a column. Text is shown as it is, and None, for what
            is not known, as "–". Afterwards all are text.
        caption: what the table shows; it stands above it.
        total: the last row sums up the others.

    Raises:
        ValueError: a row has too few or too many values, or a value does not
            fit the format of its column.
    """

    head: dict[str, str]
    rows: Iterable[Sequence]
    caption: str = ""
    total: bool = False

    def __post_init__(self):
        self.rows = [self._texts(list(row)) for row in self.rows]

    def _texts(self, row: list) -> list[str]:
        if len(row) != len(self.head):
            raise ValueError(
                f"the row {row} has {len(row)} values for {len(self.head)} "
                f"columns: {', '.join(self.head)}"
            )
        texts = ["–" if value is None else value for value in row]
        for i, (name, form) in enumerate(self.head.items()):
            try:
                if not isinstance(texts[i], str):
                    texts[i] = format(texts[i], form)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"column {name!r} has the format {form!r}, which does not "
                    f"fit {row[i]!r} ({error}); give a number or text"
                ) from error
        return texts

    def __repr__(self) -> str:
        lines = [list(self.head), *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        sides = [">" if form else "<" for form in self.head.values()]
        cells = (map("{:{}{}}".format, x, sides, widths) for x in lines)
        texts = ["  ".join(line).rstrip() for line in cells]
        return "\n".join(filter(None, [self.caption, *texts]))

    def _repr_html_(self) -> str:
        names = ['th scope="row"'] + ["td"] * (len(self.head) - 1)
        head = self._line(['th scope="col"'] * len(self.head), self.head)
        rows = [self._line(names, row) for row in self.rows]
        foot = f"<tfoot>{rows.pop()}</tfoot>" if self.total else ""
        name = escape(self.caption or f"Table: {', '.join(self.head)}")
        caption = f"<caption>{name}</caption>" if self.caption else ""
        return (  # a box that keys reach and scroll where it is too narrow
            '<div class="data-table" role="group" tabindex="0" '
            f'aria-label="{name}"><table style="text-align:right">{caption}'
            f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody>{foot}"
            "</table></div>"
        )

    def _line(self, tags: Sequence[str], texts: Iterable[str]) -> str:
        line, forms = "", self.head.values()
        for tag, form, text in zip(tags, forms, texts, strict=True):
            line += f"<{tag}{'' if form else LEFT}>{escape(text)}</{tag[:2]}>"
        return f"<tr>{line}</tr>"


class ChartData(Table):
    """The numbers of a chart, folded below it: the value of its cell."""

    def _repr_html_(self) -> str:
        summary = "<summary>Data of the chart</summary>"
        return f"<details>{summary}{super()._repr_html_()}</details>"
