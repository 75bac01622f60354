"""OpenAI fine-tuning JSONL: `messages` for supervised finetuning, `input` and two outputs for preference (DPO)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Required

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.kinds import Export

FILE_BYTES, IMAGES_PER_ROW, ROWS_WITH_IMAGES = 512 * 2**20, 64, 50_000

Message = dict[str, Any]


class OpenAI(Export):
    """Lines for OpenAI's fine-tuning and the services that took over its format.

    In a supervised line every earlier assistant turn has weight 0 and the completion weight 1, so that only the reply this
    row stands for is learned. Argument strings of tool calls are exactly what the model wrote.
    """

    use: Literal["openai"] = "openai"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference")
    fewest: ClassVar[int] = 10
    """The service starts no job on fewer lines; a smaller file is valid all the same."""

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        prompt = [_message(m) for m in example["prompt"]]
        completion = [_message(m) for m in example["completion"]]
        if not any(m["role"] == "assistant" for m in completion):
            raise Unreadable("completion_without_assistant")
        tools = _tools(example, [*prompt, *completion])
        if example["kind"] == "preference":
            if any(_images(m) for m in prompt):
                raise Unreadable("images_in_preference")
            rejected = [_message(m) for m in example["rejected"]]
            return {
                "input": {"messages": prompt, **tools},
                "preferred_output": completion,
                "non_preferred_output": rejected,
            }
        weighted = [_weighted(m, 0) for m in prompt] + [_weighted(m, 1) for m in completion]
        return {"messages": weighted, **tools}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        messages = [*example["prompt"], *example["completion"], *(example["rejected"] or ())]
        lost = {field for m in messages for field in ("reasoning", "extra") if m[field] is not None}
        lost |= {"name of tool" for m in messages if m["role"] == "tool" and m["name"] is not None}
        lost |= {field for field in ("label", "score") if example[field] is not None}
        return sorted(lost)

    def validate_file(self, path: Path) -> int:
        """Read every line with the types of the `openai` package, unknown keys forbidden, then apply the service's limits."""
        if (size := path.stat().st_size) > FILE_BYTES:
            raise ExportInvalid(
                f"{path.name} has {size:,} bytes; the service takes {FILE_BYTES:,}. Lower `examples` of the set."
            )
        sft, dpo = _readers()
        lines, pictured, shapes = 0, 0, set()
        with path.open("rb") as file:
            for lines, line in enumerate(file, 1):
                try:
                    row = orjson.loads(line)
                    shape = "preference" if isinstance(row, dict) and "input" in row else "sft"
                    _read_to_the_end((dpo if shape == "preference" else sft).validate_python(row))
                    fault = _dpo_fault(row) if shape == "preference" else _sft_fault(row)
                except (orjson.JSONDecodeError, ValidationError) as e:
                    fault = _first(e)
                if fault:
                    raise ExportInvalid(
                        f"{path.name}, line {lines}: {fault} The openai types refuse the file; it was not released."
                    )
                shapes.add(shape)
                pictured += any(_images(m) for m in row.get("messages", ()))
        if len(shapes) > 1:
            raise ExportInvalid(
                f"{path.name} mixes supervised and preference lines; the service takes one kind in a file."
            )
        if pictured > ROWS_WITH_IMAGES:
            raise ExportInvalid(
                f"{path.name} has {pictured:,} rows with images; the service takes {ROWS_WITH_IMAGES:,}."
            )
        return lines


# --- writing


def _message(fields: Mapping[str, Any]) -> Message:
    """A message as the API has it: absent keys are left out, content parts and tool calls are JSON again."""
    role = fields["role"]
    content = orjson.loads(fields["parts"]) if fields["parts"] else fields["content"]
    told: Message = {"role": role}
    if content is not None or role != "assistant":
        told["content"] = content if content is not None else ""
    if fields["name"] is not None and role != "tool":
        told["name"] = fields["name"]
    if fields["refusal"] is not None:
        told["refusal"] = fields["refusal"]
    if fields["tool_calls"]:
        told["tool_calls"] = orjson.loads(fields["tool_calls"])
    if fields["tool_call_id"] is not None:
        told["tool_call_id"] = fields["tool_call_id"]
    if role == "assistant" and not {"content", "refusal", "tool_calls"} & set(told):
        raise Unreadable("empty_assistant_message")
    if role == "assistant" and _images(told):
        raise Unreadable("image_in_assistant_message")
    return told


def _weighted(message: Message, weight: int) -> Message:
    return {**message, "weight": weight} if message["role"] == "assistant" else message


def _tools(example: Mapping[str, Any], messages: Iterable[Message]) -> dict[str, Any]:
    """`tools`, and `parallel_tool_calls` where the example shows some; nothing where no tools were offered."""
    if not example["tools"]:
        return {}
    tools = orjson.loads(example["tools"])
    if not isinstance(tools, list):
        raise Unreadable("tools_are_no_list")
    if not tools:
        return {}
    parallel = any(len(m.get("tool_calls", ())) > 1 for m in messages)
    return {"tools": tools, "parallel_tool_calls": True} if parallel else {"tools": tools}


def _images(message: Message) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(1 for p in parts if isinstance(p, dict) and p.get("type") == "image_url")


# --- reading back


def _readers() -> tuple[TypeAdapter[Any], TypeAdapter[Any]]:
    """Strict readers of a supervised and of a preference line, made of the `openai` package's own types."""
    from openai.types.chat import (
        ChatCompletionAssistantMessageParam,
        ChatCompletionDeveloperMessageParam,
        ChatCompletionFunctionToolParam,
        ChatCompletionSystemMessageParam,
        ChatCompletionToolMessageParam,
        ChatCompletionUserMessageParam,
    )

    class Weighted(ChatCompletionAssistantMessageParam, total=False):
        weight: Literal[0, 1]

    plain = (
        ChatCompletionSystemMessageParam
        | ChatCompletionDeveloperMessageParam
        | ChatCompletionUserMessageParam
        | ChatCompletionToolMessageParam
    )
    reply = ChatCompletionAssistantMessageParam
    by_role = Field(discriminator="role")

    # Typed dictionaries inside take over the configuration of the one they are in.
    strict = with_config(ConfigDict(extra="forbid", strict=True))

    @strict
    class Line(TypedDict, total=False):
        messages: Required[list[Annotated[plain | Weighted, by_role]]]
        tools: list[ChatCompletionFunctionToolParam]
        parallel_tool_calls: bool

    class Input(TypedDict, total=False):
        messages: Required[list[Annotated[plain | reply, by_role]]]  # type: ignore[valid-type]
        tools: list[ChatCompletionFunctionToolParam]
        parallel_tool_calls: bool

    @strict
    class Pair(TypedDict):
        input: Input
        preferred_output: list[Annotated[reply | ChatCompletionToolMessageParam, by_role]]  # type: ignore[valid-type]
        non_preferred_output: list[Annotated[reply | ChatCompletionToolMessageParam, by_role]]  # type: ignore[valid-type]

    return TypeAdapter(Line), TypeAdapter(Pair)


def _read_to_the_end(value: Any) -> None:
    """Visit everything: the `openai` types say Iterable, which pydantic checks only as it is iterated."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _read_to_the_end(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            _read_to_the_end(inner)


def _sft_fault(row: Mapping[str, Any]) -> str | None:
    messages = row["messages"]
    if not messages or messages[-1]["role"] != "assistant":
        return "the last message is not the assistant's."
    if not any(m["role"] == "assistant" and m.get("weight", 1) == 1 for m in messages):
        return "no assistant message has weight 1, so there is nothing to learn."
    if (images := sum(_images(m) for m in messages)) > IMAGES_PER_ROW:
        return f"{images} images; the service takes {IMAGES_PER_ROW} in a row."
    return _dialogue_fault(messages)


def _dpo_fault(row: Mapping[str, Any]) -> str | None:
    messages = row["input"]["messages"]
    if not messages:
        return "the input has no messages."
    for side in ("preferred_output", "non_preferred_output"):
        if not any(m["role"] == "assistant" for m in row[side]):
            return f"{side} has no assistant message."
        if fault := _dialogue_fault([*messages, *row[side]]):
            return fault
    if row["preferred_output"] == row["non_preferred_output"]:
        return "both outputs are the same."
    return "images are not taken in preference lines." if any(_images(m) for m in messages) else None


def _dialogue_fault(messages: list[Message]) -> str | None:
    """What the types cannot see: an assistant message that says nothing, a tool result nobody asked for."""
    pending: set[str] = set()
    for m in messages:
        if m["role"] == "assistant":
            if m.get("content") is None and not m.get("tool_calls") and m.get("refusal") is None:
                return "an assistant message has neither content, refusal nor tool calls."
            pending |= {call["id"] for call in m.get("tool_calls", ())}
        elif m["role"] == "tool" and m["tool_call_id"] not in pending:
            return f"the tool message {m['tool_call_id']!r} answers no call before it."
    return None


def _first(error: Exception) -> str:
    """The first fault of a pydantic or JSON error, in a sentence."""
    if isinstance(error, ValidationError):
        # The deepest fault is the one meant: the others only say which other kinds of content it is not.
        fault = max(error.errors(include_url=False), key=lambda e: (e["type"] != "literal_error", len(e["loc"])))
        return (
            f"at {'.'.join(str(p) for p in fault['loc']) or 'the line'}: {fault['msg'][0].lower()}{fault['msg'][1:]}."
        )
    return f"it is no JSON ({error})."
