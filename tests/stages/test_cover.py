"""Coverage on a real home: the checks block, the plan is there, other sets go on, and new logs are held against the release."""

import hashlib
import json

import polars as pl
import pytest
from click.testing import CliRunner

from assets.metadata import describe
from flywheel.__main__ import cli
from flywheel.storage.catalog import Catalog
from flywheel.storage.releases import released
from tests.homes import Ran, call, drop, small_home

RECIPE = """
name = "covered"
[[set]]
name = "answers"
use = "sft"
export = ["trl"]
[set.coverage.language]
ko = 0.30
[set.coverage.turns]
"1" = 0.5
"2+" = {max = 0.2, severity = "warn"}
[set.coverage.usage]
axes = ["code_language"]
[set.coverage.drift]
axes = ["topic_cluster"]
[[set]]
name = "others"
use = "sft"
export = ["trl"]
[[signal]]
use = "topic_cluster"
min_rows = 5
"""
KOREAN = [
    "바다",
    "하늘",
    "구름",
    "나무",
    "강물",
    "산길",
    "들판",
    "바람",
    "햇살",
    "소나기",
    "눈꽃",
    "새벽",
    "노을",
    "달빛",
    "별빛",
    "안개",
    "이슬",
    "서리",
    "번개",
    "천둥",
]


def korean(n):
    """A call about a refund, in words that no other has in this order."""
    line, picked = call(n), hashlib.sha256(str(n).encode()).digest()[:12]
    line["request"]["messages"][0]["content"] = "환불 문의: " + " ".join(KOREAN[b % 20] for b in picked)
    return line


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return small_home(tmp_path_factory.mktemp("covered") / "home", recipe=RECIPE)


@pytest.fixture(scope="module")
def ran(home):
    return Ran(home)


def test_row_27_a_missed_target_blocks_its_set_and_no_other(ran):
    verdict = ran.checks["answers", "covers_language_ko"]
    assert not verdict.passed
    assert "short 8 by replacing, 11 by adding" in verdict.description
    assert verdict.blocking
    assert ran.released == {"others_release"}


def test_the_plan_is_there_though_the_set_is_blocked(ran, home):
    assert "answers_coverage" in ran.made
    made = home.store.head("answers_coverage")
    assert {ref.name for ref in made.derivation.inputs} == {"answers", "curated", "conversations", "signals"}
    plan = made.scan("plan").collect()
    assert plan.select("set", "axis", "value", "way", "rows").row(0) == ("answers", "language", "ko", "collect", 11)
    assert "others_coverage" not in home.store.names()


def test_row_32_numbers_are_counted_in_the_ranges_wanted(home, ran):
    turns = home.store.head("answers_coverage").scan().filter(pl.col("axis") == "turns").collect()
    assert turns.select("value", "rows", "n").rows() == [("1", 24, 24), ("2+", 0, 24)]
    assert ran.checks["answers", "covers_turns_1"].passed
    assert [c for a, c in ran.checks if a == "answers" and c.startswith("covers_turns_2")]


def test_coverage_changes_nothing_of_the_set(home, ran):
    one, other = home.store.head("answers"), home.store.head("others")
    assert one.scan().drop("split").collect().equals(other.scan().drop("split").collect())


def test_the_gaps_and_their_plan_are_printed(home, ran, tmp_path):
    done = CliRunner().invoke(cli, ["gaps", "--home", str(home.path), "--out", str(tmp_path / "plan.jsonl")])
    assert done.exit_code == 0, done.output
    assert "8 replacing, 11 adding" in done.output.replace("\n", " ")
    job = json.loads((tmp_path / "plan.jsonl").read_text())
    assert (job["set"], job["way"], job["rows"]) == ("answers", "collect", 11)
    told = json.loads(CliRunner().invoke(cli, ["gaps", "--home", str(home.path), "--json"]).output)
    assert {line["value"] for line in told["coverage"] if line["axis"] == "turns"} == {"1", "2+"}
    wrong = CliRunner().invoke(cli, ["gaps", "--home", str(home.path), "--set", "anwsers"])
    assert wrong.exit_code != 0


def test_the_catalog_and_the_ui_show_them(home, ran):
    with Catalog.open(home) as catalog:
        (job,) = catalog.rows('SELECT "set", way, rows, version FROM acquisition')
        assert (job["set"], job["way"], job["rows"]) == ("answers", "collect", 11)
        assert job["version"] == home.store.head("answers").version
        counted = catalog.rows("SELECT value, rows FROM coverage WHERE axis = 'turns' ORDER BY value")
    assert [tuple(r.values()) for r in counted] == [("1", 24), ("2+", 0)]
    shown = describe(home.store.head("answers_coverage"))
    assert {"rows_of_those_wanted", "matrix", "plan"} <= set(shown)
    assert "language ko 0 of 7" in str(shown["rows_of_those_wanted"].value)


def test_a_released_set_has_its_coverage_in_the_card(tmp_path):
    home = small_home(tmp_path / "home", recipe=RECIPE.replace("ko = 0.30", "ko = 0.0"))
    assert "answers_release" in Ran(home).released
    card = (home.exports / "answers" / "current" / "README.md").read_text()
    assert "## Coverage" in card
    assert "| turns | 1 | 24 of 24 | ██████████ | 100.0% (86.2% to 100.0%) | at least 50.0% |  |" in card
    other = (home.exports / "others" / "current" / "README.md").read_text()
    assert "## Coverage" not in other


def test_row_42_a_topic_that_is_new_in_the_logs(tmp_path):
    loose = RECIPE.replace("ko = 0.30", "ko = 0.0")
    home = small_home(tmp_path / "home", recipe=loose, calls=36)
    assert Ran(home).checks["signals", "answers_covers_new_topic_cluster"].passed
    assert released(home, "answers")
    drop(home, "logs/second.jsonl", *[korean(n) for n in range(36, 48)])
    verdict = Ran(home).checks["signals", "answers_covers_new_topic_cluster"]
    assert not verdict.passed
    assert not verdict.blocking
    assert "환불" in verdict.description
    assert "0.0% of the set" in verdict.description
    # The set that is released by the same build has the topic, so the next build has nothing to say.
    assert Ran(home).checks["signals", "answers_covers_new_topic_cluster"].passed


TYPOS = """
name = "typed"
[[filter]]
use = "matches"
name = "mistyped"
column = "typos"
operator = "is"
value = "some"
[[set]]
name = "clean"
use = "sft"
export = ["trl"]
[set.coverage]
show = ["language"]
[set.coverage.usage]
axes = ["typos"]
severity = "error"
confidence = 0
"""


def test_row_30_typos_of_the_logs_that_the_set_lacks(tmp_path):
    home = small_home(tmp_path / "home", recipe=TYPOS, calls=23)
    wrong = [call(n) for n in (23, 24)]
    for line in wrong:
        said = line["request"]["messages"][0]
        said["content"] = said["content"].replace("Please explain", "please explian teh words")
    drop(home, "logs/typos.jsonl", *wrong)
    verdict = Ran(home).checks["clean", "typos_follows_usage"]
    assert not verdict.passed
    assert "some, 0.0% of the set and 8.0% of the usage, short 2 by replacing, 2 by adding" in verdict.description
    (task,) = home.store.head("clean_coverage").scan("plan").filter(pl.col("value") == "some").collect().to_dicts()
    assert (task["way"], task["rows"]) == ("perturb.typo", 2)
    assert task["seeds"]
    told = home.store.head("clean_coverage").scan().filter(pl.col("why") == "shown").collect()
    assert told.select("axis", "value", "rows").rows() == [("language", "en", 23)]
