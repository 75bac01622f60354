"""What to look for to know whether somebody is still there: their names, the ids of their calls, pieces of their texts."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

SHORTEST = 6
"""Characters of a name below which it is not looked for: it would be found in every text."""
PIECE, RUN = 40, 24
"""Characters of a piece of text that is looked for, and the fewest it must have."""
MOST = 5000
"""Names, and pieces of text, that are looked for; of more, those with the smallest hash."""
RUNS = re.compile(r"[^\"\\/<>&'\x00-\x1f\x7f\u2028\u2029]{24,}")
"""Stretches of a text that JSON, however it is written, leaves as they are, but for letters beyond ASCII."""


def pieces(text: str) -> list[str]:
    """Two stretches of a text by which it is known again: the longest ones."""
    runs = sorted((run.strip() for run in RUNS.findall(text)), key=lambda run: (-len(run), run))[:2]
    return [run[:PIECE] for run in runs if len(run) >= RUN]


def sampled(values: Iterable[str]) -> list[str]:
    """At most MOST of them: those with the smallest hash."""
    return sorted(set(values), key=lambda v: hashlib.blake2b(v.encode(), digest_size=8).digest())[:MOST]


@dataclass(frozen=True)
class Needles:
    """Values to look for, in texts and in bytes."""

    quoted: tuple[str, ...] = ()
    """Looked for as a whole JSON string, and as a whole cell: names that may be words."""
    ids: tuple[str, ...] = ()
    """Looked for with no letter or digit beside them."""
    texts: tuple[str, ...] = ()
    """Looked for anywhere."""

    def some(self) -> "Needles":
        """Those that a whole home is searched for: at most MOST names and as many texts."""
        return Needles(self.quoted, tuple(sampled(self.ids)), tuple(sampled(self.texts)))

    def without(self, values: Collection[str]) -> "Needles":
        """The same but for these values."""
        gone = set(values)
        return Needles(*(tuple(v for v in kind if v not in gone) for kind in (self.quoted, self.ids, self.texts)))

    def __len__(self) -> int:
        return len(self.quoted) + len(self.ids) + len(self.texts)

    @cached_property
    def forms(self) -> Mapping[str, str]:
        """Each way a value is written -> the value. What is not ASCII is written out, or escaped as JSON does."""
        quoted = {f'"{form}"': v for v in self.quoted for form in (v, json.dumps(v)[1:-1])}
        plain = {form: v for v in (*self.ids, *self.texts) for form in (v, json.dumps(v)[1:-1])}
        return quoted | plain

    @cached_property
    def raw_forms(self) -> Mapping[str, str]:
        """The same as bytes, each byte one character."""
        return {form.encode().decode("latin-1"): v for form, v in self.forms.items()}

    @cached_property
    def bounds(self) -> Mapping[str, re.Pattern[str]]:
        """What must stand beside an id."""
        return {v: re.compile(f"(?<![A-Za-z0-9]){re.escape(v)}(?![A-Za-z0-9])") for v in self.ids}

    def in_bytes(self, chunks: Sequence[bytes]) -> Iterator[tuple[int, set[str]]]:
        """Place of each chunk that holds values, and which."""
        return self._in(pl.Series([chunk.decode("latin-1") for chunk in chunks], dtype=pl.String), self.raw_forms)

    def in_texts(self, texts: pl.Series) -> set[str]:
        """Values that a column of texts holds; a text that is just a quoted value counts, too."""
        if not len(self):
            return set()
        every = texts.str.join("\0")  # one text is looked through many times as fast as its parts
        if not every.str.contains_any([*self.forms, *self.quoted]).fill_null(False).any():
            return set()
        found = set(texts.filter(texts.is_in([*self.quoted, *self.ids])).to_list())
        return found.union(*(hit for _, hit in self._in(texts, self.forms)))

    def rows_of(self, texts: pl.Series) -> Iterator[tuple[int, set[str]]]:
        """Place of each text that holds values, and which."""
        return self._in(texts, self.forms)

    def _in(self, texts: pl.Series, forms: Mapping[str, str]) -> Iterator[tuple[int, set[str]]]:
        if not forms:
            return
        frame = texts.rename("text").to_frame().with_row_index("at")
        likely = frame.filter(pl.col("text").str.contains_any(list(forms)))
        told = likely.with_columns(hit=pl.col("text").str.extract_many(list(forms), overlapping=True).list.unique())
        for at, text, hit in told.iter_rows():
            values = {forms[form] for form in hit}
            held = {v for v in values if v not in self.bounds or self.bounds[v].search(text)}
            if held:
                yield at, held
