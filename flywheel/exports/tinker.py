"""Tinker: conversations of which each message says whether it is trained on, and labelled comparisons."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.exports.unsloth import ROLES
from flywheel.formats.messages import learned_prompt, lost_fields, said_otherwise, thought_text
from flywheel.formats.training_lines import Line, Strict, line_fault, read_lines
from flywheel.kinds import Export


class Tinker(Export):
    """Lines for the cookbook's `FromConversationFileBuilder` (with `TrainOnWhat.CUSTOMIZED`), and for its
    `ComparisonBuilderFromJsonl`, where the completion A is the preferred one. Reasoning stands in <think> tags.

    Calls of tools are refused: its reader of files gives them to the renderers as plain objects, which these do not take.
    """

    use: Literal["tinker"] = "tinker"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "cot")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        prompt, completion = ([_message(m) for m in example[side]] for side in ("prompt", "completion"))
        if example["kind"] == "preference":
            rejected = [_message(m) for m in example["rejected"]]
            sides = {"prompt_conversation": prompt, "completion_A": completion, "completion_B": rejected}
            return {"comparison": sides, "label": "A"}
        learned = [*learned_prompt(example), *(m["role"] == "assistant" for m in example["completion"])]
        told = zip((*prompt, *completion), learned, strict=True)
        return {"messages": [{**m, "trainable": bool(kept)} for m, kept in told]}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "extra", "name")
        lost |= {"tools"} if example["tools"] not in (None, "[]") else set()
        return sorted(lost | said_otherwise(example))

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; a file holds one shape."""
        return read_lines(path, self.use, _shape)


def _message(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields["role"] == "tool" or fields["tool_calls"]:
        raise Unreadable("tool_calls")
    return {"role": ROLES[fields["role"]], "content": thought_text(fields)}


# --- reading back


class Message(Strict):
    """A message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Trained(Message):
    """A message that says whether it is trained on, as each of a conversation must."""

    trainable: bool


class Conversation(Line):
    """A conversation to learn from."""

    messages: list[Trained]

    def fault(self) -> str | None:
        """The assistant is last and trained on, and nobody else is."""
        if not self.messages or self.messages[-1].role != "assistant" or not self.messages[-1].trainable:
            return "the last message is not the assistant's, or is not trained on."
        wrong = any(m.trainable and m.role != "assistant" for m in self.messages)
        return "a message that is not the assistant's is trained on." if wrong else None


class Sides(Strict):
    """A prompt and two completions."""

    prompt_conversation: list[Message]
    completion_A: list[Message]
    completion_B: list[Message]


class Comparison(Line):
    """A comparison with its verdict."""

    comparison: Sides
    label: Literal["A", "B", "Tie"]

    def fault(self) -> str | None:
        """There is a prompt; both completions are the assistant's, and differ."""
        sides = (self.comparison.completion_A, self.comparison.completion_B)
        if not self.comparison.prompt_conversation:
            return "the prompt has no messages."
        if any(not side or side[-1].role != "assistant" for side in sides):
            return "a completion does not end with the assistant."
        return "both completions are the same." if sides[0] == sides[1] else None


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Comparison if "comparison" in row else Conversation
