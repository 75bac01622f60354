"""Candidates whose selection reads more than the others."""

from pathlib import Path

import orjson
import polars as pl
import pytest

from assets.definitions import definitions
from flywheel.home import Home
from flywheel.storage.catalog import Catalog
from tests.homes import Ran, call, drop, small_home

RECIPE = """
name = "chosen"
[[set]]
name = "varied"
use = "sft"
export = ["openai"]
[set.select]
use = "diverse"
by = ["language"]
n = 8
[[set]]
name = "hardest"
use = "sft"
export = ["openai"]
[set.select]
use = "prune"
score = "reply_chars"
higher = "harder"
side = "hard"
keep = 0.5
"""


@pytest.mark.slow
def test_row_156_a_release_lists_kept_and_pruned_with_score(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home", recipe=RECIPE)
    assert Ran(home).success
    released = home.exports / "hardest" / "current"
    listed = pl.read_parquet(released / "selection.parquet")
    manifest = orjson.loads((released / "manifest.json").read_bytes())
    assert (listed["kept"].sum(), listed.height, listed["score"].null_count()) == (12, 24, 0)
    assert listed.filter("kept")["score"].min() >= listed.filter(~pl.col("kept"))["score"].max()  # type: ignore[operator]
    assert "selection.parquet" in manifest["files"]
    assert manifest["notes"]["selection"]["side"] == "hard"
    with Catalog.open(home) as catalog:
        pruned = (
            "SELECT count(*) AS n FROM example_selection WHERE \"set\" = 'hardest' AND reason = 'pruned' AND score > 0"
        )
        assert catalog.rows(pruned) == [{"n": 12}]
    assert home.store.head("varied").count() == 8


def test_only_a_set_that_compares_texts_waits_for_the_sketches(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home", recipe=RECIPE)
    graph = definitions(home.path).resolve_asset_graph()
    parents = {
        k.to_user_string(): {p.to_user_string() for p in graph.get(k).parent_keys} for k in graph.get_all_asset_keys()
    }
    assert "measurements" in parents["varied"]
    assert "measurements" not in parents["hardest"]


FOLLOWS = """
name = "follows"
[[set]]
name = "by_usage"
use = "sft"
examples = 12
max_copies = 2
export = ["openai"]
[set.follow.app]
usage = { smoothing = 1, floor = 0.1 }
values = { help = ["billing", "login"] }
[set.check.duplicates_are_few]
max = 0.0
[[set]]
name = "like_llama"
use = "sft"
examples = 10
export = ["openai"]
[set.follow.app]
reference = "llama3_preference"
usage = {}
blend = { reference = 1, usage = 0 }
values = { code = ["sql"], general_english = ["*"], reasoning_and_tools = ["calc"], multilingual = ["translate"] }
[[set]]
name = "of_no_day"
use = "sft"
export = ["openai"]
[set.follow.app.usage]
until = 2020-01-01
"""


@pytest.mark.slow
def test_rows_34_36_41_a_mix_follows_usage_or_a_reference_and_a_window_without_logs_stops_one_set(
    tmp_path: Path,
) -> None:
    home = Home.create(tmp_path / "home", recipe=FOLLOWS)
    apps = ["billing"] * 6 + ["login"] * 10 + ["sql"] * 2 + ["rare"] * 2
    drop(home, "logs/first.jsonl", *[call(n, app=a) for n, a in enumerate(apps)])
    ran = Ran(home)
    assert not ran.success
    assert "no call from 2019-12-05 to 2020-01-01 has a value of app" in ran.failures["of_no_day"]
    assert ran.released == {"by_usage_release"}
    made = home.store.head("by_usage")
    told = made.notes["follow"]["app"]
    assert told["usage"]["counted"] == {"help": 16, "rare": 2, "sql": 2}
    assert told["shares"] == pytest.approx({"help": 17 / 23, "rare": 3 / 23, "sql": 3 / 23})
    cells = {c["cell"]: (c["wanted"], c["available"], c["made"]) for c in made.notes["cells"]}
    assert cells == {"app=help": (9, 16, 9), "app=rare": (2, 2, 2), "app=sql": (1, 2, 1)}
    assert (ran.checks["by_usage", "mix_follows_usage"].passed, made.count("copies")) == (True, 0)
    assert {r.name for r in made.derivation.inputs} >= {"conversations", "signals"}
    like = ran.checks["like_llama", "set_is_large_enough"]
    assert not like.passed
    assert "app=reasoning_and_tools: 1" in (like.description or "")
    near = ran.checks["like_llama", "mix_is_near_reference"]
    assert "a reference mix, which is what others used and no proven optimum" in (near.description or "")
    card = (home.exports / "by_usage" / "current" / "README.md").read_text()
    assert "usage, 20 requests, 2026-02-04 to 2026-03-03" in card


@pytest.mark.slow
def test_row_41_copies_are_in_training_and_in_the_catalog(tmp_path: Path) -> None:
    recipe = FOLLOWS.split('[[set]]\nname = "like')[0].replace("examples = 12", "examples = 60")
    home = Home.create(tmp_path / "home", recipe=recipe.replace("smoothing = 1, floor = 0.1", "floor = 0.2"))
    apps = ["billing"] * 16 + ["sql"] * 4
    drop(home, "logs/first.jsonl", *[call(n, app=a) for n, a in enumerate(apps)])
    ran = Ran(home)
    made = home.store.head("by_usage")
    copies = made.scan("copies").collect()
    rows = made.scan().collect()
    assert made.notes["copies"] == {"rows": copies.height, "max_copies": 2}
    assert rows.join(copies, on="id", how="semi")["split"].unique().to_list() == ["train"]
    assert copies.height == rows.filter(pl.col("split") == "train").height / 2
    assert copies.height > 10
    assert ran.checks["by_usage", "duplicates_are_few"].passed
    assert not ran.checks["by_usage", "copies_are_few"].passed
    assert not ran.checks["by_usage", "set_is_large_enough"].passed
    with Catalog.open(home) as catalog:
        (row,) = catalog.rows("SELECT count(*) AS n, min(copy) AS low FROM example_copies WHERE head")
        story = catalog.why(copies["id"][0])
    assert (row["n"], row["low"]) == (copies.height, 2)
    assert story["sources"][0]["line"] >= 1
