"""What users, experts and behaviour say about calls: one event a line."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable, nearest
from flywheel.kinds import Source
from flywheel.logs.exchange import (
    CONVERSATION_IDS,
    TIMES,
    native_id,
    shown,
    take_int,
    take_moment,
    take_text,
    to_json,
)
from flywheel.records import FEEDBACK_KINDS

OTHER_NAMES = {"thumbs": "thumb", "preference": "choice", "regenerate": "regeneration", "abandon": "abandonment"}
KINDS = {kind: kind for kind in FEEDBACK_KINDS} | OTHER_NAMES
THUMBS = {"up": 1.0, "down": -1.0, "true": 1.0, "false": -1.0, 1: 1.0, 0: -1.0, -1: -1.0}
"""What a thumb may say; JSON's true and false are equal to 1 and 0."""
SIGNS = {"thanks": 1.0, "rephrase": -1.0}
ALWAYS = {"copy": 1.0, "abandonment": -1.0}
TARGETS = {
    "call": "call",
    "interaction": "call",
    "turn": "call",
    "choice": "call",
    "conversation": "conversation",
    "session": "conversation",
}
ACTORS = ("end_user", "expert", "judge", "code")


class FeedbackEvents(Source, frozen=True):
    """Reads events with a `type` (or `kind`) and a target: thumbs, rating, edit, correction, preference, ranking, comment,
    regenerate, copy, abandon and implicit.

    A rating keeps its value as given; a sign of behaviour that is not known keeps a null value and its name in `metadata`.
    """

    use: Literal["feedback_events"] = "feedback_events"
    gives: ClassVar[Literal["conversations", "feedback"]] = "feedback"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line that says what kind of event it is and is no call."""
        return ("type" in line or "kind" in line) and not {"request", "custom_id", "messages"} & line.keys()

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row. Raises `Unreadable`: unknown_kind, no_target, no_timestamp, bad_value, no_text, bad_choice, …"""
        rest = dict(line)
        kind = _word(rest, ("kind", "type"), KINDS, "unknown_kind")
        row: dict[str, Any] = {
            "native_id": take_text(rest, "event_id", "feedback_id", "id") or native_id(line),
            "kind": kind,
            "explicit": FEEDBACK_KINDS[kind],
            "conversation_id": take_text(rest, *CONVERSATION_IDS),
            "choice": take_int(rest, "choice_index", "choice"),
            "actor": take_text(rest, "user_id", "actor", "actor_id", "user"),
            "actor_kind": _word(rest, ("actor_kind",), {a: a for a in ACTORS}, "bad_actor_kind", "end_user"),
            "value": _value(kind, rest),
            **_words(kind, rest),
            **_ids(kind, rest),
        }
        row |= _target(row, rest) | _times(rest)
        return [row | {"metadata": to_json(rest)}]


def _word(
    rest: dict[str, Any], keys: tuple[str, ...], known: Mapping[str, str], fault: str, default: str | None = None
) -> str:
    found = next((rest.pop(k) for k in keys if rest.get(k) is not None), default)
    if not isinstance(found, str) or found not in known:
        raise Unreadable(
            fault, f"found {shown(found)}; expected one of {', '.join(known)}.{nearest(str(found)[:60], known)}"
        )
    return known[found]


def _value(kind: str, rest: dict[str, Any]) -> float | None:
    """The value of an event: a thumb and a sign of behaviour are +1 or -1, a rating is as given."""
    if kind in ALWAYS:
        return ALWAYS[kind]
    key = next((k for k in ("value", "score", "rating") if rest.get(k) is not None), "value")
    found = rest.get(key)
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if kind == "thumb":
        word = found.lower() if isinstance(found, str) else found
        if not isinstance(word, str | int | float) or word not in THUMBS:
            raise Unreadable("bad_value", f"the value of a thumb is {shown(found)}; expected up or down")
        del rest[key]
        return THUMBS[word]
    if kind == "rating" and not number:
        raise Unreadable("bad_value", f"the value of a rating is {shown(found)}; expected a number")
    if kind in ("rating", "implicit") and number:
        return float(rest.pop(key))
    return SIGNS.get(str(rest.get("signal"))) if kind == "implicit" else None


def _words(kind: str, rest: dict[str, Any]) -> dict[str, str | None]:
    """`text` (a comment) and `correction` (the better reply)."""
    better = kind in ("edit", "correction")
    correction = take_text(rest, "correction", "text") if better else None
    text = take_text(rest, "comment", "text")
    if (correction if better else text if kind == "comment" else "") is None:
        raise Unreadable("no_text", f"an event of kind {kind} has no text")
    return {"text": text, "correction": correction}


def _ids(kind: str, rest: dict[str, Any]) -> dict[str, Any]:
    """`chosen_id` and `others`."""
    if kind == "regeneration":
        return {"chosen_id": take_text(rest, "new_request_id", "chosen_id"), "others": []}
    if kind == "choice":
        chosen = take_text(rest, "chosen_request_id", "chosen_id")
        losers = _list_of_ids(rest, "rejected_request_id", "rejected_id", "rejected_ids", "others")
        if chosen is None or not losers or chosen in losers:
            raise Unreadable(
                "bad_choice", f"chosen {shown(chosen)} of {shown(losers)}; expected a winner and other losers"
            )
        return {"chosen_id": chosen, "others": losers}
    if kind == "ranking":
        ranked = _list_of_ids(rest, "ranking", "others")
        if len(ranked) < 2 or len(set(ranked)) < len(ranked):
            raise Unreadable(
                "bad_ranking", f"the ranking is {shown(ranked)}; expected two or more different ids, best first"
            )
        return {"chosen_id": ranked[0], "others": ranked}
    return {"chosen_id": None, "others": []}


def _list_of_ids(rest: dict[str, Any], *keys: str) -> list[str]:
    """The first of `keys` that is there, a list or a single id; [] where one of them is no text."""
    found: Any = next((rest.pop(k) for k in keys if rest.get(k) is not None), [])
    ids = found if isinstance(found, list) else [found]
    return ids if all(isinstance(i, str) and i for i in ids) else []


def _target(row: Mapping[str, Any], rest: dict[str, Any]) -> dict[str, str]:
    """`target_kind` and `target_id`: the call, else the winner of a comparison, else the conversation."""
    named = take_text(rest, "request_id", "target_id")
    call = named or row["chosen_id"]
    kind = _word(rest, ("target_kind",), TARGETS, "bad_target_kind", "call" if call else "conversation")
    target = call if kind == "call" else named or row["conversation_id"]
    if target is None:
        raise Unreadable("no_target", "the event names no call and no conversation")
    return {"target_kind": kind, "target_id": target}


def _times(rest: dict[str, Any]) -> dict[str, Any]:
    """`occurred_at` and `received_at`, each standing in for the other."""
    occurred, received = take_moment(rest, ("occurred_at", *TIMES)), take_moment(rest, ("received_at",))
    if occurred is None and received is None:
        raise Unreadable("no_timestamp", "the event does not say when it happened")
    return {"occurred_at": occurred or received, "received_at": received or occurred}
