"""OpenAssistant message trees: every reply with what was said before it, and the ranking of replies to one message."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.logs.dataset_lines import preferred, row, shared_columns
from flywheel.logs.exchange import read_message, shown

DEEPEST = 200
"""Messages from the root beyond which a tree is refused."""


class OasstTrees(Source, frozen=True):
    """Reads `{"message_tree_id", "prompt": {"message_id", "text", "role", "replies": […]}}`. Each reply of the assistant that was not
    deleted is a row; replies to one message that have a `rank` (0 is best) are an event of feedback that ranks them."""

    use: Literal["oasst_trees"] = "oasst_trees"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"
    speaks: ClassVar[bool] = True

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with a tree."""
        return "message_tree_id" in line and isinstance(line.get("prompt"), dict)

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """A row for each reply. Raises `Unreadable`: bad_message, too_deep, no_reply, …"""
        columns = _columns(line)
        rows = [
            row(str(reply["message_id"]), [*told, _message(reply)], {**columns, "turn": len(told) // 2})
            for told, replies in _answered(line["prompt"], [])
            for reply in replies
        ]
        if not rows:
            raise Unreadable("no_reply", "the tree has no reply of the assistant")
        return rows

    def said(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """The rankings."""
        columns = _columns(line)
        events = []
        for _, replies in _answered(line["prompt"], []):
            ranks = [(r["rank"], str(r["message_id"])) for r in replies if type(r.get("rank")) is int]
            if len(ranks) > 1:
                ids = [i for _, i in sorted(ranks)]
                events.append(preferred(min(ids), ids, columns))
        return events


def _columns(line: Mapping[str, Any]) -> dict[str, Any]:
    rest = {k: v for k, v in line.items() if k != "prompt"}
    columns = shared_columns(rest, "demonstrated")
    return {**columns, "conversation_id": str(line["message_tree_id"])}


def _answered(
    node: Any, before: Sequence[dict[str, Any]]
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Each stretch of a tree that ends with a user, and the assistant's replies to it."""
    told = [*before, _message(node)]
    if len(told) > DEEPEST:
        raise Unreadable("too_deep", f"more than {DEEPEST} messages from the root")
    replies = [r for r in node.get("replies") or () if isinstance(r, dict) and r.get("deleted") is not True]
    mine = [r for r in replies if r.get("role") == "assistant" and told[-1]["role"] == "user"]
    if mine:
        yield told, mine
    for reply in replies:
        yield from _answered(reply, told)


def _message(node: Any) -> dict[str, Any]:
    if not isinstance(node, dict) or not isinstance(node.get("text"), str):
        raise Unreadable("bad_message", f"a message of the tree is {shown(node)}; expected an object with a text")
    if node.get("message_id") is None:
        raise Unreadable("bad_message", "a message of the tree has no message_id")
    return read_message({"role": "user" if node.get("role") == "prompter" else "assistant", "content": node["text"]})
