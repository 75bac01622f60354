"""A build that asks for everything about repetition: conflicts, people, passages. What it finds is in the UI, the checks, the catalog."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.metadata import describe
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.storage.catalog import Catalog
from tests.homes import Ran, call, drop, words

pytestmark = pytest.mark.slow
RECIPE = """
name = "repeats"
[curate]
max_passage_share = 0.6
[[signal]]
use = "same_question"
[[signal]]
use = "person"
same = [["ann", "ann@corp"]]
metadata = "account.id"
[[signal]]
use = "shared_passages"
level = "sentence"
[[filter]]
use = "inner_repetition"
max_share = 0.5
[[edit]]
use = "drop_repeated_paragraphs"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
[set.split]
validation = 0.3
"""
LINE = "Our office is open from nine in the morning until five in the afternoon on every working day."


def asked(n: int, question: str, reply: str, **more: Any) -> dict[str, Any]:
    """Call `n` with this question and reply."""
    line = call(n, **more)
    line["request"]["messages"] = [{"role": "user", "content": question}]
    line["response"]["choices"][0]["message"]["content"] = reply
    return line


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Ran]:
    home = Home.create(tmp_path_factory.mktemp("repeats") / "home", recipe=RECIPE)
    paragraph = f"Please mind {words(1, 'twice')}."
    lines = [
        asked(0, "Is the shop open?", "Yes."),
        asked(1, "Is the shop open?", "No."),
        *[
            asked(n, f"What of {words(n, 'q')}?", f"{LINE} Ask {n}." if n > 2 else f"{LINE} {words(n, 'own')}.")
            for n in (2, 3, 4)
        ],
        asked(5, f"How about {words(5, 'q')}?", f"{paragraph}\n\n{words(5, 'r')}.\n\n{paragraph}"),
        asked(6, f"And {words(6, 'q')}?", f"{paragraph}\n\n{paragraph}\n\n{paragraph}"),
        *[call(n, user_id=user) for n, user in ((7, "ann"), (8, "ann@corp"), (9, "bob"), (10, "rob"), (11, "eve"))],
    ]
    for n in (9, 10):
        lines[n]["account"] = {"id": "acc-1"}
    drop(home, "logs/first.jsonl", *lines)
    return home, Ran(home)


def rejected(home: Home, dataset: str) -> dict[str, tuple[list[str], str | None]]:
    rows = home.store.head(dataset).scan("rejected").select("id", "reasons", "instead").collect().rows()
    return {i.removeprefix("openai_chat:req_"): (reasons, instead) for i, reasons, instead in rows}


def test_row_19_a_contradiction_in_the_pool_is_listed_and_warned_of(ran: tuple[Home, Ran]) -> None:
    home, run = ran
    assert run.success, run.failures
    found = run.checks["conflicts", "answers_agree"]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    with Catalog.open(home) as catalog:
        (pair,) = catalog.rows("SELECT kind, id, other, verdict, rule FROM conflicts")
        explained = catalog.rows(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'conflicts' AND comment IS NULL"
        )
    assert list(pair.values()) == [
        "same_question",
        "openai_chat:req_0",
        "openai_chat:req_1",
        "contradiction",
        "yes_or_no",
    ]
    assert len(explained) <= 1, "every column but `kind` says what it means"
    shown = describe(home.store.head("conflicts"))
    table = shown["pairs_by_rule"]
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records[0].data == {
        "kind": "same_question",
        "verdict": "contradiction",
        "rule": "yes_or_no",
        "pairs": 1,
    }
    assert "question contradiction 1" in str(shown["pairs_by_verdict"].value)


def test_row_139_passages_said_before_within_and_across(ran: tuple[Home, Ran]) -> None:
    home, _ = ran
    assert rejected(home, "screened") == {"6": (["inner_repetition"], None)}
    edits = home.store.head("screened").scan("edits").select("id", "edit").collect().rows()
    assert sorted(edits) == [(f"openai_chat:req_{n}", "drop_repeated_paragraphs") for n in (5, 6)]
    # Of 2, 3 and 4, which all hold one sentence, the newest keeps it; 2 has enough of its own.
    assert rejected(home, "curated") == {"3": (["shared_passages"], "openai_chat:req_4")}
    with Catalog.open(home) as catalog:
        told = [s["what"] for s in catalog.why("req_3")["steps"]]
        kept = [s["what"] for s in catalog.why("req_4")["steps"]]
    assert any(t.startswith("shared_passages: openai_chat:req_4 is kept instead (similarity 0.9") for t in told)
    assert not any("duplicate" in t for t in kept)


def test_row_148_two_ids_of_one_person_are_on_one_side(ran: tuple[Home, Ran]) -> None:
    home, _ = ran
    secret = home.secret
    with Catalog.open(home) as catalog:
        people = {r["user"]: r["person"] for r in catalog.rows("FROM identities")}
    assert people[pseudonym("ann", secret)] == people[pseudonym("ann@corp", secret)]
    assert people[pseudonym("bob", secret)] == people[pseudonym("rob", secret)] != people[pseudonym("ann", secret)]
    assert people[pseudonym("eve", secret)] == pseudonym("eve", secret)
    rows = home.store.head("answers").scan().select("id", "group").collect()
    group = {i.removeprefix("openai_chat:req_"): g for i, g in rows.rows()}
    assert group["7"] == group["8"]
    assert group["9"] == group["10"]
    assert len({group[i] for i in ("7", "9", "11")}) == 3
    stored = b"".join(p.read_bytes() for p in Path(home.store.root).rglob("*.json"))
    assert b"ann@corp" not in stored
    assert b"acc-1" not in stored


def test_without_their_signal_there_are_no_conflicts_and_no_check(tmp_path: Path) -> None:
    from assets.definitions import definitions

    home = Home.create(tmp_path / "plain", recipe='name = "plain"\n')
    graph = definitions(home.path).resolve_asset_graph()
    assert "conflicts" not in {k.to_user_string() for k in graph.get_all_asset_keys()}
    assert "answers_agree" not in {k.name for k in graph.asset_check_keys}
    with Catalog.open(home) as catalog:
        assert catalog.rows("FROM conflicts") == catalog.rows("FROM identities") == []
