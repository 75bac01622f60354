"""Edits applied to every text of every message, and what redactions still find afterwards.

The history of a session comes again in each of its turns, so each distinct text is rewritten once. A row in which nothing
changes is handed on untouched, bytes and digests.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import orjson
import polars as pl

from flywheel.kinds import Edit, Redaction
from flywheel.records import digests, message

EDITS_MADE = pl.Schema(
    {
        "id": pl.String,
        "message": pl.Int32,  # index in the conversation, from 0; -1 for the tools offered with it
        "field": pl.String,  # of the message
        "edit": pl.String,
        "count": pl.Int32,  # values replaced; for an edit that is no redaction, texts changed
        "chars_before": pl.Int32,  # of the texts it changed in this field
        "chars_after": pl.Int32,
    }
)

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
    """What became of one text: its final form, and per edit the values replaced and the characters before and after."""

    text: str
    made: dict[str, tuple[int, int, int]] = field(default_factory=dict)


Key = tuple[str, bool]
"""A text and whether it is prose: edits marked `prose_only` leave the others alone."""


def rewrite(rows: pl.DataFrame, edits: Sequence[Edit], secret: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply the edits, in order, to every text of every message.

    `rows` are CONVERSATIONS. Gives the same rows (ids and order unchanged, digests made anew where a text changed) and the
    table EDITS_MADE. `secret` is the home's key. Where `content` was the joined text of `parts` it still is.
    """
    if not edits or rows.is_empty():
        return rows, pl.DataFrame(schema=EDITS_MADE)
    fields = pl.concat([_exploded(rows, column).select("field", "value", "prose") for column in TEXTS]).unique()
    leaves = {place: _leaves(*place) for place in fields.rows()}
    texts = _Texts(edits, secret)
    texts.learn({key for keys in leaves.values() for key in keys})
    touched = [place for place, keys in leaves.items() if any(key in texts.changed for key in keys)]
    if not touched:
        return rows, pl.DataFrame(schema=EDITS_MADE)
    places = pl.DataFrame(touched, schema=fields.schema, orient="row")
    every = pl.concat([_exploded(rows, column) for column in TEXTS])
    affected = every.join(places, on=["field", "value", "prose"], how="semi").select("row").unique()
    numbered = rows.with_row_index("row")
    old = numbered.join(affected, on="row", how="semi")
    new, made = [], []
    for row in old.select("id", "messages", "tools").iter_rows(named=True):
        messages = [message(m) for m in row["messages"]]
        for at, one in enumerate(messages):
            made += [(row["id"], at, *change) for change in texts.apply(one)]
        offered: dict[str, str | None] = {"tools": row["tools"]}
        made += [(row["id"], -1, *change) for change in texts.apply_field(offered, "tools", prose=False)]
        new.append({"messages": messages, **offered, **digests(messages, offered["tools"])})
    columns = ["messages", "tools", "digest", "prompt_digest", "reply_digest"]
    fresh = old.with_columns(pl.DataFrame(new, schema={name: rows.schema[name] for name in columns}).get_columns())
    kept = numbered.join(affected, on="row", how="anti")
    return pl.concat([kept, fresh]).sort("row").drop("row"), pl.DataFrame(made, schema=EDITS_MADE, orient="row")


def rewrite_text(texts: pl.Series, edits: Sequence[Edit], secret: bytes) -> pl.Series:
    """Apply the edits to plain texts, such as the corrections in feedback. Nulls stay null."""
    known = _Texts(edits, secret)
    known.learn({(t, True) for t in texts.drop_nulls().unique().to_list()})
    if not known.changed:
        return texts
    new = {text: change.text for (text, _), change in known.changed.items()}
    return pl.Series(texts.name, [new.get(t, t) for t in texts.to_list()], dtype=pl.String)


def residue(rows: pl.DataFrame, redactions: Sequence[Redaction], columns: Sequence[str] = TEXTS) -> pl.DataFrame:
    """Values the redactions still find in any text of the rows.

    `columns` name lists of messages, or JSON such as the tools offered. Gives `label`, `count`: one row for each redaction, 0 where nothing is found.
    """
    times: Counter[str] = Counter()
    for column in columns:
        counted = _exploded(rows, column).group_by("field", "value", "prose").len()
        for name, value, prose, count in counted.rows():
            for text, _ in _leaves(name, value, prose):
                times[text] += count
    texts = pl.Series("text", list(times), dtype=pl.String)
    found = [
        {
            "label": r.label,
            "count": sum(len(r.find(t)) * times[t] for t in texts.filter(texts.str.contains(r.pattern)).to_list()),
        }
        for r in redactions
    ]
    return pl.DataFrame(found, schema={"label": pl.String, "count": pl.Int64})


class _Texts:
    """What the edits make of each distinct text."""

    def __init__(self, edits: Sequence[Edit], secret: bytes) -> None:
        self.edits = edits
        self.secret = secret
        self.changed: dict[Key, _Change] = {}

    def learn(self, keys: Iterable[Key]) -> None:
        """Rewrite these texts and remember those that change."""
        keys = sorted(set(keys) - set(self.changed))
        for prose in (True, False):
            originals = [text for text, is_prose in keys if is_prose == prose]
            edits = [e for e in self.edits if prose or not e.prose_only]
            self._rewrite(originals, edits, prose)

    def _rewrite(self, originals: list[str], edits: Sequence[Edit], prose: bool) -> None:
        current, where = pl.Series("text", originals, dtype=pl.String), list(range(len(originals)))
        for _ in range(ROUNDS):
            moved: set[int] = set()
            for edit in edits:
                after = current.to_frame().select(edit.rewrite(pl.col("text"), self.secret)).to_series()
                for at in current.ne_missing(after).arg_true().to_list():
                    moved.add(at)
                    change = self.changed.setdefault((originals[where[at]], prose), _Change(""))
                    before, change.text = current[at], after[at]
                    count = len(edit.find(before)) if isinstance(edit, Redaction) else 1
                    earlier = change.made.get(edit.use, (0, len(before), 0))
                    change.made[edit.use] = (earlier[0] + count, earlier[1], len(after[at]))
                current = after.alias("text")
            if not moved:
                return
            again = sorted(moved)
            current, where = current.gather(again), [where[at] for at in again]

    def of(self, text: str, prose: bool) -> str:
        """The final form of a text."""
        change = self.changed.get((text, prose))
        return change.text if change else text

    def apply(self, one: dict[str, str | None]) -> list[tuple[str, str, int, int, int]]:
        """Rewrite a message in place. Gives (field, edit, count, chars_before, chars_after) of each change."""
        made: list[tuple[str, str, int, int, int]] = []
        content, parts = one["content"], one["parts"]
        for name in (*PLAIN, *STRUCTURED):
            made += self.apply_field(one, name, _is_prose(name, one["role"]))
        if content is not None and parts is not None and one["parts"] is not None:
            self._rejoin(one, content, parts)
        return made

    def apply_field(self, one: dict[str, str | None], name: str, prose: bool) -> list[tuple[str, str, int, int, int]]:
        """Rewrite one field in place. Gives (field, edit, count, chars_before, chars_after) of each change."""
        value = one[name]
        leaves = [] if value is None else [key for key in _leaves(name, value, prose) if key in self.changed]
        if value is None or not leaves:
            return []
        one[name] = _rebuilt(name, value, partial(self.of, prose=prose))
        total: dict[str, list[int]] = {}
        for key in leaves:
            for edit, numbers in self.changed[key].made.items():
                total[edit] = [a + b for a, b in zip(total.get(edit, [0, 0, 0]), numbers, strict=True)]
        return [(name, edit, *numbers) for edit, numbers in total.items()]  # type: ignore[misc]

    def _rejoin(self, one: dict[str, str | None], content: str, parts: str) -> None:
        """Make the content the joined text of the rewritten parts again, if it was that before."""
        before, after = _part_texts(parts), _part_texts(str(one["parts"]))
        joiner = next((j for j in ("\n", "", "\n\n", " ") if j.join(before) == content), None)
        if joiner is None or (joined := joiner.join(after)) == one["content"]:
            return
        # A value cut in two by the parts shows only in the joined text; clean wins over consistent.
        prose = _is_prose("content", one["role"])
        self.learn([(joined, prose)])
        one["content"] = self.of(joined, prose)


def _is_prose(name: str, role: str | None) -> bool:
    return name not in NO_PROSE and role not in ("tool", "function")


def _exploded(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Every text field of every message, or of a column of JSON each value: `row` (index), `field`, `value`, `prose`."""
    if rows.schema[column] == pl.String:
        return (
            rows.lazy()
            .select(
                pl.int_range(pl.len(), dtype=pl.get_index_type()).alias("row"),
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
    )
    fields = [
        one.select(
            "row",
            pl.lit(name).alias("field"),
            pl.col("one").struct.field(name).alias("value"),
            pl.lit(name not in NO_PROSE)
            .and_(~pl.col("one").struct.field("role").is_in(["tool", "function"]).fill_null(False))
            .alias("prose"),
        ).filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
        for name in (*PLAIN, *STRUCTURED)
    ]
    return pl.concat(fields).collect()


def _leaves(name: str, value: str, prose: bool) -> list[Key]:
    """The texts of a field: itself, or the string leaves of its JSON."""
    found: list[Key] = []

    def collect(text: str) -> str:
        found.append((text, prose))
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
