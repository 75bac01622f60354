"""The turn of several messages, as Llama 3 describes it: source, destination, and where the turn ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from flywheel.formats.messages import learned_prompt, tools_of
from flywheel.formats.training_lines import Line, Strict, line_fault, read_lines
from flywheel.formats.turns import turn_messages, turns_fault
from flywheel.kinds import Export


class Turns(Export):
    """Lines of messages with `from`, `to`, `content` and `end_of_turn`; `train` says whether a message is learned.

    What the assistant thinks goes to `self`, what it says to `user`, each call to its tool. Nothing is lost: chat messages come
    back from these as they were (`flywheel.formats.turns.chat_messages`).
    """

    use: Literal["turns"] = "turns"

    takes: ClassVar[tuple[str, ...]] = ("sft", "tool_use", "cot")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        messages = [*example["prompt"], *example["completion"]]
        learned = [*learned_prompt(example), *(m["role"] == "assistant" for m in example["completion"])]
        place = -1
        told = turn_messages(messages)
        for one in told:
            place += not one.get("joined")
            one["train"] = bool(learned[place])
        return {"messages": told} | ({"tools": tools} if (tools := tools_of(example)) else {})

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; each turn of the assistant ends once, after its last message."""
        return read_lines(path, self.use, _shape)


# --- reading back


class Message(Strict):
    """A message from somebody to somebody."""

    source: str = Field(alias="from", min_length=1)
    to: str = Field(min_length=1)
    content: str
    end_of_turn: bool
    train: bool
    joined: Literal[True] | None = None
    refusal: Literal[True] | None = None
    id: str | None = None
    name: str | None = None
    parts: str | None = None
    extra: str | None = None


class Conversation(Line):
    """A conversation to learn from."""

    messages: list[Message]
    tools: list[dict[str, Any]] | None = None

    def fault(self) -> str | None:
        """The assistant is last, only its messages are learned, and its turns end where they end."""
        if not self.messages or self.messages[-1].source != "assistant" or not self.messages[-1].train:
            return "the last message is not the assistant's, or is not learned."
        if any(m.train and m.source != "assistant" for m in self.messages):
            return "a message that is not the assistant's is learned."
        return turns_fault([(m.source, m.to, m.end_of_turn) for m in self.messages])


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Conversation
