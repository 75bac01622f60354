"""Axolotl: chat messages that say whether they are trained on, and a configuration to start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import ValidationError

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.together import plain_losses, plain_message
from flywheel.formats.messages import Message, images, learned_prompt, text_of, tools_of
from flywheel.formats.training_lines import (
    ChatMessage,
    JsonObject,
    Line,
    Strict,
    TextLine,
    dialogue_fault,
    first_fault,
    line_fault,
    read_lines,
)
from flywheel.kinds import Export

MESSAGES = {"type": "chat_template", "field_messages": "messages", "message_field_training": "train"}
PAIRS = {
    "type": "chat_template.default",
    "field_messages": "messages",
    "field_chosen": "chosen",
    "field_rejected": "rejected",
}
TEXT = {"type": "completion", "field": "text"}


class Axolotl(Export):
    """Lines with `train` on each message: the completion is learned, and what else of a whole session is. Arguments and parameters are JSON strings, so
    that rows with different ones load together. Reasoning is `reasoning_content`."""

    use: Literal["axolotl"] = "axolotl"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "tool_use", "cot", "corpus")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            return {"text": text_of(example["completion"][0])}
        prompt = [_message(m) for m in example["prompt"]]
        completion = [_message(m) for m in example["completion"]]
        tools = {"tools": told} if (told := [_tool(t) for t in tools_of(example)]) else {}
        if example["kind"] == "preference":
            rejected = [_message(m) for m in example["rejected"]]
            if len(completion) != 1 or len(rejected) != 1:
                raise Unreadable("reply_is_several_messages")
            return {"messages": prompt, "chosen": completion[0], "rejected": rejected[0], **tools}
        trained = [{**m, "train": kept} for m, kept in zip(prompt, learned_prompt(example), strict=True)]
        trained += [{**m, "train": m["role"] == "assistant"} for m in completion]
        return {"messages": trained, **tools}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        return [what for what in plain_losses(example) if what != "reasoning"]

    def companions(self, name: str, kind: str, files: Mapping[str, str]) -> dict[str, bytes]:
        form = PAIRS if kind == "preference" else TEXT if kind == "corpus" else MESSAGES
        lines = [f"# Axolotl configuration for {name}: fill in the model, then: axolotl train axolotl.yaml"]
        lines += ["base_model: YOUR_BASE_MODEL", "chat_template: tokenizer_default"]
        lines += ["rl: dpo"] if kind == "preference" else []
        for key, split in (("datasets", "train"), ("test_datasets", "validation")):
            if split in files:
                entry = {"path": files[split], "ds_type": "json", "split": "train", **form}
                body = [f"{k}: {orjson.dumps(v).decode()}" for k, v in entry.items()]
                lines += [f"{key}:", f"  - {body[0]}", *(f"    {b}" for b in body[1:])]
        return {"axolotl.yaml": ("\n".join(lines) + "\n").encode()}

    def validate_folder(self, folder: Path, files: Mapping[str, str]) -> None:
        """Read axolotl.yaml with a YAML reader and see that it names the files."""
        import yaml

        try:
            told = Configuration.model_validate(yaml.safe_load((folder / "axolotl.yaml").read_bytes()))
        except (OSError, yaml.YAMLError, ValidationError) as e:
            raise ExportInvalid(f"axolotl.yaml: {first_fault(e)} Nothing was released.") from None
        if sorted(e.path for e in (*told.datasets, *told.test_datasets)) != sorted(files.values()):
            raise ExportInvalid("axolotl.yaml names other files than were written. Nothing was released.")

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema; a file holds one shape."""
        return read_lines(path, self.use, _shape)


def _message(fields: Mapping[str, Any]) -> Message:
    told = plain_message(fields)
    if images(told):
        raise Unreadable("images")
    thought = {"reasoning_content": fields["reasoning"]} if fields["reasoning"] is not None else {}
    return (
        {"role": told["role"], "content": text_of(fields)}
        | {k: v for k, v in told.items() if k not in ("role", "content")}
        | thought
    )


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, dict):
        raise Unreadable("tool_is_no_function")
    told = {**function}
    if "parameters" in told:
        told["parameters"] = orjson.dumps(told["parameters"]).decode()
    return {**tool, "function": told}


# --- reading back


class Told(ChatMessage):
    """A message with text, and reasoning apart from it."""

    content: str
    reasoning_content: str | None = None


class Trained(Told):
    """A message that says whether it is learned."""

    train: bool


class Function(Strict):
    """A function offered, its parameters a JSON string."""

    name: str
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class Tool(Strict):
    """A tool offered."""

    type: Literal["function"]
    function: Function


class Supervised(Line):
    """Messages to learn from."""

    messages: list[Trained]
    tools: list[Tool] | None = None

    def fault(self) -> str | None:
        """The assistant is last and learned, and nobody else is."""
        if not self.messages or self.messages[-1].role != "assistant" or not self.messages[-1].train:
            return "the last message is not the assistant's, or is not trained on."
        if any(m.train and m.role != "assistant" for m in self.messages):
            return "a message that is not the assistant's is trained on."
        return dialogue_fault(self.messages)


class Preference(Line):
    """Messages and two replies."""

    messages: list[Told]
    chosen: Told
    rejected: Told
    tools: list[Tool] | None = None

    def fault(self) -> str | None:
        """Both replies are the assistant's, and differ."""
        if not self.messages or any(m.role != "assistant" for m in (self.chosen, self.rejected)):
            return "there is no prompt, or a reply is not the assistant's."
        if self.chosen == self.rejected:
            return "chosen and rejected are the same."
        return dialogue_fault([*self.messages, self.chosen]) or dialogue_fault([*self.messages, self.rejected])


class DataSet(Strict):
    """A data set of the configuration."""

    path: str
    ds_type: Literal["json"]
    split: str
    type: Literal["chat_template", "chat_template.default", "completion"]
    field: str | None = None
    field_messages: str | None = None
    message_field_training: str | None = None
    field_chosen: str | None = None
    field_rejected: str | None = None


class Configuration(Strict):
    """The configuration, as far as it is written here."""

    base_model: str
    chat_template: str
    rl: Literal["dpo"] | None = None
    datasets: list[DataSet] = []
    test_datasets: list[DataSet] = []


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return TextLine if "text" in row else Preference if "chosen" in row else Supervised
