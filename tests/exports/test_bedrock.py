"""Bedrock lines: strictly alternating text."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.bedrock import Bedrock
from tests.trainers import PLAIN, TOOL_USE, TOOLS, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Bedrock().render(PLAIN) == {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "Where is 7?"}]},
            {"role": "assistant", "content": [{"text": "Shipped."}]},
        ],
    }


REFUSED = [(TOOL_USE, "tool_calls"), (example("user: a", "system: b", "user: c"), "instructions_not_first")]
LOST = (example("user: q", tools=TOOLS), ["tools"])
SOUND = [PLAIN, TURNS]
FAULTS = [
    (PLAIN, [(("schemaVersion",), "2024")], "schemaVersion"),
    (PLAIN, [(("messages", 1, "content"), "Shipped.")], "content"),
    (PLAIN, [(("messages", 1), ...)], "expected pairs"),
    (PLAIN, [(("messages", 1, "role"), "user")], "must alternate"),
    (PLAIN, [(("messages", 0, "content", 0, "text"), " ")], "says nothing"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Bedrock().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Bedrock().losses(given) == lost
    assert Bedrock().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Bedrock().render(given) for given in SOUND]
    assert all(Bedrock().fault(line) is None for line in lines)
    assert Bedrock().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Bedrock().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Bedrock().render(given)
    wrong = changed(good, *steps)
    assert Bedrock().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Bedrock().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Bedrock().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
