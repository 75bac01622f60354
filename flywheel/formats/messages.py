"""Stored messages as trainers want them: chat messages, tools, tool calls with parsed arguments.

Everything here raises `Unreadable` with a reason code where a message has no such form.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from flywheel.errors import Unreadable

Message = dict[str, Any]
Fields = Mapping[str, Any]
"""A stored message: every field of records.MESSAGE_FIELDS."""

INSTRUCTIONS = ("system", "developer")
PROMPTLESS = ("corpus", "detector")
"""Kinds of sets whose examples are one text each, without a prompt."""


def chat_message(fields: Fields) -> Message:
    """A message as the chat-completions API has it: absent keys are left out, content parts and tool calls are JSON again."""
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
    if role == "assistant" and images(told):
        raise Unreadable("image_in_assistant_message")
    return told


def images(message: Message) -> int:
    """How many pictures a chat message shows."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(1 for p in parts if isinstance(p, dict) and p.get("type") == "image_url")


def weighted(message: Message, weight: int) -> Message:
    """The message with a weight, where it is the assistant's."""
    return {**message, "weight": weight} if message["role"] == "assistant" else message


def learned_prompt(example: Fields) -> list[bool]:
    """Of each message of the prompt, whether it is learned, too.

    An example says so in `learned`, a list as long as its prompt, in which only replies of the assistant can be true. It is null
    where the completion alone is learned, as in every set but one of whole sessions (`turns = "whole"`).
    """
    told = example.get("learned")
    return [False] * len(example["prompt"]) if told is None else list(told)


def weighted_messages(example: Fields, prompt: Sequence[Message], completion: Sequence[Message]) -> list[Message]:
    """The messages of an example, rendered in this order, with weight 1 on what is learned and 0 on the assistant's other turns."""
    learned = [*map(int, learned_prompt(example)), *(1 for _ in completion)]
    return [weighted(m, weight) for m, weight in zip((*prompt, *completion), learned, strict=True)]


def tools_of(example: Fields) -> list[dict[str, Any]]:
    """The tools offered, as objects; empty where none were."""
    tools = orjson.loads(example["tools"]) if example["tools"] else []
    if not isinstance(tools, list) or not all(isinstance(t, dict) for t in tools):
        raise Unreadable("tools_are_no_list")
    return tools


def functions_of(example: Fields) -> list[dict[str, Any]]:
    """The function of each tool: name, description, parameters."""
    functions = [t.get("function", t) if t.get("type", "function") == "function" else None for t in tools_of(example)]
    if not all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in functions):
        raise Unreadable("tool_is_no_function")
    return [f for f in functions if f is not None]


def call_names(messages: Iterable[Fields]) -> dict[str, str]:
    """Tool call id -> name of the function called, for replies that do not say it themselves."""
    calls = [c for m in messages if m["tool_calls"] for c in orjson.loads(m["tool_calls"])]
    return {c["id"]: c["function"]["name"] for c in calls if c.get("id") and isinstance(c.get("function"), dict)}


def calls_of(fields: Fields) -> list[tuple[str | None, str, dict[str, Any]]]:
    """(id, function name, arguments as an object) of each tool call of a message."""
    calls = orjson.loads(fields["tool_calls"]) if fields["tool_calls"] else []
    return [(c.get("id"), *_called(c)) for c in calls]


def _called(call: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Unreadable("tool_call_is_no_function")
    name = function["name"]
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except orjson.JSONDecodeError:
        raise Unreadable("arguments_are_no_json", name) from None
    if not isinstance(arguments, dict):
        raise Unreadable("arguments_are_no_object", name)
    return name, arguments


def text_of(fields: Fields) -> str:
    """The text of a message, a refusal's included; refused where it shows what is not text."""
    if fields["parts"] and any(p.get("type") not in ("text", "refusal") for p in orjson.loads(fields["parts"])):
        raise Unreadable("content_is_not_text")
    content = fields["content"] if fields["content"] is not None else fields["refusal"]
    if content is None and not fields["tool_calls"] and fields["role"] == "assistant":
        raise Unreadable("empty_assistant_message")
    return content or ""


def thought_text(fields: Fields) -> str:
    """The text with the reasoning before it in <think> tags, as models that think aloud write it."""
    text = text_of(fields)
    return f"<think>\n{fields['reasoning']}\n</think>\n\n{text}" if fields["reasoning"] is not None else text


def without_instructions(messages: Sequence[Fields]) -> tuple[str, list[Fields]]:
    """The leading system and developer messages as one text, and the other messages. Refused where one comes later."""
    first = next((i for i, m in enumerate(messages) if m["role"] not in INSTRUCTIONS), len(messages))
    rest = list(messages[first:])
    if any(m["role"] in INSTRUCTIONS for m in rest):
        raise Unreadable("instructions_not_first")
    return "\n\n".join(text_of(m) for m in messages[:first]), rest


def every_message(example: Fields) -> list[Fields]:
    """The messages of an example: prompt, completion, rejected."""
    return [*example["prompt"], *example["completion"], *(example["rejected"] or ())]


def lost_fields(example: Fields, *fields: str) -> set[str]:
    """Which of these message fields the example has; for loss reports. `name` is told of messages other than a tool's."""
    return {
        f
        for m in every_message(example)
        for f in fields
        if m[f] is not None and not (f == "name" and m["role"] == "tool")
    }


def said_otherwise(example: Fields) -> set[str]:
    """What formats hold under another name: a refusal becomes the content, a developer the system."""
    refusals = {"refusal as such" for m in every_message(example) if m["refusal"] is not None}
    return refusals | {"developer as such" for m in example["prompt"] if m["role"] == "developer"}


def earlier_replies(example: Fields) -> set[str]:
    """What formats lose that learn every reply of a conversation alike, where this one has earlier replies that are not learned."""
    told = zip(example["prompt"], learned_prompt(example), strict=True)
    return {"weight of earlier replies"} if any(m["role"] == "assistant" and not kept for m, kept in told) else set()


def learned_replies(example: Fields) -> set[str]:
    """What formats lose that learn the completion alone, where an earlier reply is learned, too."""
    return {"earlier replies that are learned"} if any(learned_prompt(example)) else set()
