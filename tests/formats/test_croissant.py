"""Croissant descriptions, opened with mlcroissant as a dataset tool opens them."""

import json
import shutil

import polars as pl
import pytest

from flywheel.formats.croissant import data_type, licence
from tests.homes import Ran, small_home


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    home = small_home(tmp_path_factory.mktemp("croissant") / "home")
    assert Ran(home).success
    return home.exports / "answers" / "current"


def test_row_126_the_description_says_where_from_how_and_what(released):
    told = json.loads((released / "croissant.json").read_bytes())
    manifest = json.loads((released / "manifest.json").read_bytes())
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert [d["@id"] for d in told["prov:wasDerivedFrom"]] == [f"urn:sha256:{d}" for d in manifest["raw_files"]]
    assert "sft@1" in told["rai:dataPreprocessingProtocol"]
    assert told["datePublished"] == "2026-03-03"
    assert {d["contentUrl"]: d["sha256"] for d in told["distribution"]} == {
        n: f["sha256"] for n, f in manifest["files"].items() if n.endswith((".jsonl", ".parquet"))
    }
    assert "croissant.json" in manifest["files"]


def test_row_126_mlcroissant_loads_it_and_reads_every_record(released):
    mlc = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    dataset = mlc.Dataset(jsonld=str(released.resolve() / "croissant.json"))
    assert dataset.metadata.ctx.issues.errors == set()
    records = list(dataset.records("examples"))
    rows = pl.read_parquet(released / "rows.parquet")
    assert [r["examples/id"].decode() for r in records] == rows["id"].to_list()
    assert [r["examples/line"] for r in records] == rows["line"].to_list()


def test_a_changed_file_is_refused(released, tmp_path):
    mlc = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    copy = shutil.copytree(released.resolve(), tmp_path / "copy")
    pl.read_parquet(copy / "rows.parquet").head(3).write_parquet(copy / "rows.parquet")
    with pytest.raises(Exception, match=r"rows\.parquet"):
        list(mlc.Dataset(jsonld=str(copy / "croissant.json")).records("examples"))


@pytest.mark.parametrize(
    ("licences", "said"),
    [
        ({}, "unknown"),
        ({"a": "MIT"}, "MIT"),
        ({"a": "MIT", "b": "CC-BY-4.0"}, "CC-BY-4.0 AND MIT"),
        ({"a": "MIT OR Apache-2.0", "b": "CC0-1.0"}, "CC0-1.0 AND (MIT OR Apache-2.0)"),
        ({"a": "MIT", "b": "unknown"}, "unknown"),
    ],
)
def test_one_expression_for_all_sources(licences, said):
    rights = {"licences": licences, "table": [{"subject": "licence", "name": n} for n in licences]}
    assert licence({"rights": rights}) == said
    assert licence({}) == "unknown"


@pytest.mark.parametrize(
    ("dtype", "named"),
    [
        (pl.String(), "sc:Text"),
        (pl.Int64(), "sc:Integer"),
        (pl.Float64(), "sc:Float"),
        (pl.Boolean(), "sc:Boolean"),
        (pl.List(pl.String), None),
    ],
)
def test_types(dtype, named):
    assert data_type(dtype) == named
