"""LLaMA-Factory: data files in its sharegpt form, and the dataset_info.json that names them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import ValidationError

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.sharegpt import Turn, conversation, conversation_losses, turn, turns_fault
from flywheel.formats.messages import functions_of, text_of
from flywheel.formats.training_lines import (
    JsonList,
    Line,
    Strict,
    TextLine,
    first_fault,
    kto_weights,
    line_fault,
    read_lines,
)
from flywheel.kinds import Export


class LlamaFactory(Export):
    """Lines for LLaMA-Factory, which skips what breaks its rules with a mere warning: here such a row is refused.

    Set `mask_history: true` in the training configuration to learn only the reply a row stands for.
    """

    use: Literal["llama_factory"] = "llama_factory"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "kto", "tool_use", "cot", "corpus")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            return {"text": text_of(example["completion"][0])}
        tools = functions_of(example)
        # Both keys are in every line: its reader takes a column that one file lacks for a fault.
        beside: dict[str, Any] = {"tools": orjson.dumps(tools).decode() if tools else ""}
        if example["kind"] == "preference":
            system, turns = conversation(example["prompt"])
            beside |= {"system": system, "chosen": _one(example["completion"]), "rejected": _one(example["rejected"])}
            if len(turns) % 2 == 0:
                raise Unreadable("prompt_ends_with_the_assistant")
            return {"conversations": turns, **beside}
        system, turns = conversation([*example["prompt"], *example["completion"]])
        label = {"kto_tag": example["label"]} if example["kind"] == "kto" else {}
        return {"conversations": turns, "system": system, **beside, **label}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        return conversation_losses(example)

    def companions(self, name: str, kind: str, files: Mapping[str, str]) -> dict[str, bytes]:
        columns = {"messages": "conversations", "system": "system", "tools": "tools"}
        extra = {"preference": {"chosen": "chosen", "rejected": "rejected"}, "kto": {"kto_tag": "kto_tag"}}
        entry = {"formatting": "sharegpt", "columns": columns | extra.get(kind, {})}
        if kind == "corpus":
            entry = {"formatting": "alpaca", "columns": {"prompt": "text"}}
        return dataset_info(name, entry | ({"ranking": True} if kind == "preference" else {}), files)

    def settings(self, kind: str, notes: Mapping[str, Any]) -> dict[str, bytes]:
        """The weights of a KTO set, for the training configuration."""
        return kto_weights(kind, notes, "kto_chosen_weight", "kto_rejected_weight")

    def validate_folder(self, folder: Path, files: Mapping[str, str]) -> None:
        check_dataset_info(folder, files)

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema and LLaMA-Factory's rules of alternation."""
        return read_lines(path, self.use, _shape)


def _one(messages: list[Mapping[str, Any]]) -> dict[str, str]:
    if len(messages) != 1:
        raise Unreadable("reply_is_several_messages")
    return turn(messages[0])


def dataset_info(name: str, entry: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, bytes]:
    """dataset_info.json with an entry SET_SPLIT for each data file."""
    info = {f"{name}_{split}": {"file_name": file, **entry} for split, file in sorted(files.items())}
    return {"dataset_info.json": orjson.dumps(info, option=orjson.OPT_INDENT_2) + b"\n"}


# --- reading back


class Entry(Strict):
    """A data set of dataset_info.json."""

    file_name: str
    formatting: Literal["alpaca", "sharegpt"] = "alpaca"
    ranking: bool = False
    columns: dict[
        Literal[
            "prompt", "query", "response", "history", "messages", "system", "tools", "chosen", "rejected", "kto_tag"
        ],
        str,
    ]


def check_dataset_info(folder: Path, files: Mapping[str, str]) -> None:
    """Raise `ExportInvalid` unless dataset_info.json names exactly these files, and columns their first lines have."""
    try:
        told = orjson.loads((folder / "dataset_info.json").read_bytes())
        entries = [Entry.model_validate(e) for e in told.values()]
    except (OSError, orjson.JSONDecodeError, ValidationError) as e:
        raise ExportInvalid(f"dataset_info.json: {first_fault(e)} Nothing was released.") from None
    if sorted(e.file_name for e in entries) != sorted(files.values()):
        raise ExportInvalid("dataset_info.json names other files than were written. Nothing was released.")
    for entry in entries:
        with (folder / entry.file_name).open("rb") as file:
            keys = set(orjson.loads(file.readline()))
        if lacking := sorted(set(entry.columns.values()) - keys):
            raise ExportInvalid(
                f"dataset_info.json names the column {lacking[0]!r}, which {entry.file_name} lacks. Nothing was released."
            )


class _Row(Line):
    conversations: list[Turn]
    system: str
    tools: JsonList | Literal[""]

    def fault(self) -> str | None:
        return turns_fault(self.conversations, even=True)


class Supervised(_Row):
    """A conversation to learn."""


class Kto(_Row):
    """A conversation with a desired or undesired reply."""

    kto_tag: bool


class Preference(_Row):
    """A conversation with two replies."""

    chosen: Turn
    rejected: Turn

    def fault(self) -> str | None:
        """The prompt ends with a question; both replies are the model's, and differ."""
        if any(t.side not in ("gpt", "function_call") for t in (self.chosen, self.rejected)):
            return "chosen or rejected is not the model's."
        if self.chosen == self.rejected:
            return "chosen and rejected are the same."
        return turns_fault(self.conversations, even=False)


def _shape(row: Mapping[str, Any]) -> type[Line]:
    if "text" in row:
        return TextLine
    return Preference if "chosen" in row else Kto if "kto_tag" in row else Supervised
