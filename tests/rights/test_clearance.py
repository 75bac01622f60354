"""Verdicts on rows, by themselves and through what they were made of."""

from typing import Any

import polars as pl
import pytest

from flywheel.conditions import Condition
from flywheel.rights.clearance import Clearance, clear, lineage, of_teacher
from flywheel.rights.registry import Purpose, RegisteredSource, Registry, TeacherTerms
from tests.build import chat, rows

SELLING = Purpose(commercial=True, distributed=True, competing=True, student="qwen-7b")
STUDYING = Purpose(commercial=False, distributed=False, competing=False)


def call(
    id: str, file: str = "f1", model: str | None = "house-1", parents: tuple[str, ...] = (), **more: Any
) -> pl.DataFrame:
    raw = [{"file": file, "line": 1, "offset": 0, "length": 2, "digest": "d"}]
    return chat("user: q", "assistant: a", id=id, model=model, parents=list(parents), raw=raw, **more)


POOL = rows(
    call("own", app="support"),
    call("forum", file="f2"),
    call("child", file="f9", parents=("forum",), origin="synthesized", model="gpt-4o"),
    call("grandchild", file="f9", parents=("child",), origin="synthesized", app="support"),
    call("written", app="support", model=None, origin="demonstrated"),
    call("stray", file="f9"),
)
FILES = pl.LazyFrame({"file": ["f1", "f2", "f9"], "name": ["logs.jsonl", "forum_1.jsonl", "more.jsonl"]})
SOURCES = (
    RegisteredSource(name="own_users", licence="LicenseRef-own", restricts=(), where=Condition(column="app", operator="is", value="support")),
    RegisteredSource(name="forum", licence="CC-BY-NC-4.0", files=("forum_*.jsonl",)),
)  # fmt: skip
HOUSE = TeacherTerms(models=("house-*",), terms="allowed")


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [("forum_*.jsonl", True), ("logs/forum_*", True), ("logs/*", True), ("*/forum_1.jsonl", True), ("forum_1", False), ("a/*", False)],
)  # fmt: skip
def test_a_pattern_without_a_slash_is_of_the_last_part_of_a_name(pattern: str, hit: bool) -> None:
    files = pl.LazyFrame({"file": ["f1", "f2", "f9"], "name": ["logs.jsonl", "logs/forum_1.jsonl", "more.jsonl"]})
    registry = Registry(
        purpose=SELLING, sources=(RegisteredSource(name="forum", licence="CC-BY-NC-4.0", files=(pattern,)),)
    )
    examples = pl.LazyFrame({"id": ["e"], "parents": [["forum"]]})
    assert ("forum" in verdicts(clear(examples, POOL.lazy(), files, registry))) is hit


def judged(*ids: str, purpose: Purpose | None = SELLING, **more: Any) -> Clearance:
    examples = pl.LazyFrame({"id": [f"e-{i}" for i in ids], "parents": [[i] for i in ids]})
    registry = Registry.model_validate({"purpose": purpose, "sources": SOURCES, "teachers": (HOUSE,)} | more)
    return clear(examples, POOL.lazy(), FILES, registry)


def verdicts(found: Clearance) -> dict[str, str]:
    return {row["name"]: row["verdict"] for row in found.table.to_dicts()}


def test_row_56_an_unregistered_source_is_unknown_and_a_non_commercial_one_is_forbidden() -> None:
    found = judged("own", "forum", "stray")
    assert verdicts(found) == {"own_users": "permitted", "forum": "forbidden", "(not registered)": "unknown", "house-1": "permitted"}  # fmt: skip
    assert (found.unregistered, found.examples) == (1, 3)
    assert found.affected["licence", "forbidden"] == 1
    assert verdicts(judged("forum", purpose=STUDYING))["forum"] == "permitted"


def test_row_57_and_118_what_holds_for_an_ancestor_holds_for_all_descendants() -> None:
    found = judged("grandchild")
    assert verdicts(found) == {"own_users": "permitted", "(not registered)": "unknown", "forum": "forbidden", "gpt-4o": "forbidden", "house-1": "permitted"}  # fmt: skip
    assert found.affected["licence", "forbidden"] == found.affected["teacher", "forbidden"] == 1
    assert found.table.get_column("example").unique().to_list() == ["e-grandchild"]
    marked = judged("child", "grandchild", "own", teachers=(TeacherTerms(models=("gpt-*",), terms="unknown"), HOUSE))
    assert marked.affected["teacher", "unknown"] == 2  # every descendant of the unknown generator, and no other


def test_row_120_a_teacher_that_forbids_competitors_blocks_only_competitors() -> None:
    terms = TeacherTerms(models=("t",), terms="no_competing")
    assert of_teacher(terms, SELLING).verdict == "forbidden"
    assert of_teacher(terms, STUDYING).verdict == "permitted"


@pytest.mark.parametrize(
    ("terms", "purpose", "verdict"),
    [
        ({"terms": "same_family", "family": "llama"}, SELLING, "forbidden"),
        ({"terms": "same_family", "family": "llama"}, SELLING.model_copy(update={"student": "Llama-3.1-8B"}), "permitted"),
        ({"terms": "same_family"}, SELLING, "forbidden"),
        ({"terms": "non_commercial"}, SELLING, "forbidden"),
        ({"terms": "non_commercial"}, STUDYING, "permitted"),
        ({"terms": "needs_permission"}, STUDYING, "forbidden"),
        ({"terms": "forbidden"}, STUDYING, "forbidden"),
        ({"terms": "unknown"}, STUDYING, "unknown"),
        ({"terms": "allowed"}, SELLING, "permitted"),
        ({"terms": "allowed"}, None, "undeclared"),
    ],
)  # fmt: skip
def test_terms_are_held_against_the_purpose(terms: dict[str, str], purpose: Purpose | None, verdict: str) -> None:
    assert of_teacher(TeacherTerms.model_validate({"models": ["t"], **terms}), purpose).verdict == verdict


def test_demands_are_told_where_something_is_distributed() -> None:
    llama = TeacherTerms(models=("t",), terms="allowed", demands="the name starts with Llama")
    assert of_teacher(llama, SELLING).demands == "the name starts with Llama"
    assert of_teacher(llama, STUDYING).demands == ""


def test_what_people_wrote_has_no_teacher_and_a_missing_model_is_unknown() -> None:
    assert judged("written").table.filter(subject="teacher").is_empty()
    nameless = rows(call("x", model=None, app="support"))
    examples = pl.LazyFrame({"id": ["e"], "parents": [["x"]]})
    found = clear(examples, nameless.lazy(), FILES, Registry(purpose=SELLING, sources=SOURCES))
    assert verdicts(found)["(no model)"] == "unknown"
    assert found.affected["teacher", "unknown"] == 1


def test_without_a_purpose_nothing_is_permitted() -> None:
    assert set(verdicts(judged("own", "forum", purpose=None)).values()) == {"undeclared"}


def test_ancestors_that_go_round_in_a_circle_end() -> None:
    circle = rows(call("a", parents=("b",)), call("b", parents=("a",)))
    found = lineage(pl.LazyFrame({"id": ["e"], "parents": [["a"]]}), circle.lazy())
    assert found.rows() == [("e", "a"), ("e", "b")]
