"""What nothing needs can go, and what a release needs stays."""

import pytest

from flywheel.audit.verify import verify
from flywheel.stages.export import ancestry
from flywheel.storage.catalog import Catalog
from flywheel.storage.results import add
from flywheel.storage.retention import remove, waste
from tests.homes import Ran, call, drop, small_home

RECIPE = """
name = "small"
[[filter]]
use = "too_short"
min_words = {words}
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with four releases, and with snapshots of a recipe whose set was never released."""
    home = small_home(tmp_path_factory.mktemp("gc") / "home", RECIPE.format(words=1))
    for day in range(4):
        if day:
            drop(home, f"logs/more{day}.jsonl", *[call(100 * day + n) for n in range(3)])
        assert Ran(home).success
    home.recipe_file.write_text(RECIPE.format(words=2))
    assert Ran(home, only=["screened", "curated"]).success
    home.recipe_file.write_text(RECIPE.format(words=1))
    assert Ran(home).success
    return home


@pytest.mark.slow
def test_what_a_released_manifest_needs_is_never_removed(home):
    found = waste(home)
    assert not found.releases
    assert found.manifests
    remove(found)
    for version in sorted(
        p.parent.name for p in home.exports.glob("answers/*/manifest.json") if p.parent.name != "current"
    ):
        candidate = home.store.find("answers", version)
        assert candidate is not None
        chain = {s.name for s in ancestry(home.store, candidate)}
        assert {"raw_files", "conversations", "screened", "curated"} <= chain
    assert not any(part.damaged for part in verify(home))
    assert not waste(home).paths
    with Catalog.open(home) as catalog:
        assert catalog.why("req_1")["sources"][0]["intact"]


@pytest.mark.slow
def test_old_releases_go_only_on_request_and_never_the_current_one_or_one_a_model_was_trained_on(home):
    versions = [e["version"] for e in _listed(home)]
    add(home, "answers", {"version": versions[0], "run": "r", "scores": [{"name": "a", "value": 0.5, "n": 10}]})
    found = waste(home, keep=1)
    assert [p.name for p in found.releases] == versions[1:3]
    remove(found)
    assert [e["version"] for e in _listed(home)] == [versions[0], versions[3]]
    assert not any(part.damaged for part in verify(home))
    assert home.store.find("answers", versions[1]) is None
    assert home.store.find("answers", versions[0]) is not None
    assert Ran(home).made  # and the home still builds


@pytest.mark.slow
def test_what_a_killed_run_left_goes(home):
    left = home.store.staging / "deadbeef"
    left.mkdir(parents=True)
    (left / "rows.parquet").write_bytes(b"half")
    found = waste(home)
    assert found.leftovers == (left,)
    assert found.told()["bytes"] >= 4
    remove(found)
    assert not left.exists()


def _listed(home):
    from flywheel.storage.promotion import told

    return told(home, "answers")
