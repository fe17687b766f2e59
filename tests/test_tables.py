"""Tables: the same numbers as HTML and as text, and what is refused."""

import pytest
from bs4 import BeautifulSoup

from utils.tables import ChartData, Table

HEAD = {"network": "", "options": "", "MACs": ",", "error": ".1%", "±": ">"}
ROWS = [
    ("<i>plain", "A & B", 40_556_000, 0.345, "0.1%"),
    ("residual", "C", 7, None, "10.0%"),
]


def parsed(table: Table) -> BeautifulSoup:
    return BeautifulSoup(table._repr_html_(), "html.parser")


def test_a_table_is_aligned_text_in_a_terminal():
    assert repr(Table(HEAD, ROWS, caption="Nets")).split("\n") == [
        "Nets",
        "network   options        MACs  error      ±",
        "<i>plain  A & B    40,556,000  34.5%   0.1%",
        "residual  C                 7      –  10.0%",
    ]


def test_a_table_has_header_cells_for_columns_and_rows():
    html = parsed(Table(HEAD, ROWS))
    columns = [th.text for th in html.thead.find_all("th", scope="col")]
    rows = [th.text for th in html.tbody.find_all("th", scope="row")]
    assert columns == list(HEAD)
    assert rows == ["<i>plain", "residual"]
    cells = [td.text for td in html.tbody.find_all("td")]
    assert cells[:4] == ["A & B", "40,556,000", "34.5%", "0.1%"]
    assert cells[4:] == ["C", "7", "–", "10.0%"]
    assert html.caption is None and html.tfoot is None


def test_numbers_stand_right_and_words_left_without_a_style_sheet():
    html = parsed(Table(HEAD, ROWS))
    assert html.table["style"] == "text-align:right"
    for line in html.find_all("tr"):
        cells = line.find_all(["th", "td"])
        styles = [cell.get("style") for cell in cells]
        assert styles == ["text-align:left"] * 2 + [None] * 3


def test_the_box_of_a_table_is_reached_by_keys_and_has_a_name():
    plain, named = (
        parsed(Table(HEAD, ROWS)),
        parsed(Table(HEAD, ROWS, "N & M")),
    )
    for html in (plain, named):
        assert html.div["tabindex"] == "0" and html.div["role"] == "group"
    assert plain.div["aria-label"] == f"Table: {', '.join(HEAD)}"
    assert named.div["aria-label"] == named.caption.text == "N & M"


def test_a_total_is_the_foot_of_a_table():
    html = parsed(Table({"part": "", "MACs": "d"}, [("a", 2)] * 3, total=True))
    assert len(html.tbody.find_all("tr")) == 2
    assert html.tfoot.th["scope"] == "row"


def test_rows_are_kept_when_they_come_one_by_one():
    table = Table({"n": "d", "square": "d"}, ((n, n * n) for n in range(3)))
    assert repr(table) == repr(table) != ""
    assert len(parsed(table).find_all("td")) == 3


def test_the_data_of_a_chart_are_folded():
    html = parsed(ChartData(HEAD, ROWS))
    assert html.details.summary.text == "Data of the chart"
    assert html.details.table.thead and "open" not in html.details.attrs
    assert repr(ChartData(HEAD, ROWS)) == repr(Table(HEAD, ROWS))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a", 1), r"\['a', 1\] has 2 values for 3 columns: net, MACs, error"),
        (("a", 1, 0.5, 2), "4 values for 3 columns"),
        (("a", [1], 0.5), r"column 'MACs' has the format ',', .* \[1\]"),
        (("a", 1, (0.5,)), r"'error' has the format '\.1%', .* give a number"),
    ],
)
def test_rows_that_do_not_fit_are_refused(row, words):
    with pytest.raises(ValueError, match=words):
        Table({"net": "", "MACs": ",", "error": ".1%"}, [row])
