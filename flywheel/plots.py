"""Plots small enough to be seen at once: Dagster unfolds Markdown below 1,000 characters and hides the rest behind a click.

Bars are strokes of one path, each with a label and its number; there is no title, and as many rows as fit.
Labels may come from logs; `safe` leaves letters, digits and a few signs of them.
"""

import math
import re
from collections.abc import Callable, Sequence

import polars as pl

LIMIT = 999
"""Characters of Markdown that Dagster shows without a click."""
LEFT, RIGHT, STEP = 210, 540, 20
COLUMNS, HEIGHT = 40, 90
INK, BAR, LOST, MARK = "#7c8594", "#4f8ef7", "#e0803a", "#d6456b"

Row = tuple[str, float]


def bars(rows: Sequence[Row], targets: Sequence[float] | None = None) -> str:
    """Horizontal bars in the order given; `targets`, one for each, are marks. As many rows as fit; the others are summed up."""
    return _fitted(lambda n: _bars(rows, targets, n), len(rows))


def waterfall(rows: Sequence[Row]) -> str:
    """What is left after each step, top to bottom; what a step lost hangs behind it in another colour."""
    return _fitted(lambda n: _waterfall(rows, n), len(rows))


def frontier(points: Sequence[tuple[int, float]]) -> str:
    """The mean score of a set of each size, in the order given: as bars that begin at the lowest, or at 0 where that is near."""
    return _fitted(lambda n: _frontier(points[:n]), len(points))


def columns(rows: Sequence[Row], unit: str = "rows") -> str:
    """A column for each entry, in the order given; runs of equal length are drawn as one where there are more than 40."""
    run = math.ceil(len(rows) / COLUMNS) or 1
    heights = [sum(value for _, value in rows[i : i + run]) for i in range(0, len(rows), run)]
    if not heights:
        return ""
    told = f"{safe(rows[0][0])} to {safe(rows[-1][0])}: {sum(heights):,.0f} {unit}, at most {max(heights):,.0f}"
    return _columns(heights, told + (f"; {run} days to a column" if run > 1 else ""))


def histogram(values: pl.Series, unit: str) -> str:
    """How numbers are spread, in 30 columns from the smallest to the 99th percentile; what is larger stands in the last."""
    known = values.drop_nulls().cast(pl.Float64)
    if known.is_empty():
        return ""
    low, high, median = (float(known.quantile(q, "nearest") or 0) for q in (0.0, 0.99, 0.5))
    at = ((known - low) / ((high - low) or 1.0) * 30).floor().clip(0, 29).cast(pl.Int32)
    counts: dict[int, int] = dict(at.value_counts().iter_rows())
    told = f"{low:,.0f} to {high:,.0f} {unit}, half of {len(known):,} below {median:,.0f}"
    return _columns([counts.get(i, 0) for i in range(30)], told)


def safe(label: object) -> str:
    """A label for a figure: at most 24 letters, digits, spaces and signs that mean nothing to Markdown, SVG or a URL."""
    return re.sub(r"[^\w .,=+-]", " ", str(label)).strip()[:24]


# --- drawing


def _bars(rows: Sequence[Row], targets: Sequence[float] | None, shown: int) -> str:
    aims = list(targets or [0.0] * len(rows))
    if shown < len(rows):
        rest = sum(v for _, v in rows[shown - 1 :])
        rows = [*rows[: shown - 1], (f"{len(rows) - shown + 1} more", rest)]
        aims = [*aims[: shown - 1], sum(aims[shown - 1 :])]
    scale = (RIGHT - LEFT) / (max([*(v for _, v in rows), *aims]) or 1.0)
    told = [
        f"{safe(name)} {v:,.0f}" + (f" of {t:,.0f}" if targets else "") for (name, v), t in zip(rows, aims, strict=True)
    ]
    drawn = [_stroke(LEFT, i, v * scale) for i, (_, v) in enumerate(rows)]
    marks = [f"M{LEFT + t * scale:.0f} {_y(i) - 8}v16" for i, t in enumerate(aims) if targets]
    return _svg(len(rows) * STEP, _labels(told) + _path(drawn, BAR) + _path(marks, MARK, 2))


def _waterfall(rows: Sequence[Row], shown: int) -> str:
    rows = [*rows[: shown - 1], rows[-1]] if shown < len(rows) else rows
    scale = (RIGHT - LEFT) / (max(v for _, v in rows) or 1.0)
    left = [_stroke(LEFT, i, v * scale) for i, (_, v) in enumerate(rows)]
    lost = [
        _stroke(LEFT + v * scale, i, (rows[i - 1][1] - v) * scale)
        for i, (_, v) in enumerate(rows)
        if i and rows[i - 1][1] > v
    ]
    return _svg(
        len(rows) * STEP,
        _labels([f"{safe(name)} {v:,.0f}" for name, v in rows]) + _path(left, BAR) + _path(lost, LOST, 6),
    )


def _frontier(points: Sequence[tuple[int, float]]) -> str:
    low, high = min(v for _, v in points), max(v for _, v in points)
    floor = 0.0 if 0 <= low <= high / 2 else low - (high - low) / 4
    scale = (RIGHT - LEFT) / ((high - floor) or 1.0)
    drawn = [_stroke(LEFT, i, (v - floor) * scale) for i, (_, v) in enumerate(points)]
    return _svg(len(points) * STEP, _labels([f"{n:,} rows {v:.4g}" for n, v in points]) + _path(drawn, BAR))


def _columns(heights: Sequence[float], told: str) -> str:
    scale, width = HEIGHT / (max(heights) or 1.0), min(40.0, (RIGHT - 8) / len(heights))
    drawn = [f"M{8 + (i + 0.5) * width:.0f} {HEIGHT}v{-max(h * scale, 1):.0f}" for i, h in enumerate(heights) if h]
    text = f"<text x='8' y='{HEIGHT + 16}'>{told}</text>"
    return _markdown(_svg(HEIGHT + 22, _path(drawn, BAR, max(int(width) - 2, 2)) + text))


def _fitted(draw: Callable[[int], str], rows: int) -> str:
    """The figure with as many rows as fit into what Dagster unfolds; "" without rows."""
    drawn = (_markdown(draw(n)) for n in range(min(rows, 12), 0, -1))
    return next((d for d in drawn if len(d) <= LIMIT), "")


def _y(row: int) -> int:
    return row * STEP + 10


def _stroke(x: float, row: int, length: float) -> str:
    return f"M{x:.0f} {_y(row)}h{max(length, 1):.0f}" if length > 0 else ""


def _labels(told: Sequence[str]) -> str:
    return "".join(f"<text x='0' y='{_y(i) + 4}'>{t}</text>" for i, t in enumerate(told))


def _path(strokes: Sequence[str], colour: str, width: int = 12) -> str:
    return f"<path d='{''.join(strokes)}' stroke='{colour}' stroke-width='{width}'/>" if any(strokes) else ""


def _svg(height: int, body: str) -> str:
    frame = f"xmlns='http://www.w3.org/2000/svg' width='{RIGHT + 10}' height='{height}'"
    return f"<svg {frame} font-family='sans-serif' font-size='12' fill='{INK}'>{body}</svg>"


def _markdown(svg: str) -> str:
    """The figure as an image of Markdown. Not base64: percent signs for a few characters are shorter."""
    for sign in "%#<>":
        svg = svg.replace(sign, f"%{ord(sign):02X}")
    return f"![plot](<data:image/svg+xml,{svg}>)"
