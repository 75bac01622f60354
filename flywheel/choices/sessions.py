"""Whole sessions: which replies stand in the prompt of a later one, so that one example can teach them all."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from flywheel.records import short_hash

Fields = Mapping[str, Any]


def said(message: Fields) -> str:
    """What a message says and calls, as a hash: a reply and its copy in a later prompt have the same, whatever else a log keeps."""
    return short_hash((message["content"] or "").strip(), message["tool_calls"] or "")


def replies_in(prompt: Iterable[Fields]) -> frozenset[str]:
    """`said` of every reply that a prompt tells again."""
    return frozenset(said(m) for m in prompt if m["role"] == "assistant")


def learned(prompt: Sequence[Fields], replies: Set[str]) -> list[bool]:
    """Of each message of a prompt, whether it is one of these replies."""
    return [m["role"] == "assistant" and said(m) in replies for m in prompt]


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of a session that is worth learning."""

    id: str
    reply: str
    """`said` of it."""
    told: frozenset[str]
    """`said` of the replies in its prompt."""
    logged: bool
    """Whether it is the reply as logged; what a person wrote in its place stands in no later prompt."""


def joined(turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    """Id of each turn that becomes an example -> the earlier turns that are learned in it, too. `turns`: of one session, in order.

    A turn that no later prompt tells again (a branch that was given up, a reply that was edited) is an example by itself.
    """
    last: dict[str, list[Turn]] = {}
    known: list[Turn] = []
    for turn in reversed(turns):
        into = next((t for t in known if turn.logged and turn.reply in t.told), None)
        if into is None:
            known.append(turn)
            last[turn.id] = []
        else:
            last[into.id].insert(0, turn)
    return last
