"""Whom a request means, line by line, without building anything."""

import json

import pytest

from flywheel.erasure.subject import Request, bears, find
from flywheel.errors import UnknownRow
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.stages.ingest import read_files
from tests.homes import call, thumb

ASKED = "Where did the violet lantern go after the market closed?"


def line(n, user, text=None, **more):
    told = call(n, user_id=user, **more)
    if text:
        told["request"]["messages"][0]["content"] = text
    return told


@pytest.fixture
def home(tmp_path):
    return Home.create(tmp_path / "home", 'name = "x"\n')


def meant(home, kind, value, *files):
    """Line numbers meant of each file, and the subject."""
    for n, told in enumerate(files):
        path = home.path / f"f{n}.jsonl"
        path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in told))
        home.raw.keep(path)
        path.unlink()
    read = home.store.publish(read_files(home.raw, home.secret))
    subject = find(Request(kind, value), read, home.raw.files(), home.recipe(), home.secret)
    arrival = {f.digest: f.arrival for f in home.raw.files()}
    found = sorted((arrival[file] - 1, number) for file, number in subject.lines.select("file", "line").iter_rows())
    return found, subject


def test_what_they_said_and_what_was_said_of_it(home):
    calls = [line(1, "subject-7"), line(2, "other"), line(3, "subject-7")]
    events = [
        thumb(2, True),
        thumb(2, False) | {"event_id": "theirs", "user_id": "subject-7"},
        thumb(1, True) | {"event_id": "of-theirs", "user_id": "expert"},
        {"event_id": "rank", "type": "ranking", "ranking": ["req_2", "req_3"], "user_id": "expert"}
        | {k: thumb(2, True)[k] for k in ("created_at", "received_at")},
    ]
    found, subject = meant(home, "user", "subject-7", calls, events)
    assert found == [(0, 1), (0, 3), (1, 2), (1, 3), (1, 4)]
    assert subject.counts["user"] == 3
    assert pseudonym("subject-7", home.secret) in subject.names["user"]


def test_the_same_by_the_pseudonym(home):
    found, _ = meant(home, "user", pseudonym("subject-7", home.secret), [line(1, "subject-7"), line(2, "other")])
    assert found == [(0, 1)]


def test_other_calls_of_their_conversation_that_repeat_their_words(home):
    mine = line(1, "subject-7", ASKED, session_id="shared")
    repeats = line(2, "other", session_id="shared")
    repeats["request"]["messages"].insert(0, {"role": "user", "content": ASKED})
    silent = line(3, "other", session_id="shared")
    nobodys = line(4, None, session_id="shared")
    elsewhere = line(5, "other", ASKED)
    found, subject = meant(home, "user", "subject-7", [mine, repeats, silent, nobodys, elsewhere])
    assert found == [(0, 1), (0, 2), (0, 4)]
    assert subject.shared == 1  # the words of line 5 are another's, too
    assert not any("lantern" in text for text in subject.needles.texts)


def test_lines_that_name_them_elsewhere_and_broken_ones(home):
    calls = [
        line(1, "subject-7"),
        line(2, "other", metadata={"reviewed_by": "subject-7"}),
        line(3, "other", "A text that says subject-7 by chance, which is no name"),
        '{"user_id": "subject-7", "request": {',
        "not json, and not theirs",
    ]
    found, subject = meant(home, "user", "subject-7", calls)
    assert found == [(0, 1), (0, 2), (0, 4)]
    assert subject.counts == {"mention": 1, "user": 2}


def test_a_user_of_whom_nothing_is_there_is_known_by_name_only(home):
    found, subject = meant(home, "user", "subject-7", [line(1, "other")])
    assert (found, subject.nothing, subject.counts) == ([], True, {})
    assert subject.names == {"user": {pseudonym("subject-7", home.secret)}, "call": frozenset(), "line": frozenset()}


def test_a_user_whom_others_name_only_goes_with_these_lines(home):
    found, subject = meant(home, "user", "subject-7", [line(1, "other", metadata={"for": "subject-7"}), line(2, "a")])
    assert (found, subject.nothing, subject.counts) == ([(0, 1)], False, {"mention": 1})


def test_a_name_inside_a_longer_text_is_not_a_mention(home):
    assert meant(home, "user", "subject-7", [line(1, "other", metadata={"for": "of subject-7, they say"})])[1].nothing


def test_both_halves_of_a_batch_call(home):
    def half(custom_id, **more):
        return {"custom_id": custom_id} | more

    body = {"model": "m", "messages": [{"role": "user", "content": ASKED}], "user": "subject-7"}
    reply = {"role": "assistant", "content": "To the tower by the river."}
    answer = {"id": "chatcmpl-9", "object": "chat.completion", "created": 1772445600, "model": "m"}
    answer["choices"] = [{"index": 0, "finish_reason": "stop", "message": reply}]
    requests = [half(c, method="POST", url="/v1/chat/completions", body=body) for c in ("task-one",)]
    responses = [half(c, id="r", response={"status_code": 200, "body": answer}, error=None) for c in ("task-one",)]
    found, _ = meant(home, "user", "subject-7", requests, responses)
    assert found == [(0, 1), (1, 1)]


def test_a_conversation_a_call_a_file_and_a_format(home):
    calls = [line(1, "a", session_id="long-talk"), line(2, "a", session_id="long-talk"), line(3, "a")]
    assert meant(home, "conversation", "long-talk", calls)[0] == [(0, 1), (0, 2)]
    assert meant(home, "conversation", "req_3")[0] == [(0, 3)]
    assert meant(home, "conversation", "openai_chat:req_2")[0] == [(0, 2)]
    assert meant(home, "source", "f0.jsonl")[0] == [(0, 1), (0, 2), (0, 3)]
    assert meant(home, "source", home.raw.files()[0].digest[:12])[0] == [(0, 1), (0, 2), (0, 3)]
    assert meant(home, "source", "openai_chat")[0] == [(0, 1), (0, 2), (0, 3)]
    for kind in ("conversation", "source"):
        with pytest.raises(UnknownRow, match=f"nothing of that {kind}"):
            meant(home, kind, "nobody")


def test_a_file_is_meant_by_its_whole_name_or_by_a_last_part_that_only_one_has(home, tmp_path):
    for n, name in enumerate(["a.jsonl", "logs/a.jsonl", "logs/b.jsonl", "old/b.jsonl", "logs/c.jsonl"]):
        path = tmp_path / "f.jsonl"
        path.write_text(json.dumps(line(n, "a")) + "\n")
        home.raw.keep(path, name)
    assert meant(home, "source", "a.jsonl")[0] == [(0, 1)]
    assert meant(home, "source", "logs/a.jsonl")[0] == [(1, 1)]
    assert meant(home, "source", "c.jsonl")[0] == [(4, 1)]
    with pytest.raises(UnknownRow, match=r"2 raw files are called.*logs/b.jsonl, old/b.jsonl"):
        meant(home, "source", "b.jsonl")


def test_a_short_name_is_not_looked_for_in_texts(home):
    found, subject = meant(home, "user", "7", [line(1, "7"), line(2, "other", metadata={"level": "7"})])
    assert found == [(0, 1)]
    assert "7" not in subject.needles.quoted
    assert subject.untold >= 1


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("subject-7.jsonl", True),
        ("export_of_subject-7_2026.jsonl", True),
        ("subject-77.jsonl", False),
        ("logs/subject-7/a.jsonl", True),
        ("subject-77/a.jsonl", False),
        ("a.jsonl", False),
    ],
)
def test_a_file_named_after_somebody(file, named):
    assert bears(file, "subject-7") is named
    assert not bears("7.jsonl", "7")


@pytest.mark.parametrize("file", ["logs/team/mary/a.jsonl", "logs/team_mary.jsonl"])
def test_an_id_with_a_slash_may_be_two_folders(file):
    assert bears(file, "team/mary")
    assert not bears(file, "team/mar")
