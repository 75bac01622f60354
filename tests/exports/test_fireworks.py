"""Fireworks lines: the system first and only there; enough and not too many rows."""

import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.fireworks import Fireworks
from tests.trainers import COT, PAIR, PLAIN, TOOL_USE, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Fireworks().render(PLAIN) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is 7?"},
            {"role": "assistant", "content": "Shipped.", "weight": 1},
        ]
    }
    assert Fireworks().render(PAIR)["preferred_output"] == [{"role": "assistant", "content": "Shipped."}]


REFUSED = [(example("user: a", "system: b", "user: c"), "instructions_not_first")]
LOST = (COT, ["reasoning"])
SOUND = [PLAIN, TOOL_USE, TURNS]
FAULTS = [
    (
        PLAIN,
        [(("messages", 0, "role"), "user"), (("messages", 1, "role"), "system")],
        "system message is not the first",
    ),
    (PLAIN, [(("messages", 2, "weight"), 0)], "nothing to learn"),
    (PLAIN, [(("messages", 1, "role"), "human")], "role"),
    (PAIR, [(("non_preferred_output", 0, "role"), "user")], "exactly one"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Fireworks().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Fireworks().losses(given) == lost
    assert Fireworks().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Fireworks().render(given) for given in SOUND]
    assert all(Fireworks().fault(line) is None for line in lines)
    assert Fireworks().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Fireworks().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Fireworks().render(given)
    wrong = changed(good, *steps)
    assert Fireworks().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Fireworks().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Fireworks().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
