"""Forbidden fields: removed, counted, and looked for once more.

They are looked for, at any depth and whatever the case of their letters, in what an application or a tool wrote as JSON: the
metadata, the parameters, further keys of a response or a message, the arguments and the results of tool calls, and the schemas
of the tools offered, so that no call is learned that has such a field. Fields of the chat format itself (the `name` of a tool,
`temperature`, `usage`, …) are never touched, and neither is JSON that a person or a model wrote as text.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import polars as pl

from flywheel.protection.policy import EDIT
from flywheel.records import MESSAGE, digests, message
from flywheel.rewriting import EDITS_MADE
from flywheel.texts.savings import tokens_saved

FREE = ("metadata", "parameters", "response_extra")
"""Columns of a conversation that hold free JSON."""
FORMAT: Mapping[str, frozenset[str]] = {
    "metadata": frozenset(),
    "parameters": frozenset(
        [
            "audio",
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "modalities",
            "model",
            "n",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "reasoning",
            "reasoning_effort",
            "response_format",
            "seed",
            "service_tier",
            "stop",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "top_k",
            "top_logprobs",
            "top_p",
            "verbosity",
            "web_search_options",
        ]
    ),
    "response_extra": frozenset(
        ["choices", "created", "id", "logprobs", "object", "service_tier", "system_fingerprint", "usage"]
    ),
    "extra": frozenset({"function_call"}),
}
"""Column or field -> the keys of its top level that belong to the chat format; they and what is in them stay."""


def drop_fields(rows: pl.DataFrame, forbidden: tuple[str, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Conversations without the forbidden fields, and what was removed, as EDITS_MADE: `field` names the place and the field,
    such as `metadata.gender`; `message` is -1 for what belongs to no message."""
    nothing = pl.DataFrame(schema=EDITS_MADE)
    if not forbidden or rows.is_empty():
        return rows, nothing
    numbered = rows.with_row_index("row")
    old = numbered.filter(_suspected(rows.schema, forbidden))
    if old.is_empty():
        return rows, nothing
    new, made = [], []
    for row in old.select("id", "messages", "tools", *FREE).iter_rows(named=True):
        cleaned, removed = _without(row, forbidden)
        new.append(cleaned)
        made += [(row["id"], *r) for r in removed]
    if not made:
        return rows, nothing
    columns = ["messages", "tools", "digest", "prompt_digest", "reply_digest", *FREE]
    fresh = old.with_columns(pl.DataFrame(new, schema={name: rows.schema[name] for name in columns}).get_columns())
    kept = numbered.join(old.select("row"), on="row", how="anti")
    return pl.concat([kept, fresh]).sort("row").drop("row"), pl.DataFrame(made, schema=EDITS_MADE, orient="row")


def forbidden_fields(rows: pl.DataFrame, forbidden: tuple[str, ...]) -> dict[str, int]:
    """Forbidden fields that are still there, per name. `rows` may have messages under any name, tools and free JSON."""
    left = dict.fromkeys(forbidden, 0)
    looked_at = [c for c, dtype in rows.schema.items() if dtype == pl.List(MESSAGE) or c in (*FREE, "tools")]
    for row in rows.filter(_suspected(rows.schema, forbidden)).select(looked_at).iter_rows(named=True):
        for column, value in row.items():
            cells = [(column, value)] if isinstance(value, str) else [c for one in value or () for c in _cells(one)]
            for place, text in cells:
                for name in forbidden:
                    left[name] += _dropped(place, text, name)[1]
    return left


def _suspected(schema: Mapping[str, Any], forbidden: tuple[str, ...]) -> pl.Expr:
    """Rows in which a forbidden name stands before a quotation mark anywhere, or hides behind escapes."""
    written = {form for name in forbidden for form in (name, name.upper(), name.title())}
    words = [f"{form}{end}" for form in sorted(written) for end in ('"', '\\"')] + ["\\u"]

    def hit(text: pl.Expr) -> pl.Expr:
        return text.str.contains_any(words, ascii_case_insensitive=True).fill_null(False)

    told = []
    for column, dtype in schema.items():
        if dtype == pl.List(MESSAGE):
            each = [hit(pl.element().struct.field(f)) for f in ("content", "parts", "tool_calls", "extra")]
            told.append(pl.col(column).list.eval(pl.any_horizontal(each)).list.any().fill_null(False))
        elif column in (*FREE, "tools"):
            told.append(hit(pl.col(column)))
    return pl.any_horizontal(told)


Removed = list[tuple[int, str, str, int, int, int, int]]


def _without(row: Mapping[str, Any], forbidden: tuple[str, ...]) -> tuple[dict[str, Any], Removed]:
    """One conversation without the fields, and (message, and the columns of EDITS_MADE from `field` on) of each removal."""
    removed: Removed = []

    def clean(at: int, place: str, value: str) -> str:
        for name in forbidden:
            after, count = _dropped(place, value, name)
            if count:
                removed.append((at, f"{place}.{name}", EDIT, count, len(value), len(after), tokens_saved(value, after)))
                value = after
        return value

    messages = [message(m) for m in row["messages"]]
    for at, one in enumerate(messages):
        for place, value in list(_cells(one)):
            one[place] = clean(at, place, value)
    beside = {column: row[column] and clean(-1, column, row[column]) for column in ("tools", *FREE)}
    return {"messages": messages, **beside, **digests(messages, beside["tools"])}, removed


def _cells(one: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """The fields of a message that hold JSON of an application or a tool."""
    for place in ("tool_calls", "extra"):
        if value := one.get(place):
            yield place, value
    if one.get("role") in ("tool", "function"):
        for place in ("content", "parts"):
            if value := one.get(place):
                yield place, value


def _dropped(place: str, value: str, name: str) -> tuple[str, int]:
    """A cell without one field, and how often it was there. What is no JSON is handed on as it is."""
    try:
        tree = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value, 0
    count = _WALKS.get(place, _free)(tree, name, FORMAT.get(place, frozenset()))
    return (orjson.dumps(tree).decode(), count) if count else (value, 0)


def _free(tree: Any, name: str, stay: frozenset[str] = frozenset()) -> int:
    """Remove the field everywhere in free JSON, but for the keys of the top level that are to stay. How many were removed."""
    count, open_ = 0, [(tree, stay)]
    while open_:
        node, kept = open_.pop()
        if isinstance(node, dict):
            gone = [key for key in node if key not in kept and key.casefold() == name]
            for key in gone:
                del node[key]
            count += len(gone)
            open_ += [(child, frozenset()) for key, child in node.items() if key not in kept]
        elif isinstance(node, list):
            open_ += [(child, kept) for child in node]
    return count


def _calls(tree: Any, name: str, _: frozenset[str]) -> int:
    """In the arguments of tool calls; what is around them is the format's."""
    count = 0
    for call in tree if isinstance(tree, list) else [tree]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            count += _inner(function, "arguments", name)
    return count


def _extra(tree: Any, name: str, stay: frozenset[str]) -> int:
    """In further keys of a message; of a call in the old style only the arguments."""
    old = tree.get("function_call") if isinstance(tree, dict) else None
    return _free(tree, name, stay) + (_inner(old, "arguments", name) if isinstance(old, dict) else 0)


def _parts(tree: Any, name: str, _: frozenset[str]) -> int:
    """In the text of the parts of a tool's result."""
    parts = [part for part in tree if isinstance(part, dict)] if isinstance(tree, list) else []
    return sum(_inner(part, "text", name) for part in parts)


def _inner(node: dict[str, Any], key: str, name: str) -> int:
    """In JSON that is a string in JSON, or stands there itself."""
    value = node.get(key)
    if isinstance(value, str):
        node[key], count = _dropped("", value, name)
        return count
    return _free(value, name)


def _schemas(tree: Any, name: str, _: frozenset[str]) -> int:
    """In the schemas of tools: the property and its mention among the required ones."""
    count, open_ = 0, [tool.get("function", tool).get("parameters") for tool in tree if _is_tool(tool)]
    while open_:
        node = open_.pop()
        if isinstance(node, dict):
            properties, required = node.get("properties"), node.get("required")
            if isinstance(properties, dict):
                gone = [key for key in properties if key.casefold() == name]
                for key in gone:
                    del properties[key]
                count += len(gone)
                if isinstance(required, list):
                    node["required"] = [k for k in required if not (isinstance(k, str) and k.casefold() == name)]
                open_ += properties.values()
            open_ += [child for key, child in node.items() if key not in ("properties", "default", "enum", "examples")]
        elif isinstance(node, list):
            open_ += node
    return count


def _is_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("function", tool), dict)


_WALKS: Mapping[str, Callable[[Any, str, frozenset[str]], int]] = {
    "tool_calls": _calls,
    "extra": _extra,
    "parts": _parts,
    "tools": _schemas,
}
"""Where a cell is not free JSON: how to walk it."""
