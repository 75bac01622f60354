"""Builders for tests of exports: examples of every kind, and files with planted faults."""

from pathlib import Path
from typing import Any

import orjson

from flywheel.records import message

CALL = '[{"id":"call_1","type":"function","function":{"name":"get_order","arguments":"{\\"id\\":7}"}}]'
TOOLS = '[{"type":"function","function":{"name":"get_order","parameters":{"type":"object","properties":{"id":{"type":"integer"}}}}}]'

Said = str | dict[str, Any]


def told(said: Said) -> dict[str, Any]:
    """A stored message from `role: text` or its fields."""
    role, _, text = said.partition(": ") if isinstance(said, str) else ("", "", "")
    return message({"role": role, "content": text} if isinstance(said, str) else said)


def example(
    *prompt: Said, kind: str = "sft", completion: Any = "assistant: ok", rejected: Any = None, **more: Any
) -> Any:
    """An example as exports see it; `completion` and `rejected` are one message or a list."""

    def side(given: Any) -> Any:
        return given if given is None else [told(m) for m in (given if isinstance(given, list) else [given])]

    row = {"id": "x", "kind": kind, "prompt": [told(m) for m in prompt], "completion": side(completion)}
    return row | {"rejected": side(rejected), "tools": None, "label": None, "score": None, "split": "train"} | more


PLAIN = example("system: Be brief.", "user: Where is 7?", completion="assistant: Shipped.")
PAIR = example("user: Where is 7?", completion="assistant: Shipped.", rejected="assistant: No idea.", kind="preference")
KTO = example("user: Where is 7?", completion="assistant: Shipped.", kind="kto", label=False)
CORPUS = example(kind="corpus", completion="assistant: Once upon a time.")
COT = example("user: 3+4?", completion={"role": "assistant", "content": "7", "reasoning": "3+4=7"}, kind="cot")
TOOL_USE = example(
    "user: Where is 7?",
    completion=[
        {"role": "assistant", "tool_calls": CALL},
        {"role": "tool", "tool_call_id": "call_1", "name": "get_order", "content": '{"state": "shipped"}'},
        "assistant: It shipped.",
    ],
    kind="tool_use",
    tools=TOOLS,
)
TURNS = example("user: hi", "assistant: hello", "user: Where is 7?", completion="assistant: Shipped.")


def written(path: Path, *lines: Any) -> Path:
    """A JSON Lines file; bytes are written as they are."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines))
    return path


def changed(line: Any, *steps: tuple[tuple[str | int, ...], Any]) -> Any:
    """A copy of a line with values at some paths replaced; `...` removes the key."""
    copy = orjson.loads(orjson.dumps(line))
    for path, value in steps:
        place = copy
        for step in path[:-1]:
            place = place[step]
        if value is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return copy
