"""Before and after, over a small home."""

import pytest

from flywheel.audit.changes import changes, differing
from flywheel.storage.catalog import Catalog
from tests.homes import Ran, call, drop, small_home

RECIPE = """
name = "small"
[[edit]]
use = "redact_email"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home = small_home(tmp_path_factory.mktemp("changes") / "home", RECIPE)
    asked = {
        "model": "m",
        "messages": [{"role": "user", "content": "Write to ann@example.com about amber and basins."}],
    }
    drop(home, "logs/mail.jsonl", call(30, request=asked))
    better = {
        "type": "edit",
        "value": None,
        "edited": "A better answer altogether.",
        "correction": "A better answer altogether.",
    }
    drop(
        home,
        "feedback/edit.jsonl",
        {
            "event_id": "e1",
            "request_id": "req_3",
            "user_id": "u3",
            "created_at": "2026-03-02T13:00:00Z",
            "received_at": "2026-03-02T13:00:00Z",
        }
        | better,
    )
    assert Ran(home).success
    return home


def of(home, *ids):
    with Catalog.open(home) as catalog:
        return changes(catalog, [f"openai_chat:{i}" for i in ids])


def test_row_117_what_was_edited_is_told_before_and_after(built):
    (change,) = of(built, "req_30")
    assert (change["message"], change["field"], change["by"]) == (0, "content", ["redact_email"])
    assert "ann@example.com" in change["before"]
    assert "[EMAIL_" in change["after"]
    assert "ann@example.com" not in change["after"]


def test_a_correction_stands_in_place_of_the_reply(built):
    (change,) = of(built, "req_3")
    assert (change["by"], change["after"]) == (["edit"], "A better answer altogether.")
    assert change["before"].startswith("Answer: ")


def test_what_nobody_changed_is_not_there(built):
    assert of(built, "req_1") == []
    assert of(built) == []
    assert of(built, "no_such_row") == []


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("abc", "abd", ("abc", "abd")),
        ("x" * 50 + "a" + "y" * 50, "x" * 50 + "b" + "y" * 50, ("…xxayy…", "…xxbyy…")),
        ("aa", "aaa", ("aa", "aaa")),
        (None, "new", ("", "new")),
        ("gone", None, ("gone", "")),
    ],
)
def test_only_what_differs_is_shown(before, after, shown):
    assert differing(before, after, around=2) == shown
