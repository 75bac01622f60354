"""Plots are well-formed, small, and harmless whatever their labels say."""

import base64
import math
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from flywheel import plots

HOSTILE = "</text><script>alert(1)</script>\x00\n\ud7ff&<img src=x onerror=y>" * 9
MANY = [(f"label {i} " + "x" * 60, float(i * 7919 % 977)) for i in range(500)]

DRAWN = {
    "bars": plots.bars([("en", 3), ("ko", 1)], title="Mix"),
    "bars with targets": plots.bars([("en", 3), ("ko", 0)], targets=[2, 1], title="Mix"),
    "bars of shares": plots.bars([("en", 0.75), ("ko", 0.25)], targets=[0.5, 0.5], title="Mix", share=True),
    "no bars": plots.bars([]),
    "all nothing": plots.bars([("a", 0), ("b", 0)], targets=[0, 0]),
    "not numbers": plots.bars([("a", math.nan), ("b", math.inf), ("c", -4)]),
    "many bars": plots.bars(MANY, targets=[v for _, v in MANY], title=HOSTILE),
    "hostile bars": plots.bars([(HOSTILE, 1)], title=HOSTILE),
    "waterfall": plots.waterfall([("raw", 100), ("kept", 80), ("set", 20)]),
    "waterfall that grows": plots.waterfall([("raw", 100), ("more", 180)]),
    "many steps": plots.waterfall(MANY, title=HOSTILE),
    "no steps": plots.waterfall([]),
    "histogram": plots.histogram(pl.Series(range(1000)), "Length", "words"),
    "one value": plots.histogram(pl.Series([7, 7, 7]), "Length", HOSTILE),
    "no value": plots.histogram(pl.Series([None], dtype=pl.Int32), HOSTILE),
    "wild values": plots.histogram(pl.Series([math.nan, math.inf, -1e300, 0.0, 1e300]), "Length"),
    "days": plots.days([("2026-03-01", 5), ("2026-03-02", 0)]),
    "one day": plots.days([("2026-03-01", 5)]),
    "many days": plots.days([(f"{2000 + i}-01-01", i) for i in range(3000)]),
    "no days": plots.days([]),
    "hostile days": plots.days([(HOSTILE, 1), (HOSTILE, 2)], title=HOSTILE),
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("svg", DRAWN.values(), ids=DRAWN)
def test_a_plot_is_small_harmless_and_told_in_words(svg):
    root = ET.fromstring(svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {"svg", "title", "desc", "text", "rect", "path"}
    assert not [a for e in root.iter() for a in e.attrib if a.startswith("on") or "href" in a]
    assert len(svg.encode()) <= 6 * 1024
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert root.attrib["role"] == "img"
    for number in (v for e in root.iter() for k, v in e.attrib.items() if k in ("x", "y", "width", "height")):
        assert math.isfinite(float(number))


def test_bars_are_as_long_as_their_values():
    rects = ET.fromstring(plots.bars([("a", 100), ("b", 50), ("c", 0)])).findall(f"{SVG}rect")
    widths = [float(r.attrib["width"]) for r in rects]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(2 * widths[1])


def test_targets_are_marked_where_they_belong():
    root = ET.fromstring(plots.bars([("a", 100)], targets=[50]))
    [bar], [mark] = root.findall(f"{SVG}rect"), root.findall(f"{SVG}path")
    half = float(bar.attrib["x"]) + float(bar.attrib["width"]) / 2
    assert float(mark.attrib["d"].split()[0].removeprefix("M")) == pytest.approx(half)


def test_bars_beyond_the_last_are_summed_up():
    texts = [t.text for t in ET.fromstring(plots.bars([("x", 1)] * 40)).findall(f"{SVG}text")]
    assert "25 more" in texts
    assert "25" in texts


def test_targets_must_fit_the_bars():
    with pytest.raises(ValueError, match="shorter"):
        plots.bars([("a", 1), ("b", 2)], targets=[1])


def test_a_waterfall_says_what_was_lost():
    texts = [t.text for t in ET.fromstring(plots.waterfall([("raw", 1000), ("kept", 820)])).findall(f"{SVG}text")]
    assert "820  (−180)" in texts


def test_days_add_up_when_there_are_too_many():
    svg = plots.days([(str(i), 10) for i in range(600)])
    rects = ET.fromstring(svg).findall(f"{SVG}rect")
    assert len(rects) == 60
    assert "100 in 10 days" in svg


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("en", "en"),
        ("a" * 24, "a" * 24),
        ("a" * 25, "a" * 23 + "…"),
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        ("two\nlines\x00\x1b", "two lines"),
        (7, "7"),
    ],
)
def test_labels_are_made_safe(label, text):
    assert plots.safe(label) == text


def test_the_address_holds_the_plot():
    svg = DRAWN["bars"]
    head, _, body = plots.data_uri(svg).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body).decode() == svg
