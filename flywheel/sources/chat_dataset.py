"""Datasets of conversations: `messages` as finetuning files have them, `conversations` of ShareGPT, `traj` of recorded agents."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.logs.dataset_lines import messages_in, named, row, shared_columns

KEYS = ("messages", "conversations", "traj")


class ChatDataset(Source, frozen=True):
    """Reads `{"messages": […], "tools": […]}`, and the same under `conversations` (`from`, `value`) or `traj`. Every further key is
    metadata: `reward`, `task_id`, `answer`, `license`.

    What follows the last reply (a customer who hangs up) is no part of the example: it is kept in metadata as `after`.
    """

    use: Literal["chat_dataset"] = "chat_dataset"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with a list of messages and nothing that makes it a logged call, a batch or a pair."""
        others = {"request", "custom_id", "chosen", "rejected", "response", "type"}
        return not others & line.keys() and any(isinstance(line.get(k), list) for k in KEYS)

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row. Raises `Unreadable`: no_messages, bad_messages, no_reply, bad_tools, …"""
        rest = dict(line)
        key = next(k for k in KEYS if isinstance(rest.get(k), list))
        given = rest.pop(key)
        messages = messages_in(given, key, "user")
        last = max((n for n, m in enumerate(messages) if m["role"] == "assistant"), default=-1)
        if last < 0:
            raise Unreadable("no_reply", "no message is the assistant's")
        if after := given[last + 1 :]:
            rest["after"] = after
        native = named(line, rest)
        return [row(native, messages[: last + 1], shared_columns(rest, "logged"))]
