"""TRL lines: what is written, and what the reader refuses."""

import importlib.util

import orjson
import pytest
import yaml

from flywheel.errors import ExportInvalid, Unreadable
from flywheel.exports import trl
from flywheel.exports.llama_factory import LlamaFactory
from flywheel.exports.trl import Trl
from flywheel.formats.training_lines import Representatives
from flywheel.records import message

CALL = '[{"id":"call_1","type":"function","function":{"name":"get_order","arguments":"{ \\"id\\":7}"}}]'
TOOLS = '[{"type":"function","function":{"name":"get_order","parameters":{"type":"object","properties":{"id":{"type":"integer"}}}}}]'


def example(*prompt, completion=None, rejected=None, kind="sft", tools=None, **columns):
    def told(m):
        role, _, text = m.partition(": ") if isinstance(m, str) else ("", "", "")
        return message({"role": role, "content": text} if isinstance(m, str) else m)

    given = {
        "id": "x",
        "kind": kind,
        "prompt": [told(m) for m in prompt],
        "completion": [told(completion or "assistant: ok")],
    }
    given |= {
        "rejected": [told(rejected)] if rejected else None,
        "tools": tools,
        "label": None,
        "score": None,
        "split": "train",
    }
    return given | columns


def calling(arguments):
    call = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    return {"role": "assistant", "tool_calls": orjson.dumps(call).decode()}


EVERY_ROLE = example(
    "system: Be brief.",
    "user: Where is 7?",
    {"role": "assistant", "tool_calls": CALL},
    {"role": "tool", "tool_call_id": "call_1", "content": "shipped"},
    {"role": "assistant", "refusal": "I may not say."},
    "user: Please.",
    completion={"role": "assistant", "content": "It shipped.", "reasoning": "7 is there"},
    tools=TOOLS,
)


def test_row_2_every_role_and_the_exact_line():
    assert Trl().render(EVERY_ROLE) == {
        "prompt": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is 7?"},
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "get_order", "arguments": {"id": 7}}, "id": "call_1"}]},
            {"role": "tool", "content": "shipped", "name": "get_order", "tool_call_id": "call_1"},
            {"role": "assistant", "content": "I may not say."},
            {"role": "user", "content": "Please."},
        ],
        "completion": [{"role": "assistant", "content": "It shipped.", "thinking": "7 is there"}],
        "tools": orjson.loads(TOOLS),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (
            example("user: q", kind="kto", label=False),
            {"completion": [{"role": "assistant", "content": "ok"}], "label": False},
        ),
        (
            example("user: q", kind="reward", score=-0.5),
            {"completion": [{"role": "assistant", "content": "ok"}], "score": -0.5},
        ),
        (
            example("user: q", kind="preference", rejected="assistant: no"),
            {"chosen": [{"role": "assistant", "content": "ok"}], "rejected": [{"role": "assistant", "content": "no"}]},
        ),
    ],
)
def test_each_kind_of_set(given, more):
    assert Trl().render(given) == {"prompt": [{"role": "user", "content": "q"}], **more}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (example("user: q", completion=calling('{"id":')), "arguments_are_no_json"),
        (example("user: q", completion=calling("[7]")), "arguments_are_no_object"),
        (
            example(
                "user: q",
                completion={
                    "role": "assistant",
                    "tool_calls": '[{"id":"c","type":"custom","custom":{"name":"f","input":"x"}}]',
                },
            ),
            "tool_call_is_no_function",
        ),
        (
            example({"role": "user", "content": "x", "parts": '[{"type":"image_url","image_url":{"url":"u"}}]'}),
            "content_is_not_text",
        ),
        (example("user: q", completion={"role": "assistant"}), "empty_assistant_message"),
        (example("user: q", {"role": "tool", "tool_call_id": "unknown", "content": "r"}), "tool_reply_without_name"),
        (example("user: q", tools='{"a":1}'), "tools_are_no_list"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(given, reason):
    with pytest.raises(Unreadable) as refused:
        Trl().render(given)
    assert refused.value.reason == reason


def test_arguments_that_are_not_given_are_an_empty_object():
    assert (
        Trl().render(example("user: q", completion=calling("")))["completion"][0]["tool_calls"][0]["function"][
            "arguments"
        ]
        == {}
    )


def test_losses_are_named():
    assert Trl().losses(EVERY_ROLE) == ["refusal as such"]
    assert Trl().losses(example({"role": "user", "content": "q", "name": "ann", "extra": "{}"})) == ["extra", "name"]


def written(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines))
    return path


@pytest.fixture(params=["pydantic", "datasets"])
def reader(request, monkeypatch):
    """Both readers: the one that is always there, and the one that is used where it is installed."""
    if request.param == "datasets" and not importlib.util.find_spec("datasets"):
        pytest.skip("datasets is not installed")
    monkeypatch.setattr(Trl, "reader", staticmethod(lambda: request.param))


@pytest.mark.usefixtures("reader")
def test_good_files_are_read_back(tmp_path):
    pair = example("user: q", kind="preference", rejected="assistant: no")
    assert (
        Trl().validate_file(written(tmp_path / "a.jsonl", Trl().render(EVERY_ROLE), Trl().render(example("user: q"))))
        == 2
    )
    assert Trl().validate_file(written(tmp_path / "b.jsonl", Trl().render(pair))) == 1
    assert Trl().validate_file(written(tmp_path / "c.jsonl")) == 0


@pytest.mark.usefixtures("reader")
def test_arguments_of_different_calls_are_not_merged(tmp_path):
    lines = [
        Trl().render(example("user: q", completion=calling(a)))
        for a in ('{"q":"Paris"}', '{"n":1,"deep":{"x":[1]}}', '{"q":null}', "{}")
    ]
    assert Trl().validate_file(written(tmp_path / "a.jsonl", *lines)) == 4


USER, REPLY, NO = (
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "a"},
    {"role": "assistant", "content": "b"},
)
GOOD = {"prompt": [USER], "completion": [REPLY]}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{\n", "line 1"),
        ({}, "field required"),
        ({**GOOD, "note": 1}, "extra inputs are not permitted"),
        ({**GOOD, "prompt": []}, "the prompt is empty"),
        ({**GOOD, "completion": []}, "completion does not end with the assistant"),
        ({**GOOD, "completion": [USER]}, "completion does not end with the assistant"),
        ({**GOOD, "completion": [{"role": "assistant", "content": ""}]}, "completion is empty"),
        ({**GOOD, "completion": [{"role": "assistant", "content": None}]}, "valid string"),
        ({**GOOD, "label": "yes"}, "line 1"),
        ({**GOOD, "label": 1}, "line 1"),
        ({**GOOD, "score": "high"}, "line 1"),
        ({**GOOD, "completion": [{**REPLY, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]}]}, "line 1"),
        ({**GOOD, "prompt": [USER, {"role": "tool", "content": "r"}]}, "a tool message has no name"),
        ({**GOOD, "prompt": [{"role": "robot", "content": "q"}]}, "line 1"),
        ({**GOOD, "tools": "[]"}, "line 1"),
        ({"prompt": [USER], "chosen": [REPLY], "rejected": [REPLY]}, "chosen and rejected are the same"),
        ({"prompt": [USER], "chosen": [REPLY], "rejected": []}, "rejected does not end with the assistant"),
    ],
)  # fmt: skip
def test_planted_faults_are_found(tmp_path, line, fault):
    with pytest.raises(ExportInvalid, match=r"bad\.jsonl, line 1: ") as found:
        Trl().validate_file(written(tmp_path / "bad.jsonl", line))
    assert fault in str(found.value)


def test_lines_of_two_kinds_are_refused(tmp_path):
    with pytest.raises(ExportInvalid, match="mixes lines"):
        Trl().validate_file(
            written(tmp_path / "a.jsonl", GOOD, {"prompt": [USER], "chosen": [REPLY], "rejected": [NO]})
        )


def test_what_datasets_makes_of_a_row_is_compared():
    pytest.importorskip("datasets")
    standing = Representatives()
    standing.look(1, orjson.dumps(GOOD) + b"\n", {**GOOD, "completion": [NO]})
    with pytest.raises(ExportInvalid, match="line 1: datasets reads another row than was written"):
        trl._compare("a.jsonl", standing)


def test_what_datasets_would_merge_is_found_however_late_it_comes(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("flywheel.formats.training_lines.ALL_OF", 2)
    other = {**GOOD, "completion": [{**REPLY, "thinking": "2026-03-02"}]}
    read = []
    monkeypatch.setattr(trl, "_compare", lambda name, standing: read.append([n for n, *_ in standing.rows]))
    assert Trl().validate_file(written(tmp_path / "a.jsonl", *[GOOD] * 5, other, GOOD, other)) == 8
    assert read == [[1, 2, 6]]


BALANCE = {"labels": {"desired": 90, "undesired": 10, "desirable_weight": 1.0, "undesirable_weight": 9.0}}


def test_row_6_the_weights_of_a_kto_set_reach_the_configuration():
    told = yaml.safe_load(Trl().settings("kto", BALANCE)["kto.yaml"])
    assert told == {"desirable_weight": 1.0, "undesirable_weight": 9.0}
    told = yaml.safe_load(LlamaFactory().settings("kto", BALANCE)["kto.yaml"])
    assert told == {"kto_chosen_weight": 1.0, "kto_rejected_weight": 9.0}
    assert Trl().settings("sft", BALANCE) == {}
    assert Trl().settings("kto", {"labels": {"desired": 9, "undesired": 0}}) == {}


def test_row_5_pairs_of_ratings_carry_their_margin():
    given = example("user: q", kind="reward_pairs", rejected="assistant: no", score=1.5)
    assert Trl().render(given)["margin"] == 1.5
