"""Candidates whose selection reads more than the others."""

from pathlib import Path

import orjson
import polars as pl
import pytest

from assets.definitions import definitions
from flywheel.home import Home
from flywheel.storage.catalog import Catalog
from tests.homes import Ran, small_home

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
