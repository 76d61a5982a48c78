"""What is read on a page: numbers without exponents, ticks of whole numbers, long tables folded."""

import pandas as pd
import pytest

from adaptive_nets.report.content.document import Chart, Report, Section, Table, rounded
from adaptive_nets.report.html.charts import specification
from adaptive_nets.report.html.page import render


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (258012.4, "258,012"), (9999.7, "10,000"), (1234.56, "1235"), (0.123456, "0.1235"),
        (-258012.4, "-258,012"), (0.0, "0"), (1e-9, "1e-09"), (1e18, "1e+18"),
        (float("inf"), "inf"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_numbers_are_rounded_without_exponents(value, text):
    assert rounded(value) == text


@pytest.mark.parametrize(("x", "whole"), [([1.0, 2.0], True), ([0.5, 2.0], False), ([], False)])
def test_whole_numbers_have_whole_ticks(x, whole):
    frame = pd.DataFrame({"x": x, "y": [0.5] * len(x)})
    layer = specification(Chart("a", "A", "An a.", frame, "lines"))["layer"][0]
    found = [layer["encoding"][name].get("axis") for name in "xy"]
    assert found == [{"tickMinStep": 1} if whole else None, None]


def _cells(values, names=("no", "yes")):
    pairs = [(row, column) for row in names for column in names]
    frame = pd.DataFrame(pairs, columns=["row", "column"]).assign(value=values)
    return specification(Chart("a", "A", "An a.", frame, "cells"))["layer"][1]["encoding"]


def test_counts_are_written_out_and_short_names_lie_flat():
    counts, shares = _cells([12345.0, 1.0, 2.0, 3.0]), _cells([0.5, 0.5, 0.25, 0.75])
    assert counts["text"]["format"] == ",.0f" and shares["text"]["format"] == ",.3~r"
    assert counts["x"]["axis"]["labelAngle"] == 0
    long = _cells([1.0] * 4, ("a name that takes all of a line", "another name, as long as that"))
    assert long["x"]["axis"]["labelAngle"] < 0


@pytest.mark.parametrize(("end", "layers"), [(float("nan"), 1), (1.0, 2)])
def test_one_subnetwork_has_no_lines_to_others(end, layers):
    row = {"label": ["a"], "x": [2.0], "y": [1.0], "series": ["member"], "x2": [end], "y2": [end]}
    chart = Chart("a", "A", "An a.", pd.DataFrame(row), "links")
    assert len(specification(chart)["layer"]) == layers


def test_long_tables_are_folded_and_numbers_stand_right():
    pytest.importorskip("vl_convert")
    short = Table("short", "Short", pd.DataFrame({"loss": [258012.4, None]}))
    long = Table("long", "Long", pd.DataFrame({"word": ["a"] * 31}))
    page = render(Report("Title", "Verdict.", (Section("all", "All", (short, long)),)))
    assert "<summary>Long: 31 rows</summary>" in page and "<summary>Short" not in page
    assert '<td class="number" data-value="258012.4">258,012</td>' in page
    assert '<td class="number">–</td>' in page and "<td>a</td>" in page
