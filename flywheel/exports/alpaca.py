"""Alpaca: `instruction`, `input`, `output`, for single questions with plain answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from flywheel.errors import Unreadable
from flywheel.exports.llama_factory import check_dataset_info, dataset_info
from flywheel.formats.messages import lost_fields, said_otherwise, text_of, thought_text, without_instructions
from flywheel.formats.training_lines import Line, kto_weights, line_fault, read_lines
from flywheel.kinds import Export


class Alpaca(Export):
    """Lines of one question and one answer; conversations and tools are refused. LLaMA-Factory reads the folder as it is."""

    use: Literal["alpaca"] = "alpaca"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "kto", "cot")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        system, rest = without_instructions(example["prompt"])
        if len(rest) != 1 or rest[0]["role"] != "user":
            raise Unreadable("more_than_one_turn")
        line = {"instruction": text_of(rest[0]), "input": "", "system": system}
        if example["kind"] == "preference":
            return line | {"chosen": _answer(example["completion"]), "rejected": _answer(example["rejected"])}
        line |= {"output": _answer(example["completion"])}
        return line | ({"kto_tag": example["label"]} if example["kind"] == "kto" else {})

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "extra", "name") | ({"tools"} if example["tools"] not in (None, "[]") else set())
        return sorted(lost | said_otherwise(example))

    def companions(self, name: str, kind: str, files: Mapping[str, str]) -> dict[str, bytes]:
        columns = {"prompt": "instruction", "query": "input", "system": "system"}
        if kind == "preference":
            pair = {"ranking": True, "columns": columns | {"chosen": "chosen", "rejected": "rejected"}}
            return dataset_info(name, {"formatting": "alpaca", **pair}, files)
        columns |= {"response": "output"} | ({"kto_tag": "kto_tag"} if kind == "kto" else {})
        return dataset_info(name, {"formatting": "alpaca", "columns": columns}, files)

    def settings(self, kind: str, notes: Mapping[str, Any]) -> dict[str, bytes]:
        """The weights of a KTO set, for the training configuration."""
        return kto_weights(kind, notes, "kto_chosen_weight", "kto_rejected_weight")

    def validate_folder(self, folder: Path, files: Mapping[str, str]) -> None:
        check_dataset_info(folder, files)

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema."""
        return read_lines(path, self.use, _shape)


def _answer(messages: list[Mapping[str, Any]]) -> str:
    if len(messages) != 1 or messages[0]["tool_calls"]:
        raise Unreadable("reply_is_not_plain_text")
    return thought_text(messages[0])


# --- reading back


class _Row(Line):
    instruction: str
    input: str
    system: str

    def fault(self) -> str | None:
        return None if self.instruction.strip() else "the instruction is empty."


class Supervised(_Row):
    """A question and its answer."""

    output: str

    def fault(self) -> str | None:
        """The answer says something."""
        return super().fault() or (None if self.output.strip() else "the output is empty.")


class Kto(Supervised):
    """A question and an answer that is desired or not."""

    kto_tag: bool


class Preference(_Row):
    """A question and two answers."""

    chosen: str
    rejected: str

    def fault(self) -> str | None:
        """The answers differ."""
        return super().fault() or ("chosen and rejected are the same." if self.chosen == self.rejected else None)


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Preference if "chosen" in row else Kto if "kto_tag" in row else Supervised
