import orjson
import pytest

from flywheel.filters.invalid_tool_call import InvalidToolCall
from tests.build import chat

TOOLS = orjson.dumps(
    [{"type": "function", "function": {"name": "weather"}}, {"type": "custom", "custom": {"name": "shell"}}]
).decode()
OLD_TOOLS = '[{"name": "weather", "parameters": {}}]'


def call(name: str, arguments: object) -> str:
    return orjson.dumps([{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}]).decode()


@pytest.mark.parametrize(
    ("calls", "tools", "rejected"),
    [
        (None, TOOLS, False),
        ("[]", TOOLS, False),
        (call("weather", '{"city": "서울"}'), TOOLS, False),
        (call("weather", "{}"), OLD_TOOLS, False),
        (call("anything", "{}"), None, False),
        (call("anything", "{}"), "[]", False),
        ('[{"id":"c","type":"custom","custom":{"name":"shell","input":"ls -l"}}]', TOOLS, False),
        (call("Weather", "{}"), TOOLS, True),
        (call("weather", '{"city": "Seoul"'), TOOLS, True),
        (call("weather", '"Seoul"'), TOOLS, True),
        (call("weather", ""), TOOLS, True),
        (call("weather", None), TOOLS, True),
        ('[{"id":"c"}]', TOOLS, True),
        ('[{"id":', TOOLS, True),
        ("{}", TOOLS, True),
    ],
)
def test_invalid_tool_call(calls, tools, rejected):
    row = chat("user: go", {"role": "assistant", "tool_calls": calls}, tools=tools)
    assert row.select(InvalidToolCall().reject()).item() is rejected


def test_only_the_reply_is_judged():
    row = chat(
        "user: go", {"role": "assistant", "tool_calls": call("x", "{")}, "user: again", "assistant: Sorry.", tools=TOOLS
    )
    assert row.select(InvalidToolCall().reject()).item() is False
