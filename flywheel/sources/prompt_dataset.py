"""Datasets of single instructions: prompt and completion, instruction and output, question and answer."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from flywheel.kinds import Source
from flywheel.logs.dataset_lines import messages_in, named, row, shared_columns

SHAPES = (("prompt", "completion"), ("instruction", "output"), ("question", "answer"))


class PromptDataset(Source, frozen=True):
    """Reads `{"prompt", "completion"}` (texts or lists of messages), `{"instruction", "input", "output", "system"}` (Alpaca) and
    `{"question", "answer"}` (GSM8K). A row counts as demonstrated: people wrote it, unless its `origin` says otherwise.

    The answer of a question stays in metadata, too: a chain-of-thought set verifies by it.
    """

    use: Literal["prompt_dataset"] = "prompt_dataset"
    gives: ClassVar[Literal["conversations", "feedback"]] = "conversations"

    def recognises(self, line: Mapping[str, Any]) -> bool:
        """A line with both halves of one of the shapes."""
        return _shape(line) is not None and not {"request", "messages", "chosen", "type"} & line.keys()

    def read(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """One row. Raises `Unreadable`: bad_messages, no_messages, no_reply, …"""
        rest = dict(line)
        asked, said = _shape(line) or SHAPES[0]
        prompt = messages_in(rest.pop(asked), asked, "user")
        completion = messages_in(rest.get(said), said, "assistant")
        if said != "answer":
            del rest[said]
        if asked == "instruction":
            system, more = rest.pop("system", None), rest.pop("input", None)
            if isinstance(more, str) and more.strip():
                prompt = messages_in(f"{prompt[0]['content']}\n\n{more}", asked, "user")
            if isinstance(system, str) and system.strip():
                prompt = [*messages_in(system, "system", "system"), *prompt]
        native = named(line, rest)
        return [row(native, [*prompt, *completion], shared_columns(rest, "demonstrated"))]


def _shape(line: Mapping[str, Any]) -> tuple[str, str] | None:
    return next((shape for shape in SHAPES if all(isinstance(line.get(k), str | list) for k in shape)), None)
