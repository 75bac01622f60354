"""Lineage forward, over the small home of test_catalog and over one that was built."""

import polars as pl
import pytest

from flywheel.audit.forward import forward, reached
from flywheel.audit.origins import BY
from flywheel.errors import UnknownRow
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.records import SET_ASIDE
from flywheel.storage.catalog import Catalog
from tests import traced_by_text
from tests.build import chat, rows
from tests.homes import RECIPE, Ran, call, drop, small_home, thumb, words
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
    assert [x[:2] for x in lines] == [("logs/again.jsonl", 1), ("logs/again.jsonl", 2), ("logs/first.jsonl", 4)]
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
        ("line", "logs/first.jsonl:999", "there is no such line"),
        (
            "line",
            "first.jsonl:1",
            '2 raw files are called "first.jsonl"; name one: feedback/first.jsonl, logs/first.jsonl',
        ),
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


MIXED = (
    RECIPE.replace('operator = "is", value = "openai_chat"', 'operator = "is_not", value = "nothing"').replace(
        "[purpose]\n", '[purpose]\nunknown = "warn"\n'
    )
    + """
[[edit]]
use = "redact_email"
[[filter]]
use = "too_short"
[[filter]]
use = "empty_reply"
[[filter]]
use = "refusal"
[[set]]
name = "pairs"
use = "preference"
export = ["trl"]
"""
)


UNRELEASED = (
    *("raw_files", "conversations", "feedback", "measurements", "matches", "signals", "labels"),
    *("screened", "curated", "answers", "verdicts", "pairs"),
)
"""What is made when nothing is released."""


def asked(n, text, reply, **changed):
    """Call `n` with another question and answer, or another model."""
    line = call(n, **changed)
    line["request"]["messages"][0]["content"] = text
    line["response"]["choices"][0]["message"]["content"] = reply
    return line


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Several sources, models, apps, users and files; feedback of all sorts; lines repeated, in conflict, in quarantine, in two
    halves and with several rows; rows edited, rejected by filters and as duplicates; pairs; two releases and a candidate."""
    home = small_home(tmp_path_factory.mktemp("mixed") / "home", recipe=MIXED)
    lines = [call(n, user_id=f"u{n % 3}", app=("chat", "search")[n % 2]) for n in range(40, 56)]
    for line in lines[::3]:
        line["request"]["model"] = line["response"]["model"] = "other-model"
    lines += [
        asked(
            60,
            "Please write to ann@example.org about the harbor.",
            "Done: I wrote to ann@example.org, as asked, at noon.",
        ),
        asked(61, "Hello", "I'm sorry, but I can't help with that."),
        asked(62, "Why?", ""),
        call(3),
        asked(5, "Another question under the same id?", "Another answer under the same id, and longer."),
        call(70) | {"request": call(1)["request"], "response": call(1)["response"]},
    ]
    two = call(80)
    two["response"]["choices"] = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": f"Answer: {words(80, f'way {i}')}."}} for i in (0, 1)
    ]  # fmt: skip
    drop(home, "logs/mixed.jsonl", *lines, two)
    (home.inbox / "logs" / "mixed.jsonl").open("a").write("{broken\n")
    body = {
        "model": "batched",
        "user": "u1",
        "messages": [{"role": "user", "content": f"Please list {words(1, 'batch')}."}],
    }
    drop(
        home, "logs/requests.jsonl", {"custom_id": "b1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    )
    done = {"status_code": 200, "request_id": "r", "body": call(90)["response"] | {"model": "batched"}}
    drop(home, "logs/responses.jsonl", {"id": "x", "custom_id": "b1", "response": done, "error": None})
    pairs = [
        {"id": f"p{n}", "prompt": f"What of {words(n, 'pair', 8)}?", "chosen": words(n, "good"), "rejected": words(n, "bad")}
        for n in range(4)
    ]  # fmt: skip
    drop(home, "logs/pairs.jsonl", *pairs)
    said = thumb(41, up=True)
    drop(
        home,
        "feedback/mixed.jsonl",
        said,
        said,
        thumb(42, up=False) | {"guideline": "tone", "guideline_version": "2"},
        thumb(43, up=True) | {"user_id": "u2"},
        thumb(44, up=True) | {"type": "edit", "text": f"Better: {words(44, 'edit')}.", "value": None, "user_id": "u9"},
        thumb(999, up=True),
    )
    assert "answers_release" in Ran(home).released
    drop(home, "logs/later.jsonl", *[call(n) for n in range(100, 112)], call(41, user_id="u2", app="search"))
    assert Ran(home).success
    for n in (112, 118):
        drop(home, f"logs/latest-{n}.jsonl", *[call(n + i) for i in range(6)])
        Ran(home, only=UNRELEASED)
    return home


SEVERAL = "SELECT file || ':' || line AS value FROM lines GROUP BY ALL HAVING count(*) > 1"
STRANGE = (
    "SELECT id AS value FROM conversations WHERE len(raw) > 1 UNION SELECT kept_id FROM set_aside UNION SELECT id FROM edits UNION "
    "SELECT id FROM screened_rejected UNION SELECT id FROM curated_rejected UNION SELECT feedback_id FROM feedback_ledger WHERE status <> 'applied' "
    "UNION (SELECT id FROM examples WHERE len(parents) > 1 LIMIT 2)"
)
EVERY = {
    "user": ("SELECT DISTINCT \"user\" AS value FROM lines",),
    "file": ("SELECT DISTINCT file AS value FROM lines",),
    "line": ("SELECT DISTINCT file || ':' || line AS value FROM lines", SEVERAL, "SELECT file || ':' || line AS value FROM set_aside"),
    "source": ("SELECT DISTINCT source AS value FROM lines",),
    "conversation": ("SELECT DISTINCT conversation_id AS value FROM lines", "SELECT conversation_id AS value FROM feedback LIMIT 2"),
    "model": ("SELECT DISTINCT model AS value FROM lines",),
    "app": ("SELECT DISTINCT app AS value FROM lines",),
    "operator": ("SELECT DISTINCT use AS value FROM derivation_steps", "SELECT unnest(['too_short', 'refusal@1', 'redact_email', 'near_duplicate', 'openai_batch']) AS value"),
    "guideline": ("SELECT unnest(['tone', 'tone@2', 'tone@3']) AS value",),
    "id": ("SELECT id AS value FROM conversations UNION SELECT feedback_id FROM feedback UNION SELECT id FROM examples", STRANGE),
}  # fmt: skip
"""What there is to trace in a home: of the first query some are taken, of the others all."""


def known(catalog, by):
    """Some of what can be traced by this, and all that is unlike the rest."""
    first, *others = (sorted({r["value"] for r in catalog.rows(query)} - {None}) for query in EVERY[by])
    return sorted({*first[:: len(first) // 8 + 1], *(v for other in others for v in other)})


def test_row_117_the_mixed_home_has_all_that_can_happen(mixed):
    with Catalog.open(mixed) as catalog:
        for query in (
            "FROM set_aside WHERE status = 'repeated'",
            "FROM set_aside WHERE status = 'id_conflict'",
            "FROM feedback_set_aside",
            "FROM quarantine",
            "FROM screened_rejected",
            "FROM curated_rejected",
            "FROM edits",
            "FROM comparisons",
            "FROM conversations WHERE len(raw) > 1",
            "FROM lineage_further_files",
            "FROM example_links WHERE kind = 'conversation'",
            "FROM example_links WHERE kind = 'feedback'",
            "FROM superseded_examples",
            "FROM releases WHERE NOT current",
            "FROM (SELECT file, line FROM lines GROUP BY ALL HAVING count(*) > 1)",
        ):
            assert catalog.rows(f"SELECT count(*) AS n {query}")[0]["n"], query


@pytest.mark.parametrize("by", BY)
def test_row_117_by_number_and_by_text_the_answers_are_equal(mixed, by):
    with Catalog.open(mixed) as catalog:
        values = known(catalog, by)
        assert values
        for value in values:
            try:
                found = forward(catalog, by, value, 2), reached(catalog, by, value)
            except UnknownRow:
                found = None
            told = traced_by_text.forward(catalog, by, value, 2), traced_by_text.reached(catalog, by, value)
            assert found == told if found else not any(told[0]["counts"].values()), (by, value)


def test_row_117_made_anew_the_catalog_answers_the_same(mixed):
    with Catalog.open(mixed) as catalog:
        asked = [(by, known(catalog, by)[0]) for by in BY]
    before = [traced(mixed, *a) for a in asked]
    mixed.catalog_file.unlink()
    assert [traced(mixed, *a) for a in asked] == before
