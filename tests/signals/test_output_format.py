import pytest

from flywheel.signals.output_format import OutputFormat
from tests.build import chat


@pytest.mark.parametrize(
    ("said", "reply", "form"),
    [
        ("Give me the capital of France, return JSON", "Paris", "json"),
        ("결과를 JSON으로 주세요", "네", "json"),
        ("Compare the two as a table", "ok", "table"),
        ("표로 정리해줘", "네", "table"),
        ("Give me a bulleted list of fruit", "ok", "list"),
        ("장점을 세 개 나열해줘", "네", "list"),
        ("Write a function that adds", "ok", "code"),
        ("Where is my order?", '{"status": "shipped"}', "json"),
        ("Where is my order?", "| a | b |\n| --- | --- |\n| 1 | 2 |", "table"),
        ("Where is my order?", "It is:\n- packed\n- shipped\n- here", "list"),
        ("Where is my order?", "```python\nprint(1)\nprint(2)\n```", "code"),
        ("Where is my order?", "It is [late], and {sad}.", "prose"),
        ("How do I parse a JSON file", "Use a library.", "prose"),
        ("A table for two", "Sure.", "prose"),
        ("", "", "prose"),
    ],
)
def test_row_28_the_form_asked_for_else_the_form_given(said, reply, form):
    told = OutputFormat().measure(chat(f"user: {said}", {"role": "assistant", "content": reply}).lazy()).collect()
    assert told["output_format"].to_list() == [form]
