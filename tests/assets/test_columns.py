"""Every column that the UI shows is there, and is explained."""

from pathlib import Path

import polars as pl
import pytest

from assets.columns import columns_of, type_name
from assets.definitions import definitions, recipe_of
from flywheel.home import Home


@pytest.mark.slow
def test_the_columns_told_are_those_stored(built: Home) -> None:
    told = columns_of(built.recipe())
    for asset, schema in told.items():
        stored = built.store.head(asset).schemas
        assert [c.name for c in schema.columns] == list(stored.get("rows", stored.get("files", {}))), asset


def test_every_column_is_explained(tmp_path: Path) -> None:
    told = columns_of(recipe_of(tmp_path / "nowhere"))
    missing = {c.name for schema in told.values() for c in schema.columns if not c.description}
    assert not missing, f"assets/columns.py says nothing of {sorted(missing)}. Add what they mean to MEANINGS."


def test_the_definitions_carry_them(tmp_path: Path) -> None:
    graph = definitions(tmp_path / "nowhere").resolve_asset_graph()
    for asset, schema in columns_of(recipe_of(tmp_path / "nowhere")).items():
        node = next(graph.get(k) for k in graph.get_all_asset_keys() if k.to_user_string() == asset)
        assert node.metadata["dagster/column_schema"] == schema


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pl.String(), "string"),
        (pl.Int32, "int32"),
        (pl.List(pl.String), "list of string"),
        (pl.List(pl.Struct({"role": pl.String, "content": pl.String})), "list of struct"),
        (pl.Datetime("us", "UTC"), "timestamp (UTC)"),
        (pl.Date(), "date"),
    ],
)
def test_types_are_told_in_a_word(dtype: object, name: str) -> None:
    assert type_name(dtype) == name
