"""Gemini on Vertex AI: `contents` of the user and the model, instructions apart; preference pairs with scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import JsonValue

from flywheel.errors import Unreadable
from flywheel.formats.messages import (
    call_names,
    calls_of,
    earlier_replies,
    every_message,
    functions_of,
    lost_fields,
    said_otherwise,
    text_of,
    without_instructions,
)
from flywheel.formats.training_lines import Line, Strict, line_fault, read_lines
from flywheel.kinds import Export

PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


class Gemini(Export):
    """Lines of contents: neighbouring messages of one side become parts of one content, as the service wants them.

    Calls are `functionCall` with an object, results `functionResponse`: a result that is no JSON object is put under
    `result`. Pictures are taken where they lie in cloud storage (gs://). Pairs hold text only.
    """

    use: Literal["gemini"] = "gemini"

    takes: ClassVar[tuple[str, ...]] = ("sft", "preference", "tool_use")

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        system, rest = without_instructions(example["prompt"])
        names = call_names(every_message(example))
        instruction = {"role": "system", "parts": [{"text": system}]}
        if example["kind"] == "preference":
            if example["tools"] not in (None, "[]"):
                raise Unreadable("tools_in_preference")
            replies = [_contents(example[side], names) for side in ("completion", "rejected")]
            if any(len(r) != 1 for r in replies):
                raise Unreadable("reply_is_several_messages")
            pair = [{"score": score, "completion": r[0]} for score, r in zip((1, 0), replies, strict=True)]
            line = {"contents": _contents(rest, names), "completions": pair}
            return ({"system_instruction": instruction} if system else {}) | line
        line = {"contents": _contents([*rest, *example["completion"]], names)}
        functions = [{k: f[k] for k in ("name", "description", "parameters") if k in f} for f in functions_of(example)]
        tools = {"tools": [{"functionDeclarations": functions}]} if functions else {}
        return ({"systemInstruction": instruction} if system else {}) | line | tools

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        lost = lost_fields(example, "reasoning", "extra", "name", "tool_call_id") | earlier_replies(example)
        return sorted(lost | said_otherwise(example))

    def fault(self, line: Mapping[str, Any]) -> str | None:
        return line_fault(line, _shape)

    def validate_file(self, path: Path) -> int:
        """Read every line with the strict schema and the rules of order."""
        return read_lines(path, self.use, _shape)


def _contents(messages: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    for m in messages:
        role = "model" if m["role"] == "assistant" else "user"
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += _parts(m, names)
        else:
            contents.append({"role": role, "parts": _parts(m, names)})
    return contents


def _parts(fields: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    if fields["role"] == "tool":
        name = fields["name"] or names.get(fields["tool_call_id"] or "")
        if name is None:
            raise Unreadable("tool_reply_without_name")
        return [{"functionResponse": {"name": name, "response": _result(text_of(fields))}}]
    if fields["parts"] and fields["role"] == "user":
        return [_part(p) for p in orjson.loads(fields["parts"])]
    text = text_of(fields)
    calls = [{"functionCall": {"name": name, "args": args}} for _, name, args in calls_of(fields)]
    return ([{"text": text}] if text or not calls else []) + calls


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": str(text)}:
            return {"text": text}
        case {"type": "image_url", "image_url": {"url": str(url)}} if url.startswith("gs://"):
            kind = PICTURES.get(url.rpartition(".")[2].lower())
            if kind is None:
                raise Unreadable("image_of_unknown_type")
            return {"fileData": {"mimeType": kind, "fileUri": url}}
    raise Unreadable("content_is_not_in_cloud_storage")


def _result(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"result": text}
    return found if isinstance(found, dict) else {"result": found}


# --- reading back


class FileData(Strict):
    """A file in cloud storage."""

    mimeType: str
    fileUri: str


class FunctionCall(Strict):
    """A call."""

    name: str
    args: dict[str, JsonValue]


class FunctionResponse(Strict):
    """The result of a call."""

    name: str
    response: dict[str, JsonValue]


class Part(Strict):
    """One of text, file, call, result."""

    text: str | None = None
    fileData: FileData | None = None
    functionCall: FunctionCall | None = None
    functionResponse: FunctionResponse | None = None


class Content(Strict):
    """What one side says."""

    role: Literal["user", "model"]
    parts: list[Part]


class Instruction(Strict):
    """The instructions."""

    role: Literal["system"]
    parts: list[Part]


class Declaration(Strict):
    """A function offered."""

    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None


class Declarations(Strict):
    """The functions offered."""

    functionDeclarations: list[Declaration]


class Supervised(Line):
    """Contents to learn from."""

    systemInstruction: Instruction | None = None
    contents: list[Content]
    tools: list[Declarations] | None = None

    def fault(self) -> str | None:
        """The model is last."""
        if not self.contents or self.contents[-1].role != "model":
            return "the last content is not the model's."
        return _contents_fault(self.contents)


class Scored(Strict):
    """A reply with its score."""

    score: Literal[0, 1]
    completion: Content


class Preference(Line):
    """Contents and two replies."""

    system_instruction: Instruction | None = None
    contents: list[Content]
    completions: list[Scored]

    def fault(self) -> str | None:
        """The user is last; two replies, one of score 1 and one of score 0; text only."""
        if not self.contents or self.contents[-1].role != "user":
            return "the last content is not the user's."
        if sorted(c.score for c in self.completions) != [0, 1]:
            return "the scores are not one 1 and one 0."
        replies = [c.completion for c in self.completions]
        if any(p.text is None for c in (*self.contents, *replies) for p in c.parts):
            return "a part is not text; preference lines hold text only."
        if any(r.role != "model" for r in replies):
            return "a completion is not the model's."
        return "both completions are the same." if replies[0] == replies[1] else _contents_fault(self.contents)


def _contents_fault(contents: Sequence[Content]) -> str | None:
    pending: set[str] = set()
    for place, content in enumerate(contents):
        if content.role != ("model" if place % 2 else "user"):
            return f"content {place + 1} is the {content.role}'s; user and model must alternate, the user first."
        for part in content.parts:
            if len(part.model_fields_set) != 1:
                return f"content {place + 1} has a part with {len(part.model_fields_set)} kinds of data; expected one."
            if part.functionResponse and part.functionResponse.name not in pending:
                return f"the result of {part.functionResponse.name!r} answers no call before it."
            pending |= {part.functionCall.name} if part.functionCall else set()
        if not content.parts:
            return f"content {place + 1} has no parts."
    return None


def _shape(row: Mapping[str, Any]) -> type[Line]:
    return Preference if "completions" in row else Supervised
