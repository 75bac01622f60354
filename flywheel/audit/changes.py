"""What edits and people changed in a text: before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flywheel.records import MESSAGE_FIELDS

if TYPE_CHECKING:
    from flywheel.storage.catalog import Catalog

Fact = dict[str, Any]
AROUND = 60
"""Characters shown on each side of what differs."""


def changes(catalog: "Catalog", ids: Sequence[str]) -> list[Fact]:
    """Each field of a message that is not as it was logged: `{of, message, field, by, before, after}`.

    `by` names the edits, in order, or the correction that stands in place of a reply. Text of a row that was left out is as it
    was logged: nobody stored another. The texts are those of the log: what shows them must not read them as markup.
    """
    if not ids:
        return []
    wanted = sorted(set(ids))
    among = ", ".join("?" * len(wanted))
    was, now = (
        {r["id"]: r for r in catalog.rows(f"SELECT id, messages, tools FROM {view} WHERE id IN ({among})", wanted)}
        for view in ("conversation_text", "screened_text")
    )
    edits = catalog.rows(f"SELECT id, message, field, edit FROM edits WHERE id IN ({among})", wanted)
    made: dict[tuple[str, int, str], list[str]] = {}
    for e in edits:
        made.setdefault((e["id"], e["message"], e["field"]), []).append(e["edit"])
    found = []
    for id in wanted:
        if id in was and id in now:
            pairs = zip(was[id]["messages"], now[id]["messages"], strict=True)
            found += [
                {"of": id, "message": n, "field": f, "by": made.get((id, n, f), []), "before": a[f], "after": b[f]}
                for n, (a, b) in enumerate(pairs)
                for f in MESSAGE_FIELDS
                if a[f] != b[f]
            ]
            if was[id]["tools"] != now[id]["tools"]:
                sides = {"before": was[id]["tools"], "after": now[id]["tools"]}
                found.append({"of": id, "message": -1, "field": "tools", "by": made.get((id, -1, "tools"), [])} | sides)
    return found + _corrected(catalog, wanted, was)


def _corrected(catalog: "Catalog", ids: Sequence[str], was: dict[str, Fact]) -> list[Fact]:
    """Replies that people wrote a better one for."""
    among = ", ".join("?" * len(ids))
    told = catalog.rows(
        f"SELECT id, correction, corrected_by FROM labels WHERE correction IS NOT NULL AND id IN ({among}) ORDER BY id",
        ids,
    )
    return [
        {"of": r["id"], "message": len(was[r["id"]]["messages"]) - 1, "field": "content", "by": [r["corrected_by"]]}
        | {"before": was[r["id"]]["messages"][-1]["content"], "after": r["correction"]}
        for r in told
        if r["id"] in was
    ]


def differing(before: str | None, after: str | None, around: int = AROUND) -> tuple[str, str]:
    """The part of two texts in which they differ, with some characters on each side; "…" where more stands."""
    a, b = before or "", after or ""
    start = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    same = next((n for n, (x, y) in enumerate(zip(a[::-1], b[::-1], strict=False)) if x != y), min(len(a), len(b)))
    same = min(same, len(a) - start, len(b) - start)
    first = max(0, start - around)

    def cut(text: str) -> str:
        last = min(len(text), len(text) - same + around)
        return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")

    return cut(a), cut(b)
