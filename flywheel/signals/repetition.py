"""How much of a reply is said before in it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.kinds import Signal
from flywheel.records import last_reply
from flywheel.texts.packed import Counts, Hashes, Packed, Words, packed, spread

TOP, DUPLICATE = (2, 3, 4), (5, 6, 7, 8, 9, 10)
SHARES = (
    *(f"top_{n}gram" for n in TOP),
    *(f"repeated_{n}gram" for n in DUPLICATE),
    "top_line",
    "repeated_lines",
    "repeated_paragraphs",
)
Shares = npt.NDArray[np.float32]
AT_ONCE = 1 << 19
"""Bytes looked at in one go: below this, counting is mostly calling."""


class Repetition(Signal, frozen=True):
    """Gopher's measures of repetition, of the reply: shares from 0 to 1, counted exactly.

    `top_2gram` to `top_4gram`: words covered by the most frequent sequence of so many, where it is there three times or more.
    `repeated_5gram` to `repeated_10gram`: words covered by sequences that were there before. `top_line`: lines that are the most
    frequent one, where it is there three times or more; `repeated_lines`: lines that were there before, both of the lines with
    more than 20 characters; `repeated_paragraphs` likewise. `reply_terms`: words, each Chinese or Japanese character being one.
    """

    use: Literal["repetition"] = "repetition"
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    gives: ClassVar[Mapping[str, Any]] = {"reply_terms": pl.Int32} | dict.fromkeys(SHARES, pl.Float32)

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        said = rows.select("id", text=last_reply()).collect()
        texts = said["text"].unique(maintain_order=True)
        parts = [_repeated(p) for p in packed(texts, AT_ONCE)]
        columns: dict[str, Any] = {c: np.concatenate([p[c] for p in parts]) if parts else [] for c in self.gives}
        every = pl.DataFrame({"text": texts, **columns}, schema={"text": pl.String, **self.gives})
        return said.join(every, on="text", how="left", maintain_order="left").drop("text").lazy()


def _repeated(texts: Packed) -> dict[str, npt.NDArray[Any]]:
    words = texts.words
    found: dict[str, npt.NDArray[Any]] = {"reply_terms": words.per_text().astype(np.int32)}
    # Only where n words stood before can n + 1 have stood before: after the first pass few places are left.
    places, keys = np.arange(len(words.starts)), spread(words.hashes ^ spread(words.owner.astype(np.uint64)))
    for n in range(2, DUPLICATE[-1] + 1):
        places, keys = _longer(words, places, keys, n)
        told = _top(words, places, keys, n) if n in TOP else _covered(words, places, keys, n)
        found[f"{'top' if n in TOP else 'repeated'}_{n}gram"] = told
    found["top_line"], found["repeated_lines"] = _units(words, _line_of(words))
    paragraph = np.cumsum(np.diff(_line_of(words), prepend=0) > 1, dtype=np.int64)
    found["repeated_paragraphs"] = _units(words, paragraph)[1]
    return found


def _longer(words: Words, places: Counts, keys: Hashes, n: int) -> tuple[Counts, Hashes]:
    """The places where n words begin that begin elsewhere in the same text too, and a hash of these n words and their text."""
    inside = places + n - 1 < len(words.starts)
    inside[inside] &= words.owner[places[inside] + n - 1] == words.owner[places[inside]]
    places, keys = places[inside], keys[inside]
    keys = spread(keys * np.uint64(3) ^ words.hashes[places + n - 1])
    again = pl.Series(keys).is_duplicated().to_numpy()
    return places[again], keys[again]


def _top(words: Words, places: Counts, keys: Hashes, n: int) -> Shares:
    """Share of each text's words that its most frequent n words in a row make up."""
    some = (
        pl.DataFrame({"key": keys, "text": words.owner[places]}).group_by("key").agg(pl.col("text").first(), pl.len())
    )
    most = some.filter(pl.col("len") > 2).group_by("text").agg(pl.col("len").max())
    covered = np.zeros(len(words.texts.starts) - 1)
    covered[most["text"].to_numpy()] = most["len"].to_numpy() * n
    return _share(covered, words.per_text())


def _covered(words: Words, places: Counts, keys: Hashes, n: int) -> Shares:
    """Share of each text's words that belong to n words in a row that were there before."""
    later = places[~pl.Series(keys).is_first_distinct().to_numpy()]
    depth = np.zeros(len(words.starts) + 1, np.int32)
    np.add.at(depth, later, 1)
    np.add.at(depth, later + n, -1)
    covered = np.cumsum(depth[:-1]) > 0
    return _share(words.per_text(covered), words.per_text())


def _line_of(words: Words) -> Counts:
    """The line each word is on, counted over all texts."""
    return np.asarray(np.searchsorted(words.texts.lines, words.starts, side="right") - 1)


def _units(words: Words, unit: Counts) -> tuple[Shares, Shares]:
    """Of the lines or paragraphs that words are grouped by: the share of the most frequent, and of those that were there before."""
    texts = len(words.texts.starts) - 1
    if not len(unit):
        return np.zeros(texts, np.float32), np.zeros(texts, np.float32)
    # A paragraph ends with its text, too: the first word of a text begins a unit.
    first = np.flatnonzero((np.diff(unit, prepend=-1) != 0) | (np.diff(words.owner, prepend=-1) != 0))
    last = np.append(first[1:], len(unit)) - 1
    nth = (np.arange(len(unit)) - np.repeat(first, np.diff(first, append=len(unit)))).astype(np.uint64)
    keys = np.add.reduceat(spread(words.hashes ^ (nth * np.uint64(0x9E3779B97F4A7C15))), first)
    long = _characters(words, first, last) > 20
    table = pl.DataFrame({"text": words.owner[first][long], "key": keys[long]})
    counted = (
        table.group_by("text", "key")
        .len()
        .group_by("text")
        .agg(pl.col("len").max(), kinds=pl.len(), all=pl.col("len").sum())
    )
    top, again, every = np.zeros(texts), np.zeros(texts), np.zeros(texts)
    at, most = counted["text"].to_numpy(), counted["len"].to_numpy()
    top[at] = np.where(most > 2, most, 0)
    every[at] = counted["all"].to_numpy()
    again[at] = every[at] - counted["kinds"].to_numpy()
    return _share(top, every), _share(again, every)


def _characters(words: Words, first: Counts, last: Counts) -> Counts:
    """Characters from the start of one word to the end of another."""
    data = words.texts.data
    rest = np.flatnonzero((data & 0xC0) == 0x80)
    spans = words.ends[last] - words.starts[first]
    return (
        spans - (np.searchsorted(rest, words.ends[last]) - np.searchsorted(rest, words.starts[first]))
        if len(rest)
        else spans
    )


def _share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Shares:
    return np.asarray(np.minimum(part / np.maximum(whole, 1), 1.0), np.float32)
