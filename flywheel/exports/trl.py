"""TRL's conversational forms: prompt and completion, chosen and rejected, labelled and scored."""

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, JsonValue, ValidationError

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.formats.messages import Message, call_names, calls_of, every_message, learned_replies, text_of, tools_of
from flywheel.formats.stepwise import stepwise_line
from flywheel.formats.training_lines import Representatives, kto_weights
from flywheel.kinds import Export


class Trl(Export):
    """Lines for TRL's trainers: SFT, DPO, KTO, pairs with a margin for reward models, replies with a score, and steps with labels.

    Arguments of tool calls become objects, a tool's reply carries the tool's name, reasoning becomes `thinking`, a refusal
    becomes the content. What is not text cannot be held.
    """

    use: Literal["trl"] = "trl"

    takes: ClassVar[tuple[str, ...]] = (
        "sft",
        "preference",
        "kto",
        "reward",
        "reward_pairs",
        "tool_use",
        "cot",
        "stepwise",
        "corpus",
    )

    def render(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if example["kind"] == "corpus":
            return {"text": text_of(example["completion"][0])}
        if example["kind"] == "stepwise":
            return stepwise_line(example)
        names = call_names(every_message(example))
        line: dict[str, Any] = {"prompt": [_message(m, names) for m in example["prompt"]]}
        completion = [_message(m, names) for m in example["completion"]]
        if example["kind"] in ("preference", "reward_pairs"):
            line |= {"chosen": completion, "rejected": [_message(m, names) for m in example["rejected"]]}
            line |= {"margin": example["score"]} if example["kind"] == "reward_pairs" else {}
        else:
            line |= {"completion": completion}
        if example["kind"] == "kto":
            line["label"] = example["label"]
        if example["kind"] == "reward":
            line["score"] = example["score"]
        return line | ({"tools": tools} if (tools := tools_of(example)) else {})

    def losses(self, example: Mapping[str, Any]) -> list[str]:
        messages = every_message(example)
        lost = {"extra" for m in messages if m["extra"] is not None}
        lost |= {"refusal as such" for m in messages if m["refusal"] is not None}
        lost |= {"name" for m in messages if m["name"] is not None and m["role"] != "tool"}
        return sorted(lost | learned_replies(example))

    def settings(self, kind: str, notes: Mapping[str, Any]) -> dict[str, bytes]:
        """The weights of a KTO set as fields of `KTOConfig`: `trl kto --config kto.yaml` reads them."""
        return kto_weights(kind, notes, "desirable_weight", "undesirable_weight")

    @staticmethod
    def reader() -> str:
        """Who reads the files back: `datasets` where it is installed, else pydantic alone."""
        return "datasets" if importlib.util.find_spec("datasets") else "pydantic"

    def validate_file(self, path: Path) -> int:
        """Read every line strictly; then `datasets`, where installed, loads the lines that stand for the others, and what it makes
        of each is compared with what was written."""
        number, standing = 0, Representatives()
        shapes: set[type] = set()
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = orjson.loads(line)
                    shape = _shape(row)
                    fault = _fault(shape.model_validate_json(line, strict=True))
                except (orjson.JSONDecodeError, ValidationError) as e:
                    fault = _first(e)
                if fault:
                    raise ExportInvalid(
                        f"{path.name}, line {number}: {fault} TRL cannot read the file; it was not released."
                    )
                shapes.add(shape)
                standing.look(number, line, row)
        if len(shapes) > 1:
            kinds = ", ".join(sorted(s.__name__.strip("_").lower() for s in shapes))
            raise ExportInvalid(f"{path.name} mixes lines of the kinds {kinds}; a trainer reads one.")
        if number and self.reader() == "datasets":
            _compare(path.name, standing)
        return number


# --- writing


def _message(fields: Mapping[str, Any], names: Mapping[str, str]) -> Message:
    """A message as chat templates want it. Raises `Unreadable` for what they cannot show."""
    told: Message = {"role": fields["role"], "content": text_of(fields)}
    if fields["reasoning"] is not None:
        told["thinking"] = fields["reasoning"]
    if fields["tool_calls"]:
        told["tool_calls"] = [
            {"type": "function", "function": {"name": name, "arguments": arguments}} | ({"id": id} if id else {})
            for id, name, arguments in calls_of(fields)
        ]
    if fields["role"] == "tool":
        name = fields["name"] or names.get(fields["tool_call_id"] or "")
        if name is None:
            raise Unreadable("tool_reply_without_name")
        told |= {"name": name} | ({"tool_call_id": fields["tool_call_id"]} if fields["tool_call_id"] else {})
    return told


# --- reading back


class _Strict(BaseModel, extra="forbid"):
    pass


class _Function(_Strict):
    name: str
    arguments: dict[str, JsonValue]


class _Call(_Strict):
    type: Literal["function"]
    function: _Function
    id: str | None = None


class _Message(_Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str
    thinking: str | None = None
    tool_calls: list[_Call] | None = None
    name: str | None = None
    tool_call_id: str | None = None


class _Row(_Strict):
    prompt: list[_Message]
    tools: list[dict[str, JsonValue]] | None = None


class _Text(_Strict):
    text: str


class _Stepwise(_Strict):
    prompt: str
    completions: list[str]
    labels: list[bool]


class _Messages(_Strict):
    messages: list[_Message]
    tools: list[dict[str, JsonValue]] | None = None


class _Sft(_Row):
    completion: list[_Message]


class _Kto(_Sft):
    label: bool


class _Reward(_Sft):
    score: float


class _Preference(_Row):
    chosen: list[_Message]
    rejected: list[_Message]
    margin: float | None = None


Shape = _Preference | _Kto | _Reward | _Sft | _Text | _Stepwise | _Messages


def _shape(row: object) -> type[Shape]:
    """The shape a line means to have, by the key that only this shape has."""
    keys = set(row) if isinstance(row, dict) else set()
    if keys & {"chosen", "rejected"}:
        return _Preference
    if "text" in keys:
        return _Text
    if "completions" in keys:
        return _Stepwise
    if "messages" in keys:
        return _Messages
    return _Kto if "label" in keys else _Reward if "score" in keys else _Sft


def _fault(row: Shape) -> str | None:
    """What the shape does not tell: an empty side, a completion that is not the assistant's, tool replies without a name."""
    if isinstance(row, _Text):
        return None if row.text.strip() else "the text is empty."
    if isinstance(row, _Stepwise):
        sound = row.prompt.strip() and row.completions and len(row.completions) == len(row.labels)
        return None if sound else "the prompt is empty, or there is not one label for each step."
    if isinstance(row, _Messages):
        sound = any(m.role != "assistant" for m in row.messages) and row.messages[-1].role == "assistant"
        return None if sound else "the conversation does not end with the assistant, or nobody else speaks in it."
    sides = (
        {"chosen": row.chosen, "rejected": row.rejected}
        if isinstance(row, _Preference)
        else {"completion": row.completion}
    )
    for side, messages in sides.items():
        if not messages or messages[-1].role != "assistant":
            return f"{side} does not end with the assistant."
        if not any(m.content or m.tool_calls for m in messages):
            return f"{side} is empty."
    if not row.prompt:
        return "the prompt is empty."
    if any(m.role == "tool" and m.name is None for m in row.prompt):
        return "a tool message has no name."
    return "chosen and rejected are the same." if isinstance(row, _Preference) and row.chosen == row.rejected else None


def _first(error: Exception) -> str:
    """The first fault of a pydantic or JSON error, in a sentence."""
    if not isinstance(error, ValidationError):
        return f"it is no JSON ({error})."
    fault = error.errors(include_url=False)[0]
    return f"at {'.'.join(str(p) for p in fault['loc']) or 'the line'}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _compare(name: str, standing: Representatives) -> None:
    """Load the lines as a trainer would, and see that no row came out as another: Arrow must not have merged arguments."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        path = Path(cache) / name
        path.write_bytes(b"".join(line for _, line, _ in standing.rows))
        loaded = datasets.Dataset.from_json(str(path), cache_dir=cache, keep_in_memory=True)
        if len(loaded) != len(standing.rows):
            raise ExportInvalid(f"{name}: datasets reads {len(loaded):,} rows of {len(standing.rows):,} lines.")
        for read, (number, _, row) in zip(loaded, standing.rows, strict=True):
            if _bare(read) != _bare(row):
                raise ExportInvalid(
                    f"{name}, line {number}: datasets reads another row than was written. Report this line."
                )


def _bare(value: Any) -> Any:
    """A value without the keys that are null: columns that other rows have. Arguments and schemas are compared as they are."""
    if isinstance(value, Mapping):
        return {k: v if k in ("arguments", "tools") else _bare(v) for k, v in value.items() if v is not None}
    return [_bare(v) for v in value] if isinstance(value, list) else value
