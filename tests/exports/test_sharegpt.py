"""ShareGPT lines: what is written, refused, and read back."""

import orjson
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.sharegpt import ShareGpt
from tests.trainers import CALL, COT, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert ShareGpt().render(PLAIN) == {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Where is 7?"},
            {"from": "gpt", "value": "Shipped."},
        ]
    }
    line = ShareGpt().render(TOOL_USE)
    assert [t["from"] for t in line["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert orjson.loads(line["conversations"][1]["value"]) == {"name": "get_order", "arguments": {"id": 7}}
    assert orjson.loads(line["tools"])[0]["name"] == "get_order"
    assert ShareGpt().render(COT)["conversations"][1]["value"] == "<think>\n3+4=7\n</think>\n\n7"


REFUSED = [
    (example("user: a", "user: b"), "turns_do_not_alternate"),
    (example("user: a", "assistant: b", "system: c", "user: d"), "instructions_not_first"),
    (
        example("user: a", completion={"role": "assistant", "content": "hm", "tool_calls": CALL}),
        "text_beside_tool_call",
    ),
    (
        example({"role": "user", "content": "a", "parts": '[{"type":"image_url","image_url":{"url":"x"}}]'}),
        "content_is_not_text",
    ),
]
LOST = (TURNS, ["weight of earlier replies"])
SOUND = [PLAIN, TOOL_USE, COT, TURNS]
FAULTS = [
    (PLAIN, [(("conversations", 1, "from"), "gpt")], "turn 1 is from gpt"),
    (PLAIN, [(("conversations", 2), ...)], "1 turns; expected an even"),
    (PLAIN, [(("conversations", 1, "from"), "user")], "conversations.1.from"),
    (PLAIN, [(("conversations", 1, "value"), 3)], "conversations.1.value"),
    (PLAIN, [(("extra",), 1)], "extra"),
    (TOOL_USE, [(("conversations", 1, "value"), "get_order")], "is no JSON"),
    (TOOL_USE, [(("tools",), "{}")], "no JSON list"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        ShareGpt().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert ShareGpt().losses(given) == lost
    assert ShareGpt().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [ShareGpt().render(given) for given in SOUND]
    assert all(ShareGpt().fault(line) is None for line in lines)
    assert ShareGpt().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert ShareGpt().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = ShareGpt().render(given)
    wrong = changed(good, *steps)
    assert ShareGpt().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        ShareGpt().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        ShareGpt().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
