"""Mistral: the chat form with weights, and tool call ids of nine letters and digits."""

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.together import Dialogue, plain_losses, plain_message
from flywheel.formats.messages import Message, images, tools_of, weighted_messages
from flywheel.formats.training_lines import Line, line_fault, read_lines
from flywheel.kinds import Export
from flywheel.records import short_hash

NINE = re.compile(r"[A-Za-z0-9]{9}")


class Mistral(Export):
    """Lines with weights. Tool call ids become nine letters and digits, the same ones in every build; the call and its
    result stay matched. Pictures and instructions that do not come first are refused."""

    use: Literal["mistral"] = "mistral"

    takes: ClassVar[tuple[str, ...]] = ("sft", "tool_use")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        prompt = [plain_message(m) for m in example["prompt"]]
        completion = [plain_message(m) for m in example["completion"]]
        if any(images(m) for m in prompt):
            raise Unreadable("images")
        short = short_ids([*prompt, *completion])
        line = weighted_messages(example, prompt, completion)
        offered = {"tools": tools} if (tools := tools_of(example)) else {}
        return {"messages": [_renamed(m, short) for m in line], **offered}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        calls = {"tool_call_id" for m in [*example["prompt"], *example["completion"]] if m["tool_calls"]}
        return sorted({*plain_losses(example), *calls})

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def reader(self) -> str:
        """Who reads the files back: Mistral's own library where it is installed, else the strict schema alone."""
        return "mistral-common" if importlib.util.find_spec("mistral_common") else self.use

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; ids are checked as Mistral's templates check them. Where mistral-common is
        installed, its validator for finetuning reads every line, too."""
        lines = read_lines(path, self.use, _shape)
        if self.reader() == "mistral-common":
            _as_mistral_reads(path)
        return lines


def short_ids(messages: Iterable[Message]) -> dict[str, str]:
    """Each tool call id -> nine letters and digits: itself where it has that form, else from its hash, never one twice."""
    ids = dict.fromkeys(c.get("id") or "" for m in messages for c in m.get("tool_calls", ()))
    short = {i: i for i in ids if NINE.fullmatch(i)}
    for i in ids:
        tries = (short_hash(i, str(attempt))[:9] for attempt in range(len(ids) + 1))
        short.setdefault(i, next(t for t in tries if t not in short.values()) if i not in short else i)
    return short


def _renamed(message: Message, short: Mapping[str, str]) -> Message:
    told = dict(message)
    if "tool_calls" in told:
        told["tool_calls"] = [{**c, "id": short[c.get("id") or ""]} for c in told["tool_calls"]]
    if "tool_call_id" in told:
        told["tool_call_id"] = short.get(told["tool_call_id"], told["tool_call_id"])
    return told


class Conversation(Dialogue):
    """Messages to learn from, with short ids."""

    def fault(self) -> str | None:
        """Ids are nine letters and digits, and each is used once."""
        ids = [c.id for m in self.messages for c in m.tool_calls or ()]
        if wrong := next((i for i in ids if not NINE.fullmatch(i)), None):
            return f"the tool call id {wrong!r} is not nine letters and digits."
        return "two tool calls have one id." if len(set(ids)) < len(ids) else super().fault()


def _as_mistral_reads(path: Path) -> None:
    """Raise `ExportInvalid` for the first line that Mistral's own validator for finetuning refuses."""
    from mistral_common.protocol.instruct import messages as own
    from mistral_common.protocol.instruct.tool_calls import Tool
    from mistral_common.protocol.instruct.validator import MistralRequestValidatorV3, ValidationMode

    validator = MistralRequestValidatorV3(mode=ValidationMode.finetuning)
    kinds = {"system": own.SystemMessage, "user": own.UserMessage, "tool": own.ToolMessage}
    kinds["assistant"] = own.FinetuningAssistantMessage
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            row = orjson.loads(line)
            try:
                validator.validate_messages([kinds[m["role"]].model_validate(m) for m in row["messages"]])
                for tool in row.get("tools", ()):
                    Tool.model_validate(tool)
            except Exception as e:  # the library has a type for each fault
                raise ExportInvalid(
                    f"{path.name}, line {number}: mistral-common refuses it ({type(e).__name__}). The file was not released."
                ) from None


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Conversation
