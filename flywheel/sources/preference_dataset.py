"""Datasets of preference pairs: `chosen` and `rejected`, with a prompt or with whole dialogues on both sides."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.logs.dataset_lines import messages_in, named, preferred, row, shared_columns
from flywheel.logs.exchange import read_message

SPEAKER = re.compile(r"\n\n(Human|Assistant):[ \n]?")
"""The marks between the turns of hh-rlhf."""


class PreferenceDataset(Source, frozen=True):
    """Reads `{"prompt", "chosen", "rejected"}` and the same without `prompt`, as texts, as lists of messages, as transcripts with
    `Human:` and `Assistant:` (hh-rlhf), and `{"input", "preferred_output", "non_preferred_output"}` (OpenAI).

    A line is two rows, `ID:chosen` and `ID:rejected`, and an event of feedback that prefers the first. Where their prompts differ a
    preference set says so.
    """

    use: Literal["preference_dataset"] = "preference_dataset"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"
    speaks: ClassVar[bool] = True

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with two replies."""
        return {"chosen", "rejected"} <= line.keys() or {"preferred_output", "non_preferred_output"} <= line.keys()

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """Two rows. Raises `Unreadable`: bad_messages, no_messages, no_reply, …"""
        native, sides, columns = _read(line)
        return [row(f"{native}:{side}", messages, columns) for side, messages in sides.items()]

    def said(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """The event that prefers one of them."""
        native, sides, columns = _read(line)
        return [preferred(native, [f"{native}:{side}" for side in sides], columns)]


def _read(line: dict[str, Any]) -> tuple[str, dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Id, the messages of both sides (chosen, then rejected), and the columns they share."""
    rest = dict(line)
    if "preferred_output" in rest:
        told = rest.pop("input", None)
        told = told if isinstance(told, dict) else {}
        rest |= {k: told[k] for k in ("tools",) if k in told}
        prompt: Any = told.get("messages")
        chosen, rejected = rest.pop("preferred_output"), rest.pop("non_preferred_output")
    else:
        prompt, chosen, rejected = rest.pop("prompt", None), rest.pop("chosen"), rest.pop("rejected")
    before = [] if prompt is None else _side(prompt, "prompt", "user")
    sides = {"chosen": _side(chosen, "chosen", "assistant"), "rejected": _side(rejected, "rejected", "assistant")}
    whole = {name: said if said[: len(before)] == before else [*before, *said] for name, said in sides.items()}
    native = named(line, rest)
    columns = shared_columns(rest, "logged")
    return native, whole, {**columns, "conversation_id": columns["conversation_id"] or native}


def _side(value: Any, what: str, role: str) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return messages_in([value], what, role)
    if not isinstance(value, str) or not SPEAKER.match(value):
        return messages_in(value, what, role)
    parts = SPEAKER.split(value)[1:]
    spoken = [
        read_message({"role": "user" if who == "Human" else "assistant", "content": text.strip()})
        for who, text in zip(parts[::2], parts[1::2], strict=True)
    ]
    if role == "assistant" and spoken[-1]["role"] != "assistant":
        raise Unreadable("no_reply", f"{what} does not end with the assistant")
    return spoken
