"""Strict reading of written training files: one JSON object a line, one shape in a file, one sentence for a fault.

The models are those of published schemas, written down apart from the code that writes the lines.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, JsonValue, ValidationError

from flywheel.errors import ExportInvalid


class Strict(BaseModel, extra="forbid", strict=True):
    """A part of a line: no unknown key, no conversion of types."""


class Line(Strict):
    """One line of a file."""

    def fault(self) -> str | None:
        """What the types cannot see, as a sentence; None for a sound line."""
        return None


def read_lines(path: Path, service: str, shape: Callable[[dict[str, Any]], type[Line]]) -> int:
    """Read every line as the shape its keys announce; the number of lines.

    Raises `ExportInvalid` with file, line and fault; also where the file mixes shapes.
    """
    shapes: set[type[Line]] = set()
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = orjson.loads(line)
                kind = shape(row if isinstance(row, dict) else {})
                fault = kind.model_validate_json(line).fault()
                shapes.add(kind)
            except (orjson.JSONDecodeError, ValidationError) as e:
                fault = first_fault(e)
            if fault:
                raise ExportInvalid(
                    f"{path.name}, line {number}: {fault} The schema of {service} refuses the file; it was not released."
                )
    if len(shapes) > 1:
        kinds = ", ".join(sorted(s.__name__.lower() for s in shapes))
        raise ExportInvalid(f"{path.name} mixes lines of the kinds {kinds}; {service} reads one.")
    return number


ALL_OF = 2_000
"""Lines from the first that a reader which infers types is given, whatever their shape."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d")


def shape_of(value: Any) -> object:
    """What a reader that infers types sees of a value: keys and types, not how many or what; text like a date is a type of its own."""
    if isinstance(value, dict):
        return frozenset((k, shape_of(v)) for k, v in value.items())
    if isinstance(value, list):
        return ("list", frozenset(map(shape_of, value)))
    if isinstance(value, str):
        return "moment" if _MOMENT.match(value) else "text"
    return type(value).__name__


class Representatives:
    """The lines that stand for a file before a reader that infers types: the first ones, and one of every shape there is."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, bytes, Any]] = []
        """Number, bytes and value of each."""
        self.seen: set[object] = set()

    def look(self, number: int, line: bytes, row: Any) -> None:
        """Take a line, if no line before it stands for it."""
        shape = shape_of(row)
        if number <= ALL_OF or shape not in self.seen:
            self.rows.append((number, line, row))
        self.seen.add(shape)


def line_fault(row: Mapping[str, Any], shape: Callable[[dict[str, Any]], type[Line]]) -> str | None:
    """What the schema has against one line, as a sentence; None for a sound one."""
    try:
        return shape(dict(row)).model_validate_json(orjson.dumps(row)).fault()
    except ValidationError as e:
        return first_fault(e)


def first_fault(error: Exception) -> str:
    """The deepest fault of a pydantic error, or that of a JSON error, in a sentence."""
    if not isinstance(error, ValidationError):
        return f"it is no JSON ({error})."
    # The deepest fault is the one meant: the others only say which other kinds of content it is not.
    fault = max(error.errors(include_url=False), key=lambda e: (e["type"] != "literal_error", len(e["loc"])))
    return f"at {'.'.join(str(p) for p in fault['loc']) or 'the line'}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _object(text: str) -> str:
    if not isinstance(orjson.loads(text), dict):
        raise ValueError("it is no JSON object")
    return text


def _list(text: str) -> str:
    if not isinstance(orjson.loads(text), list):
        raise ValueError("it is no JSON list")
    return text


JsonObject = Annotated[str, AfterValidator(_object)]
"""A string that holds a JSON object."""
JsonList = Annotated[str, AfterValidator(_list)]
"""A string that holds a JSON list."""


def kto_weights(kind: str, notes: Mapping[str, Any], desirable: str, undesirable: str) -> dict[str, bytes]:
    """kto.yaml: the weights under which both labels of a KTO set count the same, under the names that a trainer gives them.

    Nothing for other kinds, and where one side is empty: no weight makes up for that.
    """
    balance = notes.get("labels")
    if kind != "kto" or not balance or not (balance["desired"] and balance["undesired"]):
        return {}
    told = (
        f"# {balance['desired']} desired and {balance['undesired']} undesired examples: so weighted, both sides count the same.\n"
        f"{desirable}: {float(balance['desirable_weight'])}\n{undesirable}: {float(balance['undesirable_weight'])}\n"
    )
    return {"kto.yaml": told.encode()}


# --- the chat schema, which many services took over


class TextPart(Strict):
    """Text among the parts of a message."""

    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    """Where a picture is."""

    url: str
    detail: str | None = None


class ImagePart(Strict):
    """A picture among the parts of a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class CalledFunction(Strict):
    """The function a tool call names, its arguments a JSON string."""

    name: str
    arguments: JsonObject


class ToolCall(Strict):
    """A call of a function, with the id its result refers to."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(Strict):
    """A chat message."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[TextPart | ImagePart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class WeightedMessage(ChatMessage):
    """A chat message that says whether it is learned."""

    weight: Literal[0, 1] | None = None


class OfferedFunction(Strict):
    """A function as it is offered to the model."""

    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None
    strict: bool | None = None


class OfferedTool(Strict):
    """A tool as it is offered to the model."""

    type: Literal["function"]
    function: OfferedFunction


class TextLine(Line):
    """A document."""

    text: str

    def fault(self) -> str | None:
        """A document must say something."""
        return None if self.text.strip() else "the text is empty."


def dialogue_fault(messages: Iterable[ChatMessage]) -> str | None:
    """What is wrong with the order of messages: nothing said, a result nobody asked for."""
    pending: set[str] = set()
    for place, m in enumerate(messages):
        if m.role == "system" and place:
            return "a system message is not the first."
        if m.role == "assistant" and m.content is None and not m.tool_calls:
            return "an assistant message has neither content nor tool calls."
        if m.role != "assistant" and m.content is None:
            return f"a {m.role} message has no content."
        if m.role == "tool" and m.tool_call_id not in pending:
            return f"the tool message {m.tool_call_id!r} answers no call before it."
        pending |= {c.id for c in m.tool_calls or ()}
    return None
