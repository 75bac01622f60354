"""Small plots as SVG text: bars, a waterfall, a histogram, columns per day. No library, no script, no font to load.

They are read on the light and on the dark pages of Dagster, so the ground is transparent and the text a middle grey. Labels
may come from logs: every one passes `safe`. A plot stays below 6 KB, for it is stored with every event.
"""

import base64
import math
from collections.abc import Sequence
from html import escape

import polars as pl

WIDTH = 560
TEXT = "#7c8594"
LINE = "#8b94a3"
BAR = "#4f8ef7"
LOST = "#e0803a"
MARK = "#d6456b"
ROWS = 16
"""Bars and steps drawn; the rest is summed up in a last one."""
COLUMNS = 60
"""Columns drawn; more days than that are drawn in runs of equal length."""
LABEL = 24


def safe(label: object) -> str:
    """A label fit for SVG: one line, at most 24 characters, escaped."""
    text = "".join(c if c.isprintable() else " " for c in str(label)).strip()
    return escape(text if len(text) <= LABEL else text[: LABEL - 1] + "…")


def data_uri(svg: str) -> str:
    """The plot as an address that an image in Markdown can have."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def bars(
    items: Sequence[tuple[str, float]], targets: Sequence[float] | None = None, title: str = "", share: bool = False
) -> str:
    """Horizontal bars, in the order given; `targets`, one for each bar, are drawn as marks. `share`: values are 0 to 1."""
    marks = list(targets) if targets is not None else [None] * len(items)
    rows = [(label, _number(v), None if t is None else _number(t)) for (label, v), t in zip(items, marks, strict=True)]
    if len(rows) > ROWS:
        rest = rows[ROWS - 1 :]
        aim = None if targets is None else sum(t or 0.0 for _, _, t in rest)
        rows = [*rows[: ROWS - 1], (f"{len(rest)} more", sum(v for _, v, _ in rest), aim)]
    left, right, step = 190, 140, 24
    scale = (WIDTH - left - right) / (max((max(v, t or 0.0) for _, v, t in rows), default=0.0) or 1.0)
    body = []
    for i, (label, value, target) in enumerate(rows):
        y = 34 + i * step
        body.append(_text(left - 8, y + 12, safe(label), "end"))
        body.append(_rect(left, y, value * scale, 16, BAR))
        if target is not None:
            body.append(_line(left + target * scale, y - 3, left + target * scale, y + 19, MARK, 3))
        told = _written(value, share) + ("" if target is None else f" of {_written(target, share)}")
        body.append(_text(left + max(value, target or 0.0) * scale + 8, y + 12, told))
    about = "; ".join(f"{label}: {_written(v, share)}" for label, v, _ in rows[:ROWS])
    return _svg(title or "Bars", about, 34 + max(len(rows), 1) * step + 6, body)


def waterfall(steps: Sequence[tuple[str, float]], title: str = "Rows kept, step by step") -> str:
    """Rows left after each step, top to bottom; what a step lost hangs behind it in another colour."""
    rows = [(label, _number(v)) for label, v in steps]
    if len(rows) > ROWS:
        rows = [*rows[: ROWS - 1], rows[-1]]
    left, right, step = 190, 140, 24
    scale = (WIDTH - left - right) / (max((v for _, v in rows), default=0.0) or 1.0)
    body, before = [], None
    for i, (label, value) in enumerate(rows):
        y = 34 + i * step
        lost = max(0.0, before - value) if before is not None else 0.0
        body.append(_text(left - 8, y + 12, safe(label), "end"))
        body.append(_rect(left, y, value * scale, 16, BAR))
        if lost:
            body.append(_rect(left + value * scale, y + 4, lost * scale, 8, LOST))
        told = f"{value:,.0f}" + (f"  (−{lost:,.0f})" if lost else "")
        body.append(_text(left + (value + lost) * scale + 8, y + 12, told))
        before = value
    about = "; ".join(f"{label}: {v:,.0f}" for label, v in rows)
    return _svg(title, about, 34 + max(len(rows), 1) * step + 6, body)


def histogram(values: pl.Series, title: str, unit: str = "") -> str:
    """How the numbers of a column are spread, in 30 bins from the smallest to the 99th percentile (what is larger is in the
    last bin); the median and the 95th percentile are marked."""
    known = values.cast(pl.Float64).drop_nulls().filter(values.cast(pl.Float64).drop_nulls().is_finite())
    if known.is_empty():
        return _svg(title, "no values", 60, [_text(WIDTH / 2, 44, "no values", "middle")])
    low, high = float(known.min() or 0), float(known.quantile(0.99, "nearest") or 0)  # type: ignore[arg-type]
    if high == low:
        low, high = low - 0.5, high + 0.5
    span, bins = high - low, 30
    index = ((known - low) / span * bins).floor().clip(0, bins - 1).cast(pl.Int32)
    counts = dict(index.value_counts().iter_rows())
    left, top, height = 16, 64, 100
    width = (WIDTH - 2 * left) / bins
    most = max(counts.values())
    body = [
        _rect(left + i * width, top + height * (1 - n / most), width - 1, height * n / most, BAR)
        for i, n in sorted(counts.items())
    ]
    body.append(_line(left, top + height + 0.5, WIDTH - left, top + height + 0.5, LINE))
    marks = []
    for name, q, row in (("median", 0.5, 0), ("95%", 0.95, 1)):
        at = float(known.quantile(q, "nearest") or 0)
        x = left + min((at - low) / span, 1.0) * (WIDTH - 2 * left)
        body.append(_line(x, top - 28 + 16 * row, x, top + height, MARK, 1.5))
        anchor = "end" if x > WIDTH * 0.7 else "start"
        body.append(_text(x + (-5 if anchor == "end" else 5), top - 18 + 16 * row, f"{name} {_written(at)}", anchor))
        marks.append(f"{name} {_written(at)}")
    body.append(_text(left, top + height + 16, _written(low)))
    body.append(_text(WIDTH / 2, top + height + 16, safe(unit), "middle"))
    body.append(_text(WIDTH - left, top + height + 16, f"{_written(high)}+", "end"))
    return _svg(title, f"{known.len():,} values; {', '.join(marks)} {unit}", top + height + 26, body)


def days(counts: Sequence[tuple[str, float]], title: str = "Rows per day") -> str:
    """A column for each day, in the order given; the first and the last day and the largest count are written."""
    rows = [(day, _number(v)) for day, v in counts]
    run = math.ceil(len(rows) / COLUMNS) or 1
    drawn = [(rows[i][0], sum(v for _, v in rows[i : i + run])) for i in range(0, len(rows), run)]
    left, top, height = 16, 52, 100
    most = max((v for _, v in drawn), default=0.0) or 1.0
    width = (WIDTH - 2 * left) / (len(drawn) or 1)
    body = [
        _rect(left + i * width, top + height * (1 - v / most), max(width - 2, 1), height * v / most, BAR)
        for i, (_, v) in enumerate(drawn)
    ]
    body.append(_line(left, top + height + 0.5, WIDTH - left, top + height + 0.5, LINE))
    if drawn:
        body.append(_text(left, top + height + 16, safe(rows[0][0])))
        if len(rows) > 1:
            body.append(_text(WIDTH - left, top + height + 16, safe(rows[-1][0]), "end"))
        at = max(range(len(drawn)), key=lambda i: drawn[i][1])
        x = min(max(left + (at + 0.5) * width, 60), WIDTH - 60)
        body.append(_text(x, top - 6, f"{drawn[at][1]:,.0f}{'' if run == 1 else f' in {run} days'}", "middle"))
    total = sum(v for _, v in rows)
    about = f"{total:,.0f} rows in {len(rows)} days" + (f", {rows[0][0]} to {rows[-1][0]}" if rows else "")
    return _svg(title, about, top + height + 26, body)


# --- marks


def _svg(title: str, about: str, height: float, body: Sequence[str]) -> str:
    heading = escape("".join(c if c.isprintable() else " " for c in title)[:80])
    told = escape("".join(c if c.isprintable() else " " for c in about)[:400])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH} {height:g}" font-family="system-ui,sans-serif" font-size="12" fill="{TEXT}">'
        f"<title>{heading}</title><desc>{told}</desc>"
        f'<text x="16" y="18" font-size="13" font-weight="600">{heading}</text>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    """Text that is escaped already, or made of our own numbers."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.4g}" y="{y:.4g}"{place}>{text}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    if width <= 0 or height <= 0:
        return ""
    # A value that is there is never drawn as nothing.
    return f'<rect x="{x:.4g}" y="{y:.4g}" width="{max(width, 1):.4g}" height="{max(height, 1):.4g}" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<path d="M{x1:.4g} {y1:.4g}L{x2:.4g} {y2:.4g}" stroke="{colour}" stroke-width="{width:g}"/>'


def _number(value: float) -> float:
    """What can be drawn: a negative or endless number is drawn as none."""
    return float(value) if math.isfinite(value) and value > 0 else 0.0


def _written(value: float, share: bool = False) -> str:
    if share:
        return f"{100 * value:.1f}%"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"
