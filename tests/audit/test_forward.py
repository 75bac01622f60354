"""Lineage forward, over the small home of test_catalog and over one that was built."""

import polars as pl
import pytest

from flywheel.audit.forward import BY, forward, reached
from flywheel.errors import UnknownRow
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.records import SET_ASIDE
from flywheel.storage.catalog import Catalog
from tests.build import chat, rows
from tests.homes import Ran, call, drop, small_home
from tests.storage.test_catalog import NOON, home, publish, set_home

__all__ = ["home"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Built twice, so that there are two releases: with a line logged twice, a second call of one user, a later day."""
    home = small_home(tmp_path_factory.mktemp("forward") / "home")
    drop(home, "logs/again.jsonl", call(3), call(30, user_id="u3"))
    assert Ran(home).success
    drop(home, "logs/later.jsonl", *[call(n) for n in range(36, 48)])
    assert Ran(home).success
    return home


def traced(home, by, value, limit=100):
    with Catalog.open(home) as catalog:
        return forward(catalog, by, value, limit)


def test_row_117_a_user_is_found_in_every_version_of_every_set(built):
    found = traced(built, "user", "u3")
    assert found["value"] == pseudonym("u3", built.secret)
    lines = sorted((x["name"], x["line"], x["kept_id"]) for x in found["lines"])
    assert [x[:2] for x in lines] == [("again.jsonl", 1), ("again.jsonl", 2), ("first.jsonl", 4)]
    assert [x[2] for x in lines].count("openai_chat:req_3") == 1, "of the line logged twice, one is set aside"
    assert {c["id"] for c in found["calls"]} == {"openai_chat:req_3", "openai_chat:req_30"}
    answers = [s for s in found["sets"] if s["set"] == "answers"]
    assert [(s["released"], s["current"], s["examples"]) for s in answers] == [(True, False, 2), (True, True, 2)]
    for example in found["examples"]:
        text = (built.exports / example["set"] / example["version"] / example["file"]).read_text().splitlines()
        assert text[example["line"] - 1]


@pytest.fixture
def read(home):
    """The home of test_catalog, with the lines as they were read."""
    tables = {t: home.store.head("raw_files").scan(t).collect() for t in ("files", "quarantine")}
    for name in ("conversations", "feedback"):
        tables[name] = home.store.head(name).scan().collect()
    publish(home, "raw_files", tables, whole=True)
    return home


def test_row_117_a_dropped_row_says_stage_and_reason(read):
    found = traced(read, "id", "r3")
    assert found["sets"] == []
    assert [(s["dataset"], s["reason"]) for s in found["stands"]] == [
        ("screened", "refusal"),
        ("screened", "too_short"),
    ]
    twin = traced(read, "id", "r2")["calls"][0]
    assert (twin["stands"], twin["reasons"], twin["instead"]) == ("left out", ["near_duplicate"], "openai_chat:r1")


def test_a_quarantined_line_says_why(read):
    with pytest.raises(UnknownRow, match="it is in quarantine: not_json"):
        traced(read, "line", "log.jsonl:3")


@pytest.mark.parametrize(
    ("by", "value", "calls", "examples"),
    [
        ("id", "r1", ["openai_chat:r1"], 1),
        ("id", "f1", [], 1),
        ("id", "r3", ["openai_chat:r3"], 0),
        ("line", "log.jsonl:1", ["openai_chat:r1"], 1),
        ("line", "events.jsonl:1", [], 1),
        ("file", "events.jsonl", [], 1),
        ("file", "log.jsonl", [f"openai_chat:r{n}" for n in (1, 2, 3, 4)], 2),
        ("operator", "make_screened", [], 0),
    ],
)
def test_what_leads_where(read, by, value, calls, examples):
    found = traced(read, by, value)
    assert [c["id"] for c in found["calls"]] == calls
    assert found["counts"]["examples"] == examples
    assert sum(s["examples"] for s in found["sets"]) == examples


def test_earlier_candidates_are_found_too(home):
    set_home(home, {"openai_chat:r4": ("train", "z")}, {})
    set_home(home, {"openai_chat:r1": ("validation", "x")}, {})
    states = [(s["released"], s["candidate"], s["superseded"], s["examples"]) for s in traced(home, "id", "r4")["sets"]]
    assert states == [(True, False, False, 1), (False, False, True, 1)]


def test_children_of_children_are_descendants(home):
    made = rows(
        chat("user: a", "assistant: b", id="s:child", parents=["openai_chat:r1"], occurred_at=NOON),
        chat("user: a", "assistant: c", id="s:grandchild", parents=["s:child"], occurred_at=NOON),
        chat("user: a", "assistant: d", id="openai_chat:r1", occurred_at=NOON),
    )
    publish(
        home, "conversations", {"rows": made, "set_aside": home.store.head("conversations").scan("set_aside").collect()}
    )
    found = traced(home, "id", "r1")
    assert [c["id"] for c in found["calls"]] == ["openai_chat:r1", "s:child", "s:grandchild"]


def test_limits_list_less_and_count_all(read):
    found = traced(read, "file", "log.jsonl", limit=1)
    assert [len(found[k]) for k in ("lines", "calls", "examples")] == [1, 1, 2], "in two formats"
    assert (found["counts"]["lines"], found["counts"]["calls"], found["counts"]["examples"]) == (4, 4, 2)
    with Catalog.open(read) as catalog:
        every = reached(catalog, "file", "log.jsonl")
    assert [len(every[k]) for k in ("lines", "calls", "examples")] == [4, 4, 2 + 2]  # each in two formats


def test_one_person_under_two_names(tmp_path):
    home = Home.create(tmp_path / "h")
    a, b = (pseudonym(n, home.secret) for n in ("ann", "ann@work"))
    calls = rows(*[chat("user: a", "assistant: b", id=f"s:{u}", user=u) for u in (a, b)])
    publish(home, "conversations", {"rows": calls, "set_aside": pl.DataFrame(schema=SET_ASIDE)})
    publish(home, "signals", {"rows": pl.DataFrame({"id": calls["id"], "person": [min(a, b)] * 2})})
    assert {c["id"] for c in traced(home, "user", "ann")["calls"]} == {f"s:{a}", f"s:{b}"}


@pytest.mark.parametrize(
    ("by", "value", "said"),
    [
        ("user", "nobody", 'nothing is known of the user "nobody"'),
        ("model", "x", r"There are: m\."),
        ("file", "firts.jsonl", r'no raw file is called "firts.jsonl"\. Did you mean "first.jsonl"\?'),
        ("line", "first.jsonl", "is no line; expected FILE:N"),
        ("line", "first.jsonl:999", "there is no such line"),
        ("operator", "redact_emial", "took part in anything"),
        ("operator", "sft@9", r"Versions that did: sft@1\."),
        ("nothing", "x", 'nothing can be traced by "nothing"'),
    ],
)
def test_what_is_not_there_is_said(built, by, value, said):
    with pytest.raises(UnknownRow, match=said):
        traced(built, by, value)


@pytest.mark.parametrize("by", BY)
def test_hostile_values_are_values(built, by):
    for value in ("'; DROP TABLE state; --", "x' OR '1'='1", "$user0", '"', "\x00\u202e"):
        with pytest.raises(UnknownRow):
            traced(built, by, value)
    assert traced(built, "model", "m", 1)["counts"]["calls"] == 37


def test_an_operator_leads_to_all_that_was_made_with_it(built):
    found = traced(built, "operator", "sft@1")
    assert {(s["set"], s["made_with"]) for s in found["sets"]} == {("answers", True)}
    assert {u["dataset"] for u in found["uses"] if u["direct"]} == {"answers"}
    upstream = traced(built, "operator", "openai_chat")
    assert upstream["counts"]["calls"] == 37
    assert {s["set"] for s in upstream["sets"] if s["made_with"]} == {"answers", "verdicts"}


def test_row_117_without_the_catalog_file_the_answers_are_the_same(built):
    asked = [("user", "u3"), ("file", "again.jsonl"), ("model", "m"), ("operator", "openai_chat"), ("id", "req_4")]
    before = [traced(built, *a) for a in asked]
    built.catalog_file.unlink()
    assert [traced(built, *a) for a in asked] == before
