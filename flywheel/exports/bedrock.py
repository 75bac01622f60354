"""Amazon Bedrock: its conversation schema of 2024, text only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.formats.messages import earlier_replies, lost_fields, said_otherwise, text_of, without_instructions
from flywheel.formats.training_lines import Line, Strict, line_fault, read_lines
from flywheel.kinds import Export

SCHEMA = "bedrock-conversation-2024"


class Bedrock(Export):
    """Lines of strictly alternating text. Tool calls and results are refused; tools offered and never used are a loss.

    Only some of the service's models take more than one turn.
    """

    use: Literal["bedrock"] = "bedrock"

    takes: ClassVar[tuple[str, ...]] = ("sft",)

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        system, rest = without_instructions([*example["prompt"], *example["completion"]])
        if any(m["role"] == "tool" or m["tool_calls"] for m in rest):
            raise Unreadable("tool_calls")
        told = [{"role": m["role"], "content": [{"text": text_of(m)}]} for m in rest]
        return {"schemaVersion": SCHEMA} | ({"system": [{"text": system}]} if system else {}) | {"messages": told}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "reasoning", "extra", "name") | earlier_replies(example)
        lost |= {"tools"} if example["tools"] not in (None, "[]") else set()
        return sorted(lost | said_otherwise(example))

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema and the rules of order."""
        return read_lines(path, self.use, _shape)


# --- reading back


class Text(Strict):
    """A block of text."""

    text: str


class Message(Strict):
    """One turn."""

    role: Literal["user", "assistant"]
    content: list[Text]


class Conversation(Line):
    """A conversation to learn from."""

    schemaVersion: Literal["bedrock-conversation-2024"]
    system: list[Text] | None = None
    messages: list[Message]

    def fault(self) -> str | None:
        """User and assistant alternate, the user first and the assistant last; nobody says nothing."""
        if not self.messages or len(self.messages) % 2:
            return f"{len(self.messages)} messages; expected pairs of user and assistant."
        for place, m in enumerate(self.messages):
            if m.role != ("assistant" if place % 2 else "user"):
                return f"message {place + 1} is the {m.role}'s; user and assistant must alternate, the user first."
            if not any(b.text.strip() for b in m.content):
                return f"message {place + 1} says nothing."
        return None


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Conversation
