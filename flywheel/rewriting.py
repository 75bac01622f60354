"""Edits applied to every text of every message, and what redactions still find afterwards.

The history of a session comes again in each of its turns, so each distinct text is rewritten once. A row in which nothing
changes is handed on untouched, bytes and digests.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from flywheel.edits import EDITS
from flywheel.kinds import Edit, Redaction
from flywheel.records import MESSAGE_FIELDS, conform, digests_in_order
from flywheel.texts.savings import tokens_saved

EDITS_MADE = pl.Schema(
    {
        "id": pl.String,
        "message": pl.Int32,  # index in the conversation, from 0; -1 for what belongs to no message, such as the tools
        "field": pl.String,  # of the message; of a field removed, also its name: metadata.gender
        "edit": pl.String,
        "count": pl.Int32,  # values replaced, fields removed; for an edit that is no redaction, texts changed
        "chars_before": pl.Int32,  # of the texts it changed in this field
        "chars_after": pl.Int32,
        "tokens_saved": pl.Int32,  # of o200k, in those texts; negative where they came to be more
    }
)

RESIDUE = pl.Schema({"label": pl.String, "count": pl.Int64})
"""What redactions still find in the texts of a table: one row for each redaction there is, listed in the recipe or not."""

PLAIN = ("content", "name", "reasoning", "refusal", "tool_call_id")
STRUCTURED = ("parts", "tool_calls", "extra")
"""Fields that hold JSON: their string leaves are the texts, and in the arguments of a call the keys, too."""
NO_PROSE = ("tool_calls", "extra", "name", "tool_call_id", "tools")

TEXTS = ("messages", "tools")
"""Columns of a conversation that hold text."""
ROUNDS = 4
"""One edit may uncover what another was looking for; the edits are repeated until nothing changes, at most so often."""


@dataclass(slots=True)
class _Change:
    """What became of one text: its final form, and per edit the values replaced, the characters before and after, the tokens saved."""

    text: str
    made: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)


PLACE = ("field", "value", "prose")
"""What decides the new form of a field: its name, its value, and whether it is prose; edits marked `prose_only` leave the others
alone."""
CELLS = pl.Schema({"field": pl.String, "value": pl.String, "prose": pl.Boolean, "new": pl.String})
MADE = pl.Schema(
    {**{c: CELLS[c] for c in PLACE}, **{c: t for c, t in EDITS_MADE.items() if c not in ("id", "message", "field")}}
)


def rewrite(rows: pl.DataFrame, edits: Sequence[Edit], secret: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply the edits, in order, to every text of every message.

    `rows` are CONVERSATIONS. Gives the same rows (ids and order unchanged, digests made anew where a text changed) and the
    table EDITS_MADE. `secret` is the home's key. Where `content` was the joined text of `parts` it still is.
    """
    if not edits or rows.is_empty():
        return rows, pl.DataFrame(schema=EDITS_MADE)
    every = pl.concat([_exploded(rows, column) for column in TEXTS])
    texts = _Texts(edits, secret)
    cells, made = texts.fields(every.select(PLACE).unique())
    changed = every.join(cells, on=PLACE)
    if changed.is_empty():
        return rows, pl.DataFrame(schema=EDITS_MADE)
    numbered = rows.with_row_index("row")
    old = numbered.join(changed.select("row").unique(), on="row", how="semi")
    fresh = _with_cells(old, changed, texts)
    said = fresh["messages"].explode(empty_as_null=False).struct.unnest().select(MESSAGE_FIELDS).rows()
    ends = fresh["messages"].list.len().cum_sum().to_list()
    each = (said[first:end] for first, end in pairwise([0, *ends]))
    digested = pl.DataFrame(
        [digests_in_order(messages, tools) for messages, tools in zip(each, fresh["tools"].to_list(), strict=True)],
        schema={c: rows.schema[c] for c in ("digest", "prompt_digest", "reply_digest")},
        orient="row",
    )
    fresh = fresh.with_columns(digested.get_columns())
    kept = numbered.join(changed.select("row").unique(), on="row", how="anti")
    told = changed.join(made, on=PLACE).join(numbered.select("row", "id"), on="row")
    rank = pl.col("field").replace_strict({f: n for n, f in enumerate((*PLAIN, *STRUCTURED, "tools"))})
    places = {e.use: n for n, e in enumerate(edits)}
    told = told.sort("row", "message", rank, pl.col("edit").replace_strict(places))
    return pl.concat([kept, fresh.select(kept.columns)]).sort("row").drop("row"), conform(told, EDITS_MADE)


def rewrite_text(texts: pl.Series, edits: Sequence[Edit], secret: bytes) -> pl.Series:
    """Apply the edits to plain texts, such as the corrections in feedback. Nulls stay null."""
    known = _Texts(edits, secret, saves=False)
    known.learn(texts.drop_nulls().unique(), prose=True)
    return pl.Series(texts.name, [t if t is None else known.of(t, True) for t in texts.to_list()], dtype=pl.String)


def residue(rows: pl.DataFrame, redactions: Sequence[Redaction], columns: Sequence[str] = TEXTS) -> pl.DataFrame:
    """Values the redactions still find in any text of the rows.

    `columns` name lists of messages, or JSON such as the tools offered. Gives `label`, `count`: one row for each redaction, 0 where nothing is found.
    """
    every = pl.concat([_exploded(rows, column).select("field", "value") for column in columns])
    counted = every.group_by("field", "value").len()
    plain = counted.filter(pl.col("field").is_in(PLAIN)).select(text="value", times="len")
    times: Counter[str] = Counter()
    for name, value, count in counted.filter(~pl.col("field").is_in(PLAIN)).rows():
        for text in _leaves(name, value):
            times[text] += count
    inner = pl.DataFrame({"text": list(times), "times": list(times.values())}, schema=plain.schema)
    every = pl.concat([plain, inner])
    texts = every.filter(pl.Series(_suspects(every["text"], redactions))).group_by("text").agg(pl.col("times").sum())
    found = [
        {
            "label": r.label,
            "count": sum(len(r.find(t)) * n for t, n in texts[r.suspects(texts["text"])].rows()),
        }
        for r in redactions
    ]
    return pl.DataFrame(found, schema=RESIDUE)


def every_redaction(edits: Iterable[Edit]) -> tuple[Redaction, ...]:
    """The redactions among the edits, then every other one that is looked for unasked, as it is by default."""
    listed = [e for e in edits if isinstance(e, Redaction)]
    uses = {r.use for r in listed}
    others = (cls for use, cls in EDITS.items() if issubclass(cls, Redaction) and use not in uses)
    return (*listed, *(cls.model_validate({}) for cls in others if not cls.on_request))


class _Texts:
    """What the edits make of each distinct text."""

    def __init__(self, edits: Sequence[Edit], secret: bytes, saves: bool = True) -> None:
        self.edits = edits
        self.secret = secret
        self.saves = saves
        """Whether the tokens saved are counted."""
        self.changed: dict[bool, dict[str, _Change]] = {True: {}, False: {}}
        """Whether it is prose -> text -> what became of it, for those that change."""

    def fields(self, places: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The places (PLACE) that change with their new value (CELLS), and what each edit made there (MADE)."""
        plain = places.filter(pl.col("field").is_in(PLAIN))
        inner = [(*place, _leaves(place[0], place[1])) for place in places.filter(~pl.col("field").is_in(PLAIN)).rows()]
        for prose in (True, False):
            within = {t for *_, is_prose, leaves in inner if is_prose == prose for t in leaves}
            mine = plain.filter(pl.col("prose") == prose)["value"]
            self.learn(pl.concat([mine, pl.Series(sorted(within), dtype=pl.String)]).unique(), prose)
        cells: list[tuple[str, str, bool, str]] = []
        made: list[tuple[str, str, bool, str, int, int, int, int]] = []
        for prose, known in self.changed.items():
            old = pl.DataFrame({"value": list(known)}, schema={"value": pl.String})
            for name, value in (
                plain.filter(pl.col("prose") == prose).join(old, on="value").select("field", "value").rows()
            ):
                cells.append((name, value, prose, known[value].text))
                made += [(name, value, prose, edit, *numbers) for edit, numbers in known[value].made.items()]
        for name, value, prose, leaves in inner:
            known = self.changed[prose]
            if touched := [known[t] for t in leaves if t in known]:
                cells.append((name, value, prose, _rebuilt(name, value, partial(self.of, prose=prose))))
                made += [(name, value, prose, edit, *numbers) for edit, numbers in _summed(touched).items()]
        return pl.DataFrame(cells, schema=CELLS, orient="row"), pl.DataFrame(made, schema=MADE, orient="row")

    def learn(self, texts: pl.Series, prose: bool) -> None:
        """Rewrite these distinct texts and remember those that change."""
        known = self.changed[prose]
        edits = [e for e in self.edits if prose or not e.prose_only]
        originals, current = texts, texts.alias("text")
        last = np.full(len(current), len(edits))
        """The last edit that changed each text in the round before: those after it have seen it as it is."""
        for _ in range(ROUNDS):
            moved = np.full(len(current), -1)
            suspects = _suspects(current, edits)
            for at, edit in enumerate(edits):
                fresh = moved >= 0
                # One pass finds the few texts that may hold a value of any kind; what changed since may hold more.
                due = fresh | (last >= at) & suspects if isinstance(edit, Redaction) else fresh | (last >= at)
                places = pl.Series(due).arg_true()
                before = current.gather(places)
                changed, after, counts = _edited(before, edit, self.secret)
                if len(changed):
                    places = places.gather(changed)
                    self._note(known, edit, originals.gather(places), before.gather(changed), after, counts)
                    moved[places.to_numpy()] = at
                    current = current.clone().scatter(places, after)
            again = pl.Series(moved >= 0)
            if not again.any():
                return
            originals, current, last = originals.filter(again), current.filter(again), moved[moved >= 0]

    def _note(self, known: dict[str, _Change], edit: Edit, *columns: Iterable[Any]) -> None:
        for original, was, text, count in zip(*columns, strict=True):
            change = known.setdefault(original, _Change(""))
            change.text = text
            earlier = change.made.get(edit.use, (0, len(was), 0, 0))
            saved = earlier[3] + (tokens_saved(was, text) if self.saves else 0)
            change.made[edit.use] = (earlier[0] + count, earlier[1], len(text), saved)

    def of(self, text: str, prose: bool) -> str:
        """The final form of a text."""
        change = self.changed[prose].get(text)
        return change.text if change else text


def _rejoined(old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """The joined text of the rewritten parts, where the content was the joined text of the parts and is it no more."""
    before, after = _part_texts(old["parts"]), _part_texts(new["parts"])
    joiner = next((j for j in ("\n", "", "\n\n", " ") if j.join(before) == old["content"]), None)
    return None if joiner is None or (joined := joiner.join(after)) == new["content"] else joined


def _edited(texts: pl.Series, edit: Edit, secret: bytes) -> tuple[pl.Series, pl.Series, list[int]]:
    """The places of the texts that the edit changes, what they become, and how many values were replaced in each."""
    if isinstance(edit, Redaction):
        hits = edit.suspects(texts)
        made = [edit.replaced(text, secret) for text in texts.gather(hits).to_list()]
        after, counts = pl.Series([text for text, _ in made], dtype=pl.String), [count for _, count in made]
        differs = texts.gather(hits).ne_missing(after)
        return (
            hits.filter(differs),
            after.filter(differs),
            [n for n, moved in zip(counts, differs, strict=True) if moved],
        )
    after = texts.to_frame("text").select(edit.rewrite(pl.col("text"), secret)).to_series()
    changed = texts.ne_missing(after).arg_true()
    return changed, after.gather(changed), [1] * len(changed)


def _suspects(texts: pl.Series, edits: Iterable[Edit]) -> npt.NDArray[np.bool_]:
    """Which texts may hold a value of any of the redactions: those in which one of their gates is found."""
    gates = dict.fromkeys(e.gate for e in edits if isinstance(e, Redaction))
    if not gates:
        return np.zeros(len(texts), dtype=bool)
    if "" in gates:
        return np.ones(len(texts), dtype=bool)
    # A gate beyond ASCII would slow the others down.
    plain, wide = [g for g in gates if g.isascii()], [g for g in gates if not g.isascii()]
    suspects = np.zeros(len(texts), dtype=bool)
    for gate in [*(["|".join(plain)] if plain else []), *wide]:
        suspects |= texts.str.contains(gate).to_numpy()
    return suspects


def _summed(changes: Iterable[_Change]) -> dict[str, list[int]]:
    """Edit -> values replaced, characters before and after and tokens saved, over several texts of one field."""
    total: dict[str, list[int]] = {}
    for change in changes:
        for edit, numbers in change.made.items():
            total[edit] = [a + b for a, b in zip(total.get(edit, [0, 0, 0, 0]), numbers, strict=True)]
    return total


def _with_cells(old: pl.DataFrame, changed: pl.DataFrame, texts: _Texts) -> pl.DataFrame:
    """The rows (with `row`) with the new values in their places. `changed`: row, message, PLACE and `new`."""
    place = pl.int_range(pl.len()).over("row").cast(pl.Int32).alias("message")
    one = (
        old.select("row", "messages").explode("messages").drop_nulls("messages").with_columns(place).unnest("messages")
    )
    was = one
    for name in changed.filter(pl.col("message") >= 0)["field"].unique().sort():
        cells = changed.filter(pl.col("field") == name).select("row", "message", "new")
        one = one.join(cells, on=["row", "message"], how="left", maintain_order="left")
        one = one.with_columns(pl.coalesce("new", name).alias(name)).drop("new")
    both = one["content"].is_not_null() & one["parts"].is_not_null() & was["parts"].is_not_null()
    places = both.arg_true().to_list()
    joined = {at: _rejoined(was.row(at, named=True), one.row(at, named=True)) for at in places}
    mended = [(at, text, _is_prose("content", one["role"][at])) for at, text in joined.items() if text is not None]
    # A value cut in two by the parts shows only in the joined text; clean wins over consistent.
    for prose in {prose for *_, prose in mended}:
        texts.learn(pl.Series([text for _, text, is_prose in mended if is_prose == prose]).unique(), prose)
    if mended:
        clean = [texts.of(text, prose) for _, text, prose in mended]
        one = one.with_columns(one["content"].scatter([at for at, *_ in mended], clean))
    messages = one.group_by("row", maintain_order=True).agg(pl.struct(MESSAGE_FIELDS).alias("messages"))
    offered = changed.filter(pl.col("field") == "tools").select("row", "new")
    return (
        old.drop("messages")
        .join(messages, on="row", how="left", maintain_order="left")
        .join(offered, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("messages").fill_null(pl.lit([], dtype=old.schema["messages"])), tools=pl.coalesce("new", "tools")
        )
        .drop("new")
    )


def _is_prose(name: str, role: str | None) -> bool:
    return name not in NO_PROSE and role not in ("tool", "function")


def _exploded(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Every text field of every message, or of a column of JSON each value: `row` (index), `message` (index, -1 for JSON) and PLACE."""
    if rows.schema[column] == pl.String:
        return (
            rows.lazy()
            .select(
                pl.int_range(pl.len(), dtype=pl.get_index_type()).alias("row"),
                pl.lit(-1, dtype=pl.Int32).alias("message"),
                pl.lit(column).alias("field"),
                pl.col(column).alias("value"),
                pl.lit(False).alias("prose"),
            )
            .filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
            .collect()
        )
    one = (
        rows.lazy()
        .select(pl.int_range(pl.len(), dtype=pl.get_index_type()).alias("row"), pl.col(column).alias("one"))
        .explode("one")
        .with_columns(message=pl.int_range(pl.len()).over("row").cast(pl.Int32))
    )
    fields = [
        one.select(
            "row",
            "message",
            pl.lit(name).alias("field"),
            pl.col("one").struct.field(name).alias("value"),
            pl.lit(name not in NO_PROSE)
            .and_(~pl.col("one").struct.field("role").is_in(["tool", "function"]).fill_null(False))
            .alias("prose"),
        ).filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
        for name in (*PLAIN, *STRUCTURED)
    ]
    return pl.concat(fields).collect()


def _leaves(name: str, value: str) -> list[str]:
    """The texts of a field: itself, or the string leaves of its JSON."""
    found: list[str] = []

    def collect(text: str) -> str:
        found.append(text)
        return text

    _rebuilt(name, value, collect)
    return found


def _rebuilt(name: str, value: str, change: Callable[[str], str]) -> str:
    """The field with `change` applied to each text in it."""
    return change(value) if name in PLAIN else _in_json(value, change, wire=True)


_STRING = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:\s*)?', re.DOTALL)


def _in_json(value: str, change: Callable[[str], str], wire: bool) -> str:
    """JSON with `change` applied to each string; every other byte stays as it was written.

    `wire`: this is a message's own structure, whose keys and `type` are left alone and where `arguments` is JSON in a string;
    elsewhere keys are text like any other.
    Text that is no JSON is taken as it is.
    """
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return change(value)
    key, key_end = "", -1

    def leaf(m: re.Match[str]) -> str:
        nonlocal key, key_end
        text = orjson.loads(m["string"])
        if m["colon"]:
            key, key_end = text, m.end()
            new = text if wire else change(text)
            return m.group() if new == text else orjson.dumps(new).decode() + m["colon"]
        name = key if wire and key_end == m.start() else ""
        if name == "type":
            return m.group()
        new = _in_json(text, change, wire=False) if name == "arguments" else change(text)
        return m.group() if new == text else orjson.dumps(new).decode()

    return _STRING.sub(leaf, value)


def _part_texts(parts: str) -> list[str]:
    """The text of each text part."""
    try:
        tree = orjson.loads(parts)
    except orjson.JSONDecodeError:
        return []
    return (
        [p["text"] for p in tree if isinstance(p, Mapping) and isinstance(p.get("text"), str)]
        if isinstance(tree, list)
        else []
    )
