"""The code location loads fast and offers what the UI shows."""

import subprocess
import sys
from pathlib import Path

import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from assets.definitions import definitions
from flywheel.home import Home
from flywheel.quality.targets import TARGETS

STAGES = ["raw_files", "conversations", "feedback", "labels", "signals", "screened", "curated"]
RECIPE = """
name = "two"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
[[set]]
name = "verdicts"
use = "kto"
export = ["trl"]
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> AssetGraph:
    home = Home.create(tmp_path_factory.mktemp("home"), recipe=RECIPE)
    return definitions(home.path).resolve_asset_graph()


def parents(graph: AssetGraph) -> dict[str, list[str]]:
    return {
        k.to_user_string(): sorted(p.to_user_string() for p in graph.get(k).parent_keys)
        for k in graph.get_all_asset_keys()
    }


def test_the_graph_is_pinned(graph: AssetGraph) -> None:
    assert parents(graph) == {
        "raw_files": [],
        "conversations": ["raw_files"],
        "feedback": ["raw_files"],
        "labels": ["conversations", "feedback"],
        "measurements": ["conversations"],
        "matches": ["measurements"],
        "signals": ["matches", "measurements"],
        "screened": ["conversations", "labels", "measurements"],
        "curated": ["labels", "measurements", "screened", "signals"],
        "review": ["curated", "feedback", "labels", "screened"],
        "answers": ["curated", "feedback", "labels", "screened"],
        "verdicts": ["curated", "feedback", "labels", "screened"],
        "answers_release": ["answers"],
        "verdicts_release": ["verdicts"],
        "catalog": ["answers", "curated", "verdicts"],
    }


def test_every_asset_is_described_for_its_user(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert len(node.description or "") > 60, key
        assert node.owners == ["team:flywheel"]
        assert node.kinds
        assert node.group_name.partition("_")[0] in "123456"


def test_every_target_is_a_check_of_its_asset(graph: AssetGraph) -> None:
    there = {(k.asset_key.to_user_string(), k.name) for k in graph.asset_check_keys}
    for asset in STAGES:
        assert {(asset, t.name) for t in TARGETS[asset]} <= there
    assert {("answers", t.name) for t in TARGETS["set"] if not t.kinds} <= there
    assert ("verdicts", "labels_are_balanced") in there
    assert ("answers", "labels_are_balanced") not in there


def test_loading_imports_no_great_expectations_and_no_model_library(tmp_path: Path) -> None:
    Home.create(tmp_path / "home")
    code = (
        "import sys, assets.definitions as d; d.defs.get_repository_def();"
        "print(sorted(m for m in ('great_expectations','pandas','scipy','eldc','rensa','bpe_openai','openai','datasets','transformers','pyarrow') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"FLYWHEEL_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def test_before_there_is_a_home_the_graph_of_the_sample_is_shown(tmp_path: Path) -> None:
    keys = definitions(tmp_path / "nowhere").resolve_asset_graph().get_all_asset_keys()
    assert set(STAGES) <= {k.to_user_string() for k in keys}
