"""`flywheel trace`, run as a user runs it."""

import json

import pytest

from flywheel.__main__ import run
from tests.homes import Ran, call, drop, small_home, thumb

HOSTILE = "\x1b[31m[bold]| # <script>alert(1)</script>"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home = small_home(tmp_path_factory.mktemp("trace") / "home")
    drop(home, "logs/hostile.jsonl", call(30, id=HOSTILE, app=HOSTILE, user_id=HOSTILE))
    assert Ran(home).success
    return home


def test_row_117_from_a_log_line_to_all_it_became_and_back(built, capsys, tmp_path):
    out = tmp_path / "rows.jsonl"
    at = ["--home", str(built.path)]
    assert run(["trace", "--line", "logs/first.jsonl:5", "--json", "--out", str(out), *at]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["id"] for c in found["calls"]] == ["openai_chat:req_4"]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {r["what"] for r in rows} == {"line", "call", "event", "example"}
    (example, *_) = [r for r in rows if r["what"] == "example" and r["set"] == "answers"]
    text = (built.exports / "answers" / example["version"] / example["file"]).read_text().splitlines()
    assert "Answer: " in text[example["line"] - 1]
    assert run(["why", example["example"], "--json", *at]) == 0
    story = json.loads(capsys.readouterr().out)
    (log, *_) = [s for s in story["sources"] if s["kind"] == "log"]
    assert (log["name"], log["line"], log["intact"]) == ("logs/first.jsonl", 5, True)


def test_it_is_told_in_text_that_nothing_in_a_log_can_mark_up(built, capsys):
    at = ["--home", str(built.path)]
    assert run(["trace", "--user", HOSTILE, *at]) == 0
    text = capsys.readouterr().out
    assert "1 log lines of logs/hostile.jsonl" in text
    assert run(["trace", "--app", HOSTILE, *at]) == 0
    text += capsys.readouterr().out
    assert "\\x1b[31m[bold]" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("given", [[], ["--user", "a", "--model", "b"]])
def test_one_thing_is_traced_at_a_time(given, built, capsys):
    assert run(["trace", *given, "--home", str(built.path)]) == 2
    assert f"{len(given) // 2} things are named; name one to trace: --user, --file" in capsys.readouterr().err


def test_what_is_unknown_ends_with_1(built, capsys):
    assert run(["trace", "--user", "nobody", "--home", str(built.path)]) == 1
    assert 'nothing is known of the user "nobody"' in capsys.readouterr().err


def test_row_117_a_guideline_leads_to_what_was_labelled_by_it(tmp_path, capsys):
    home = small_home(tmp_path / "home")
    by = {1: {"guideline": "tone", "guideline_version": 2}, 3: {"guideline": "tone@1"}, 5: {"guideline": "tones"}}
    events = [thumb(n, up=True) | {"actor_kind": "expert"} | told for n, told in by.items()]
    drop(home, "feedback/experts.jsonl", *events, {**events[0], "event_id": "lost", "request_id": "nobody"})
    assert Ran(home).success

    def found(wanted):
        assert run(["trace", "--guideline", wanted, "--json", "--home", str(home.path)]) == 0
        return json.loads(capsys.readouterr().out)

    both, second = found("tone"), found("tone@2")
    assert {c["id"] for c in both["calls"]} == {"openai_chat:req_1", "openai_chat:req_3"}
    assert {c["id"] for c in second["calls"]} == {"openai_chat:req_1"}
    assert {e["feedback_id"] for e in second["events"] if e["own"]} == {"feedback_events:fb_1", "feedback_events:lost"}
    assert {x["name"] for x in second["lines"]} == {"feedback/experts.jsonl"}
    assert {(e["set"], e["example"]) for e in second["examples"]} == {
        (name, "openai_chat:req_1") for name in ("answers", "verdicts")
    }
    assert all(e["line"] for e in second["examples"])
    assert run(["trace", "--guideline", "ton", "--home", str(home.path)]) == 1
    assert 'nothing is known of the guideline "ton"' in capsys.readouterr().err
