"""OpenAI fine-tuning JSONL: `messages` for supervised finetuning, `input` and two outputs for preference (DPO)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Required

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.formats.limits import limits
from flywheel.formats.messages import Message, chat_message, images, tools_of, weighted_messages
from flywheel.kinds import Export


class OpenAI(Export):
    """Lines for OpenAI's fine-tuning and the services that took over its format.

    In a supervised line the completion has weight 1 and every earlier assistant turn weight 0, unless the example is a whole
    session and that turn is learned, too. Argument strings of tool calls are exactly what the model wrote.
    """

    use: Literal["openai"] = "openai"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "tool_use")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        prompt = [chat_message(m) for m in example["prompt"]]
        completion = [chat_message(m) for m in example["completion"]]
        if not any(m["role"] == "assistant" for m in completion):
            raise Unreadable("completion_without_assistant")
        tools = _tools(example, [*prompt, *completion])
        if example["kind"] == "preference":
            if any(images(m) for m in prompt):
                raise Unreadable("images_in_preference")
            rejected = [chat_message(m) for m in example["rejected"]]
            return {
                "input": {"messages": prompt, **tools},
                "preferred_output": completion,
                "non_preferred_output": rejected,
            }
        return {"messages": weighted_messages(example, prompt, completion), **tools}

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        messages = [*example["prompt"], *example["completion"], *(example["rejected"] or ())]
        lost = {field for m in messages for field in ("reasoning", "extra") if m[field] is not None}
        lost |= {"name of tool" for m in messages if m["role"] == "tool" and m["name"] is not None}
        lost |= {field for field in ("label", "score") if example[field] is not None}
        return sorted(lost)

    def validate_file(self, path: Path) -> int:
        """Read every line with the types of the `openai` package, unknown keys forbidden, then apply the service's limits."""
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
                pictured += any(images(m) for m in row.get("messages", ()))
        if len(shapes) > 1:
            raise ExportInvalid(
                f"{path.name} mixes supervised and preference lines; the service takes one kind in a file."
            )
        if (most := limits(self.use).rows_with_images) is not None and pictured > most:
            raise ExportInvalid(f"{path.name} has {pictured:,} rows with images; the service takes {most:,}.")
        return lines


# --- writing


def _tools(example: Mapping[str, Any], messages: Iterable[Message]) -> dict[str, Any]:
    """`tools`, and `parallel_tool_calls` where the example shows some; nothing where no tools were offered."""
    if not (tools := tools_of(example)):
        return {}
    parallel = any(len(m.get("tool_calls", ())) > 1 for m in messages)
    return {"tools": tools, "parallel_tool_calls": True} if parallel else {"tools": tools}


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
    if (shown := sum(images(m) for m in messages)) > (most := limits("openai").images_per_row or 0):
        return f"{shown} images; the service takes {most} in a row."
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
    return "images are not taken in preference lines." if any(images(m) for m in messages) else None


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
