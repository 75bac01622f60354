"""Figures fit into what Dagster shows without a click, are well-formed, and nothing from a log gets out of its label."""

import re
import urllib.parse
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from flywheel import plots

HOSTILE = (
    "![x](http://evil/beacon.png)",
    "</text><script>alert(1)</script>",
    "'/><image href='http://evil'/>",
    "a>) ![b](c",
    "%3Cscript%3E",
    "#&amp;\n\n# heading",
    "한국어 " * 40,
    "\u202egnp.exe",
)


def svg(markdown: str) -> ET.Element:
    """The drawing inside the Markdown; fails when it is not one image and nothing else."""
    inside = re.fullmatch(r"!\[plot\]\(<data:image/svg\+xml,([^<>\n]+)>\)", markdown)
    assert inside, markdown
    return ET.fromstring(urllib.parse.unquote(inside.group(1)))


def labels(markdown: str) -> list[str]:
    return [e.text or "" for e in svg(markdown).iter() if e.tag.endswith("text")]


ROWS = [(f"{'reason'}_{i}", 10.0 * i) for i in range(1, 60)]


@pytest.mark.parametrize("n", [1, 2, 7, 12, 59])
def test_they_fit_into_what_is_shown_without_a_click(n: int) -> None:
    long = [(name * 5, value * 1e6) for name, value in ROWS[:n]]
    for drawn in (
        plots.bars(long),
        plots.bars(long, [v for _, v in long]),
        plots.waterfall([(name, 1e9 - v) for name, v in long]),
        plots.columns(long * 7),
        plots.histogram(pl.Series([v for _, v in long]), "tokens"),
    ):
        assert 0 < len(drawn) < 1000
        svg(drawn)


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_from_a_log_stay_labels(text: str) -> None:
    for drawn in (
        plots.bars([(text, 3), ("b", 1)]),
        plots.waterfall([(text, 3), (text, 1)]),
        plots.columns([(text, 1)]),
    ):
        tags = {e.tag.rpartition("}")[2] for e in svg(drawn).iter()}
        assert tags <= {"svg", "text", "path"}
        assert "://" not in urllib.parse.unquote(drawn).replace("http://www.w3.org/2000/svg", "")


def test_rows_that_do_not_fit_are_summed_up() -> None:
    told = labels(plots.bars(ROWS))
    kept, more, rest = len(told) - 1, *re.fullmatch(r"(\d+) more ([\d,]+)", told[-1]).groups()  # type: ignore[union-attr]
    assert int(more) == len(ROWS) - kept
    assert int(rest.replace(",", "")) == sum(v for _, v in ROWS[kept:])


def test_bars_tell_their_numbers_and_targets() -> None:
    assert labels(plots.bars([("en", 1939), ("ko", 200)], [1939, 215])) == ["en 1,939 of 1,939", "ko 200 of 215"]


def test_a_waterfall_tells_what_is_left_and_draws_what_was_lost() -> None:
    drawn = plots.waterfall([("calls", 100), ("kept", 60)])
    assert labels(drawn) == ["calls 100", "kept 60"]
    paths = {e.get("stroke"): e.get("d") for e in svg(drawn).iter() if e.tag.endswith("path")}
    assert paths[plots.BAR] == "M210 10h330M210 30h198"
    assert paths[plots.LOST] == "M408 30h132"


def test_columns_tell_from_when_to_when() -> None:
    days = [(f"2026-03-{d:02}", d) for d in range(1, 11)]
    assert labels(plots.columns(days)) == ["2026-03-01 to 2026-03-10: 55 rows, at most 10"]


def test_many_days_are_drawn_in_runs() -> None:
    drawn = plots.columns([(str(d), 1) for d in range(400)])
    assert labels(drawn) == ["0 to 399: 400 rows, at most 10; 10 days to a column"]
    assert str(next(e for e in svg(drawn).iter() if e.tag.endswith("path")).get("d")).count("M") == 40


def test_a_histogram_tells_range_and_median() -> None:
    assert labels(plots.histogram(pl.Series(range(101)), "tokens")) == ["0 to 99 tokens, half of 101 below 50"]


@pytest.mark.parametrize("values", [[], [None], [5, 5, 5], [0]])
def test_a_histogram_of_nothing_or_of_one_value(values: list[int | None]) -> None:
    drawn = plots.histogram(pl.Series(values, dtype=pl.Int32), "words")
    assert (drawn == "") == (not [v for v in values if v is not None])


def test_nothing_gives_no_figure() -> None:
    assert plots.bars([]) == plots.waterfall([]) == plots.columns([]) == ""


def test_zeros_are_drawn_without_dividing_by_them() -> None:
    assert labels(plots.bars([("a", 0), ("b", 0)])) == ["a 0", "b 0"]
    assert labels(plots.columns([("a", 0)])) == ["a to a: 0 rows, at most 0"]


def test_row_24_a_frontier_tells_each_size_and_its_score() -> None:
    drawn = plots.frontier([(10, 0.91), (100, 0.835), (1000, 0.7012)])
    assert labels(drawn) == ["10 rows 0.91", "100 rows 0.835", "1,000 rows 0.7012"]
    assert len(plots.frontier([(10**i, -1.0 / 3 - i) for i in range(40)])) <= plots.LIMIT
    assert plots.frontier([]) == ""
