"""Together lines: weights, pairs of one message each, known keys only."""

import orjson
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.together import Together
from tests.trainers import CORPUS, COT, PAIR, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Together().render(
        example("developer: Be brief.", "user: q", completion={"role": "assistant", "refusal": "No."})
    ) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "No.", "weight": 1},
        ]
    }
    assert Together().render(PAIR) == {
        "input": {"messages": [{"role": "user", "content": "Where is 7?"}]},
        "preferred_output": [{"role": "assistant", "content": "Shipped."}],
        "non_preferred_output": [{"role": "assistant", "content": "No idea."}],
    }
    assert [m.get("weight") for m in Together().render(TURNS)["messages"]] == [None, 0, None, 1]
    assert Together().render(CORPUS) == {"text": "Once upon a time."}


PICTURES = orjson.dumps([{"type": "image_url", "image_url": {"url": "https://x/7.png"}}] * 11).decode()
REFUSED = [
    (example({"role": "user", "parts": PICTURES}), "too_many_images"),
    (
        example("user: q", kind="preference", completion=TOOL_USE["completion"], rejected="assistant: n"),
        "reply_is_several_messages",
    ),
]
LOST = (COT, ["reasoning"])
SOUND = [PLAIN, TOOL_USE, TURNS]
FAULTS = [
    (PLAIN, [(("messages", 2), ...)], "not the assistant's"),
    (PLAIN, [(("messages", 2, "weight"), 0)], "nothing to learn"),
    (PLAIN, [(("messages", 2, "weight"), 2)], "weight"),
    (PLAIN, [(("messages", 1, "weight"), 1)], "has a weight"),
    (PLAIN, [(("messages", 1, "name"), 1)], "name"),
    (PLAIN, [(("prompt",), "x")], "prompt"),
    (TOOL_USE, [(("messages", 2, "tool_call_id"), "call_9")], "answers no call"),
    (TOOL_USE, [(("messages", 1, "tool_calls", 0, "function", "arguments"), "[]")], "no JSON object"),
    (PAIR, [(("preferred_output",), [])], "exactly one"),
    (PAIR, [(("preferred_output", 0, "content"), "No idea.")], "the same"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Together().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Together().losses(given) == lost
    assert Together().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Together().render(given) for given in SOUND]
    assert all(Together().fault(line) is None for line in lines)
    assert Together().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Together().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Together().render(given)
    wrong = changed(good, *steps)
    assert Together().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Together().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Together().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
