"""Fireworks: the chat form with weights, the system message first, and preference pairs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.exports.together import Dialogue, Pair, plain_losses, plain_message, preference_line
from flywheel.formats.messages import tools_of, weighted_messages
from flywheel.formats.training_lines import Line, line_fault, read_lines
from flywheel.kinds import Export


class Fireworks(Export):
    """Lines with weights; instructions that do not come first are refused."""

    use: Literal["fireworks"] = "fireworks"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "tool_use")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        prompt = [plain_message(m) for m in example["prompt"]]
        completion = [plain_message(m) for m in example["completion"]]
        if any(m["role"] == "system" for m in [*prompt, *completion][1:]):
            raise Unreadable("instructions_not_first")
        offered = {"tools": tools} if (tools := tools_of(example)) else {}
        if example["kind"] == "preference":
            return preference_line(prompt, completion, [plain_message(m) for m in example["rejected"]], offered)
        return {"messages": weighted_messages(example, prompt, completion), **offered}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        return plain_losses(example)

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; a file holds one shape."""
        return read_lines(path, self.use, _shape)


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Pair if "input" in row else Dialogue
