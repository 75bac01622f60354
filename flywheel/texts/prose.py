"""Prose apart from code: where the fenced blocks and inline code of a text lie.

The scanners look at each character a fixed number of times, whatever the text: log text may be made to hurt.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise

import polars as pl

Gate = Callable[[pl.Series], pl.Series]

_FENCE_LINE = re.compile(r"^[ \t>]*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)$", re.MULTILINE)
_TICKS = re.compile("`+")


def fenced(text: str) -> tuple[list[tuple[int, int]], bool]:
    """The fenced blocks, as (start, end), and whether the last one is never closed; then it reaches to the end.

    Fences inside lists and quotations count too. A block ends with a line of the same mark, at least as long, and nothing else.
    """
    blocks: list[tuple[int, int]] = []
    start, mark = -1, ""
    for line in _FENCE_LINE.finditer(text):
        fence = line["fence"]
        if start < 0:
            start, mark = line.start(), fence
        elif fence[0] == mark[0] and len(fence) >= len(mark) and not line["info"].strip():
            blocks.append((start, line.end()))
            start = -1
    return ([*blocks, (start, len(text))], True) if start >= 0 else (blocks, False)


def code(text: str) -> list[tuple[int, int]]:
    """Fenced blocks and inline code, marks included, as (start, end) in order, without overlap."""
    if "`" not in text and "~~~" not in text:
        return []
    blocks = fenced(text)[0]
    edges = [0, *(edge for block in blocks for edge in block), len(text)]
    between = zip(edges[::2], edges[1::2], strict=True)
    return sorted(blocks + [span for a, b in between for span in _inline(text, a, b)])


def _inline(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Inline code between two places: a run of backticks up to the next run of the same length in the same paragraph."""
    runs = [(m.start(), m.end()) for m in _TICKS.finditer(text, start, end)]
    breaks = [m.start() for m in re.finditer(r"\n[ \t]*\n", text[start:end])] if runs else []
    following: dict[tuple[int, int], list[int]] = {}
    for at, (a, b) in enumerate(runs):
        following.setdefault((bisect_right(breaks, a - start), b - a), []).append(at)
    partner = {at: then for places in following.values() for at, then in pairwise(places)}
    spans, free = [], 0
    for at, (a, _) in enumerate(runs):
        if at >= free and at in partner:
            spans.append((a, runs[partner[at]][1]))
            free = partner[at] + 1
    return spans


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` applied to each piece of prose between the code; code keeps every byte."""
    pieces, at = [], 0
    for start, end in code(text):
        pieces += [change(text[at:start]), text[start:end]]
        at = end
    return "".join(pieces) + change(text[at:])


def without_code(text: str) -> str:
    """The prose alone, a space in the place of each piece of code."""
    pieces, at = [], 0
    for start, end in code(text):
        pieces.append(text[at:start])
        at = end
    return " ".join([*pieces, text[at:]])


def changed_where(text: pl.Expr, gate: str | Gate, change: Callable[[str], str]) -> pl.Expr:
    """`change` applied to each text in which a pattern (of Rust's regex crate) is found; the others are not looked at.

    `gate` is the pattern, or says of many texts at which places they may change.
    """

    def batch(values: pl.Series) -> pl.Series:
        places = values.str.contains(gate).arg_true() if isinstance(gate, str) else gate(values)
        old = values.gather(places).to_list()
        new = [change(v) for v in old]
        moved = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        if not moved:
            return values
        return values.clone().scatter(places.gather(moved), pl.Series([new[at] for at in moved], dtype=pl.String))

    return text.map_batches(batch, return_dtype=pl.String, is_elementwise=True)


def holding(texts: pl.Series, *patterns: str) -> pl.Series:
    """The places of the texts in which every pattern is found, each looked for only where those before it are."""
    places = texts.str.contains(patterns[0]).arg_true()
    for pattern in patterns[1:]:
        places = places.filter(texts.gather(places).str.contains(pattern))
    return places


def foreign(texts: pl.Series) -> pl.Series:
    """Whether each text has a character beyond ASCII: a look at two numbers, where a pattern looks at every byte."""
    return texts.str.len_bytes() != texts.str.len_chars()
