"""Unsloth: conversations of roles and texts, as its chat templates read them, and plain documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.exports.trl_messages import refuse_unlearned
from flywheel.formats.messages import earlier_replies, lost_fields, said_otherwise, text_of, thought_text
from flywheel.formats.training_lines import Line, Strict, TextLine, line_fault, read_lines
from flywheel.kinds import Export

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class Unsloth(Export):
    """Lines of `conversations` with `role` and `content` and no other key, which is all that `standardize_data_formats` takes.

    Calls of tools are refused. For preference and KTO its trainers are TRL's: export `trl`. Learn the replies alone with
    `train_on_responses_only`.
    """

    use: Literal["unsloth"] = "unsloth"

    takes: ClassVar[tuple[str, ...]] = ("sft", "cot", "corpus")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            return {"text": text_of(example["completion"][0])}
        refuse_unlearned(example)
        messages = [*example["prompt"], *example["completion"]]
        if any(m["role"] == "tool" or m["tool_calls"] for m in messages):
            raise Unreadable("tool_calls")
        return {"conversations": [{"role": ROLES[m["role"]], "content": thought_text(m)} for m in messages]}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "extra", "name") | earlier_replies(example)
        lost |= {"tools"} if example["tools"] not in (None, "[]") else set()
        return sorted(lost | said_otherwise(example))

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; a file holds one shape."""
        return read_lines(path, self.use, _shape)


# --- reading back


class Message(Strict):
    """A message: two texts, and no other key."""

    role: Literal["system", "user", "assistant"]
    content: str


class Conversation(Line):
    """A conversation to learn from."""

    conversations: list[Message]

    def fault(self) -> str | None:
        """The assistant is last and says something; a system message comes first."""
        told = self.conversations
        if not told or told[-1].role != "assistant" or not told[-1].content.strip():
            return "the last message is not the assistant's, or says nothing."
        return "a system message is not the first." if any(m.role == "system" for m in told[1:]) else None


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return TextLine if "text" in row else Conversation
