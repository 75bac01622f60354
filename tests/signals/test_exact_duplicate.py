from flywheel.signals.exact_duplicate import ExactDuplicate
from tests.build import chat, rows


def test_only_the_very_same_conversation_is_in_the_group():
    same = ("system: be kind", "user: hi", "assistant: hello")
    given = rows(
        chat(*same, id="s:2"),
        chat(*same, id="s:1"),
        chat("system: be brief", *same[1:], id="s:3"),
        chat(*same[:2], "assistant: Hello", id="s:4"),
        chat(*same, id="s:5", tools='[{"type":"function","function":{"name":"f"}}]'),
    )
    signal = ExactDuplicate()
    found = dict(signal.relate(signal.sketch(given.lazy())).collect().rows())
    assert found == {"s:2": "s:1", "s:1": "s:1", "s:3": "s:3", "s:4": "s:4", "s:5": "s:5"}
