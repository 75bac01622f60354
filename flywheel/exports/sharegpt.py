"""ShareGPT: `conversations` of `from` and `value`, the lingua franca of older open training sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field

from flywheel.errors import Unreadable
from flywheel.formats.messages import (
    calls_of,
    earlier_replies,
    every_message,
    functions_of,
    lost_fields,
    text_of,
    thought_text,
    without_instructions,
)
from flywheel.formats.training_lines import JsonList, Line, Strict, line_fault, read_lines
from flywheel.kinds import Export

SIDES = {"user": "human", "assistant": "gpt", "tool": "observation"}
ASKS, ANSWERS = ("human", "observation"), ("gpt", "function_call")


class ShareGpt(Export):
    """Lines of turns that strictly alternate: somebody asks (a person, or a tool's result), the model answers or calls.

    Several calls at once are one turn; several results at once cannot be told apart and are refused, as is text beside
    a call. Reasoning stands in <think> tags before the answer.
    """

    use: Literal["sharegpt"] = "sharegpt"

    takes: ClassVar[tuple[str, ...]] = ("sft", "tool_use", "cot")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        system, turns = conversation([*example["prompt"], *example["completion"]])
        first = [{"from": "system", "value": system}] if system else []
        tools = functions_of(example)
        return {"conversations": first + turns} | ({"tools": orjson.dumps(tools).decode()} if tools else {})

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        return conversation_losses(example)

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema and the rules of alternation."""
        return read_lines(path, self.use, _shape)


def conversation(messages: list[Mapping[str, Any]]) -> tuple[str, list[dict[str, str]]]:
    """The instructions as one text, and the turns. Raises `Unreadable` where they do not alternate."""
    system, rest = without_instructions(messages)
    turns = [turn(m) for m in rest]
    if not turns or any((t["from"] in ASKS) == bool(place % 2) for place, t in enumerate(turns)):
        raise Unreadable("turns_do_not_alternate")
    return system, turns


def turn(fields: Mapping[str, Any]) -> dict[str, str]:
    """One message as a turn; calls are JSON: an object for one, a list for several."""
    if fields["tool_calls"] is None:
        return {"from": SIDES[fields["role"]], "value": thought_text(fields)}
    if text_of(fields).strip():
        raise Unreadable("text_beside_tool_call")
    calls = [{"name": name, "arguments": arguments} for _, name, arguments in calls_of(fields)]
    value = orjson.dumps(calls[0] if len(calls) == 1 else calls).decode()
    return {"from": "function_call", "value": thought_text({**fields, "content": value})}


def conversation_losses(example: Mapping[str, Any]) -> list[str]:
    """What an example has and turns cannot carry."""
    messages = every_message(example)
    lost = lost_fields(example, "extra", "name", "tool_call_id") | earlier_replies(example)
    lost |= {"refusal as such" for m in messages if m["refusal"] is not None}
    lost |= {"developer as such" for m in messages if m["role"] == "developer"}
    return sorted(lost)


# --- reading back


class Turn(Strict):
    """One turn: who speaks, and what is said."""

    side: Literal["system", "human", "gpt", "observation", "function_call"] = Field(alias="from")
    value: str

    @property
    def calls(self) -> object:
        """The JSON of a function call, without the thought before it."""
        return orjson.loads(self.value.rpartition("</think>")[2])


class Dialogue(Line):
    """One conversation."""

    conversations: list[Turn]
    tools: JsonList | None = None

    def fault(self) -> str | None:
        """Turns alternate and end with the model; a call is JSON that names its function."""
        turns = self.conversations
        return turns_fault(turns[1:] if turns and turns[0].side == "system" else turns, even=True)


def turns_fault(turns: list[Turn], even: bool) -> str | None:
    """What breaks the rules of alternation. `even`: the last turn is the model's; otherwise it is asked."""
    sides = [t.side for t in turns]
    if not turns or len(turns) % 2 != (0 if even else 1):
        return f"{len(turns)} turns; expected an {'even' if even else 'odd'} number."
    for place, side in enumerate(sides):
        if side not in (ANSWERS if place % 2 else ASKS):
            return f"turn {place + 1} is from {side}; expected {' or '.join(ANSWERS if place % 2 else ASKS)}."
    return next((f for t in turns if t.side == "function_call" and (f := call_fault(t))), None)


def call_fault(turn: Turn) -> str | None:
    """What is wrong with the JSON of a function call."""
    try:
        said = turn.calls
    except orjson.JSONDecodeError:
        return "a function call is no JSON."
    calls = said if isinstance(said, list) else [said]
    sound = all(
        isinstance(c, dict) and isinstance(c.get("name"), str) and isinstance(c.get("arguments"), dict) for c in calls
    )
    return None if calls and sound else "a function call has no name, or its arguments are no object."


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Dialogue
