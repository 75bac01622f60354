"""Each kind of event, by the names of the application and by our own."""

import datetime as dt

import pytest

from flywheel.errors import Unreadable
from flywheel.sources.feedback_events import FeedbackEvents

EVENT = {
    "event_id": "e1",
    "request_id": "r1",
    "session_id": "s1",
    "user_id": "u1",
    "created_at": "2026-03-02T05:00:00Z",
}
THEN = dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)


def read(**keys):
    line = EVENT | keys
    assert FeedbackEvents().recognises(line)
    (row,) = FeedbackEvents().read(line)
    return row


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "thumbs", "value": "up"}, {"kind": "thumb", "value": 1.0, "explicit": True}),
        ({"type": "thumbs", "value": "down"}, {"value": -1.0}),
        ({"type": "thumbs", "value": True}, {"value": 1.0}),
        ({"type": "thumbs", "value": False}, {"value": -1.0}),
        ({"kind": "thumb", "value": 1}, {"kind": "thumb", "value": 1.0}),
        ({"kind": "thumb", "value": -1.0, "comment": "bad"}, {"value": -1.0, "text": "bad"}),
        ({"type": "rating", "value": 2}, {"kind": "rating", "value": 2.0}),
        ({"type": "rating", "score": 0.25}, {"value": 0.25}),
        (
            {"type": "edit", "text": "better", "original_text": "worse"},
            {"kind": "edit", "correction": "better", "text": None, "metadata": '{"original_text":"worse"}'},
        ),
        ({"type": "correction", "text": "better"}, {"kind": "correction", "correction": "better"}),
        ({"type": "correction", "correction": "better", "text": "why"}, {"correction": "better", "text": "why"}),
        ({"type": "comment", "text": "solved it"}, {"kind": "comment", "text": "solved it", "value": None}),
        (
            {"type": "regenerate", "new_request_id": "r2"},
            {"kind": "regeneration", "explicit": False, "chosen_id": "r2", "target_id": "r1", "value": None},
        ),
        (
            {"type": "preference", "chosen_request_id": "r2", "rejected_request_id": "r1"},
            {"kind": "choice", "explicit": True, "chosen_id": "r2", "others": ["r1"], "target_id": "r1"},
        ),
        (
            {"kind": "choice", "request_id": None, "chosen_id": "r2", "others": ["r1", "r3"]},
            {"others": ["r1", "r3"], "target_id": "r2"},
        ),
        ({"kind": "ranking", "ranking": ["r2", "r1"]}, {"chosen_id": "r2", "others": ["r2", "r1"]}),
        (
            {"type": "abandon", "idle_s": 600},
            {"kind": "abandonment", "value": -1.0, "explicit": False, "metadata": '{"idle_s":600}'},
        ),
        ({"type": "copy"}, {"kind": "copy", "value": 1.0, "explicit": False, "metadata": None}),
        (
            {"type": "implicit", "signal": "thanks"},
            {"value": 1.0, "explicit": False, "metadata": '{"signal":"thanks"}'},
        ),
        ({"type": "implicit", "signal": "rephrase"}, {"value": -1.0}),
        ({"type": "implicit", "signal": "sighs"}, {"value": None, "metadata": '{"signal":"sighs"}'}),
        ({"type": "implicit", "signal": "sighs", "value": -0.5}, {"value": -0.5}),
    ],
)
def test_kinds(event, expected):
    row = read(**event)
    assert {k: row[k] for k in expected} == expected


def test_the_columns_every_event_has():
    row = read(type="copy", received_at="2026-03-09T05:00:00Z", choice_index=1)
    expected = {
        "native_id": "e1",
        "target_kind": "call",
        "target_id": "r1",
        "choice": 1,
        "conversation_id": "s1",
        "actor": "u1",
        "actor_kind": "end_user",
        "occurred_at": THEN,
        "received_at": THEN + dt.timedelta(days=7),
    }
    assert {k: row[k] for k in expected} == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"request_id": None}, ("conversation", "s1")),
        ({"target_kind": "session"}, ("conversation", "r1")),
        ({"target_kind": "turn", "request_id": None, "target_id": "r9"}, ("call", "r9")),
    ],
)
def test_target(event, expected):
    row = read(type="copy", **event)
    assert (row["target_kind"], row["target_id"]) == expected


def test_times_stand_in_for_each_other():
    assert read(type="copy")["received_at"] == THEN
    assert read(type="copy", created_at=None, received_at=1772427600)["occurred_at"] == THEN


def test_without_an_id_the_line_names_itself():
    assert read(type="copy", event_id=None)["native_id"].startswith("sha-")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "applause"}, "unknown_kind"),
        ({"type": 7}, "unknown_kind"),
        ({"type": "thumbs"}, "bad_value"),
        ({"type": "thumbs", "value": "sideways"}, "bad_value"),
        ({"type": "thumbs", "value": 5}, "bad_value"),
        ({"type": "thumbs", "value": ["up"]}, "bad_value"),
        ({"type": "rating", "value": "five"}, "bad_value"),
        ({"type": "rating", "value": True}, "bad_value"),
        ({"type": "rating"}, "bad_value"),
        ({"type": "edit", "text": ""}, "no_text"),
        ({"type": "comment"}, "no_text"),
        ({"type": "preference", "chosen_request_id": "r1"}, "bad_choice"),
        ({"type": "preference", "chosen_request_id": "r1", "rejected_request_id": "r1"}, "bad_choice"),
        ({"type": "ranking", "ranking": ["r1"]}, "bad_ranking"),
        ({"type": "ranking", "ranking": ["r1", 2]}, "bad_ranking"),
        ({"type": "copy", "request_id": None, "session_id": None}, "no_target"),
        ({"type": "copy", "target_kind": "planet"}, "bad_target_kind"),
        ({"type": "copy", "actor_kind": "cat"}, "bad_actor_kind"),
        ({"type": "copy", "created_at": None}, "no_timestamp"),
        ({"type": "copy", "created_at": "soon"}, "bad_timestamp"),
    ],
)
def test_unreadable(event, reason):
    with pytest.raises(Unreadable) as caught:
        read(**event)
    assert caught.value.reason == reason


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(Unreadable, match='Did you mean "thumbs"'):
        read(type="thumps")


@pytest.mark.parametrize("line", [{}, {"request": {}, "type": "x"}, {"custom_id": "a", "type": "x"}, {"event_id": "e"}])
def test_other_formats_are_not_recognised(line):
    assert not FeedbackEvents().recognises(line)
