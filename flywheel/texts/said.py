"""The texts of some rows, found once for all signals that are measured of them."""

import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.duplicates.shingles import Words
from flywheel.texts.packed import Counts


@dataclass(frozen=True)
class Said:
    """The contents of all messages of some rows, each distinct text once: the history of a session comes again in each of its turns.

    The first text is "", the content of a message that has none.
    """

    ids: pl.Series
    texts: pl.Series
    which: Counts
    """Of each message of all rows, one after the other, the place of its text."""
    starts: Counts
    """Where in these the messages of each row begin, and the last ends."""

    @cached_property
    def replies(self) -> Counts:
        """The place of the text of each row's last message; that of "" for a row without messages."""
        last = np.maximum(self.starts[1:] - 1, 0)
        return np.where(np.diff(self.starts) > 0, self.which[last] if len(self.which) else 0, 0)

    @cached_property
    def inputs(self) -> Counts:
        """The place of the text of the message before each row's last; that of "" where there is none."""
        before = np.maximum(self.starts[1:] - 2, 0)
        return np.where(np.diff(self.starts) > 1, self.which[before] if len(self.which) else 0, 0)

    @cached_property
    def words(self) -> Words:
        """The words of each text, as texts are compared by them."""
        return Words.of(self.texts)

    @property
    def owners(self) -> Counts:
        """The row of each message."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))

    def prompt_and_reply(self, numbers: npt.NDArray[Any]) -> tuple[Counts, Counts]:
        """Of a number of each text: for each row the sum over every message but the last, and the number of the last."""
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(numbers[self.which], dtype=np.int64)])
        whole = sums[self.starts[1:]] - sums[self.starts[:-1]]
        last = np.where(np.diff(self.starts) > 0, numbers[self.replies].astype(np.int64), 0)
        return whole - last, last


def said(rows: pl.LazyFrame) -> Said:
    """The texts of the rows. They are kept as long as this very frame is there, or until another is asked about."""
    known = _known.get("rows")
    if known is None or known[0]() is not rows:
        known = _known["rows"] = (weakref.ref(rows, _forget), _read(rows))
    return known[1]


_known: dict[str, tuple[weakref.ref[pl.LazyFrame], Said]] = {}


def _forget(gone: weakref.ref[pl.LazyFrame]) -> None:
    if (known := _known.get("rows")) is not None and known[0] is gone:
        del _known["rows"]


def _read(rows: pl.LazyFrame) -> Said:
    read = rows.select("id", "messages").collect()
    messages = read["messages"]
    told = messages.explode(empty_as_null=False).struct.field("content").fill_null("").alias("text")
    texts = pl.concat([pl.Series("text", [""]), told]).unique(maintain_order=True)
    places = texts.to_frame().with_row_index("at")
    which = told.to_frame().join(places, on="text", how="left", maintain_order="left")["at"]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(messages.list.len().to_numpy(), dtype=np.int64)])
    return Said(read["id"], texts, which.to_numpy().astype(np.int64), starts)
