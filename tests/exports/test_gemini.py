"""Gemini lines: contents, calls as objects, pairs with scores."""

import orjson
import pytest

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports.gemini import Gemini
from tests.trainers import PAIR, PLAIN, TOOL_USE, TOOLS, TURNS, changed, example, written


def test_row_163_the_exact_lines():
    assert Gemini().render(PLAIN) == {
        "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Where is 7?"}]},
            {"role": "model", "parts": [{"text": "Shipped."}]},
        ],
    }
    line = Gemini().render(TOOL_USE)
    assert line["contents"][1:3] == [
        {"role": "model", "parts": [{"functionCall": {"name": "get_order", "args": {"id": 7}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "get_order", "response": {"state": "shipped"}}}]},
    ]
    assert line["tools"][0]["functionDeclarations"][0]["name"] == "get_order"
    assert Gemini().render(PAIR)["completions"] == [
        {"score": 1, "completion": {"role": "model", "parts": [{"text": "Shipped."}]}},
        {"score": 0, "completion": {"role": "model", "parts": [{"text": "No idea."}]}},
    ]


def test_pictures_in_cloud_storage_are_kept():
    shown = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "gs://b/7.PNG"}}]
    line = Gemini().render(example({"role": "user", "parts": orjson.dumps(shown).decode()}))
    assert line["contents"][0]["parts"] == [
        {"text": "What?"},
        {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/7.PNG"}},
    ]


REFUSED = [
    (
        example({"role": "user", "parts": '[{"type":"image_url","image_url":{"url":"https://x/7.png"}}]'}),
        "content_is_not_in_cloud_storage",
    ),
    (example("user: q", kind="preference", rejected="assistant: n", tools=TOOLS), "tools_in_preference"),
    (example("user: q", {"role": "tool", "content": "x", "tool_call_id": "c"}), "tool_reply_without_name"),
]
LOST = (TURNS, ["weight of earlier replies"])
SOUND = [PLAIN, TOOL_USE, TURNS]
FAULTS = [
    (PLAIN, [(("contents", 1, "role"), "assistant")], "contents.1.role"),
    (PLAIN, [(("contents", 1), ...)], "not the model's"),
    (PLAIN, [(("contents", 0, "role"), "model")], "must alternate"),
    (PLAIN, [(("contents", 0, "parts"), [])], "no parts"),
    (PLAIN, [(("contents", 0, "parts", 0), {})], "0 kinds of data"),
    (TOOL_USE, [(("contents", 1, "parts", 0, "functionCall", "args"), "{}")], "args"),
    (TOOL_USE, [(("contents", 2, "parts", 0, "functionResponse", "name"), "other")], "answers no call"),
    (PAIR, [(("completions", 1, "score"), 1)], "scores"),
    (PAIR, [(("completions", 1, "score"), 0.5)], "score"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Gemini().render(given)
    assert refused.value.reason == reason


def test_losses_are_named():
    given, lost = LOST
    assert Gemini().losses(given) == lost
    assert Gemini().losses(example("user: q")) == []


def test_row_163_sound_files_are_read_back(tmp_path):
    lines = [Gemini().render(given) for given in SOUND]
    assert all(Gemini().fault(line) is None for line in lines)
    assert Gemini().validate_file(written(tmp_path / "a.jsonl", *lines)) == len(SOUND)
    assert Gemini().validate_file(written(tmp_path / "b.jsonl")) == 0


@pytest.mark.parametrize(("given", "steps", "says"), FAULTS)
def test_row_163_planted_faults_are_found(tmp_path, given, steps, says):
    good = Gemini().render(given)
    wrong = changed(good, *steps)
    assert Gemini().fault(wrong)
    with pytest.raises(ExportInvalid, match=f"line 2: .*{says}"):
        Gemini().validate_file(written(tmp_path / "a.jsonl", good, wrong))


def test_what_is_no_json_is_found(tmp_path):
    with pytest.raises(ExportInvalid, match="line 1: it is no JSON"):
        Gemini().validate_file(written(tmp_path / "a.jsonl", b"{\n"))
