"""Together: the chat form with weights, preference pairs of one message each, and plain text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.formats.limits import limits
from flywheel.formats.messages import (
    INSTRUCTIONS,
    Message,
    chat_message,
    every_message,
    images,
    lost_fields,
    text_of,
    tools_of,
    weighted_messages,
)
from flywheel.formats.training_lines import (
    ChatMessage,
    ImagePart,
    Line,
    OfferedTool,
    Strict,
    TextLine,
    WeightedMessage,
    dialogue_fault,
    line_fault,
    read_lines,
)
from flywheel.kinds import Export


class Together(Export):
    """Lines with no key beyond those the service knows: instructions are the system's, a refusal is text."""

    use: Literal["together"] = "together"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "tool_use", "corpus")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            return {"text": text_of(example["completion"][0])}
        prompt = [plain_message(m) for m in example["prompt"]]
        completion = [plain_message(m) for m in example["completion"]]
        offered = {"tools": tools} if (tools := tools_of(example)) else {}
        if sum(images(m) for m in prompt) > (limits(self.use).images_per_row or 0):
            raise Unreadable("too_many_images")
        if example["kind"] == "preference":
            rejected = [plain_message(m) for m in example["rejected"]]
            return preference_line(prompt, completion, rejected, offered)
        return {"messages": weighted_messages(example, prompt, completion), **offered}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        return plain_losses(example)

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; a file holds one shape."""
        return read_lines(path, self.use, _shape)


def plain_message(fields: Mapping[str, Any]) -> Message:
    """A chat message with the keys that every service with this form knows."""
    told = chat_message(fields)
    refusal = told.pop("refusal", None)
    if told.get("content") is None and refusal is not None:
        told["content"] = refusal
    told["role"] = "system" if told["role"] in INSTRUCTIONS else told["role"]
    told.pop("name", None)
    return told


def preference_line(
    prompt: list[Message], chosen: list[Message], rejected: list[Message], offered: Mapping[str, Any]
) -> dict[str, Any]:
    """A preference pair whose sides are one reply each; others are refused."""
    if len(chosen) != 1 or len(rejected) != 1:
        raise Unreadable("reply_is_several_messages")
    return {"input": {"messages": prompt, **offered}, "preferred_output": chosen, "non_preferred_output": rejected}


def plain_losses(example: Mapping[str, Any]) -> list[str]:
    """What an example has and the plain chat form cannot carry."""
    messages = every_message(example)
    lost = lost_fields(example, "reasoning", "extra", "name")
    lost |= {"refusal as such" for m in messages if m["refusal"] is not None}
    lost |= {"developer as such" for m in messages if m["role"] == "developer"}
    return sorted(lost | {"name of tool" for m in messages if m["role"] == "tool" and m["name"] is not None})


# --- reading back


class Dialogue(Line):
    """Messages to learn from."""

    messages: list[WeightedMessage]
    tools: list[OfferedTool] | None = None

    def fault(self) -> str | None:
        """The assistant is last and something is learned."""
        if not self.messages or self.messages[-1].role != "assistant":
            return "the last message is not the assistant's."
        if not any(m.role == "assistant" and m.weight != 0 for m in self.messages):
            return "no assistant message has weight 1, so there is nothing to learn."
        if any(m.weight is not None and m.role != "assistant" for m in self.messages):
            return "a message that is not the assistant's has a weight."
        return dialogue_fault(self.messages)


class Input(Strict):
    """What both outputs answer."""

    messages: list[ChatMessage]
    tools: list[OfferedTool] | None = None


class Pair(Line):
    """A preferred reply and another."""

    input: Input
    preferred_output: list[ChatMessage]
    non_preferred_output: list[ChatMessage]

    def fault(self) -> str | None:
        """Each output is one reply of the assistant; they differ."""
        for side in (self.preferred_output, self.non_preferred_output):
            if [m.role for m in side] != ["assistant"]:
                return "an output is not exactly one assistant message."
            if fault := dialogue_fault([*self.input.messages, *side]):
                return fault
        if not self.input.messages:
            return "the input has no messages."
        return "both outputs are the same." if self.preferred_output == self.non_preferred_output else None


class Pictured(Dialogue):
    """Messages to learn from, with as many pictures as the service takes."""

    def fault(self) -> str | None:
        """Pictures are few."""
        shown = sum(isinstance(p, ImagePart) for m in self.messages if isinstance(m.content, list) for p in m.content)
        most = limits("together").images_per_row or 0
        return f"{shown} images; the service takes {most} in a row." if shown > most else super().fault()


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return TextLine if "text" in row else Pair if "input" in row else Pictured
