"""The tables of numbers over the small home of test_catalog."""

import pytest

from flywheel.storage.catalog import Catalog
from flywheel.storage.lineage_tables import LINEAGE
from tests.storage.test_catalog import home

__all__ = ["home"]


def test_every_column_says_what_it_is(home):
    with Catalog.open(home) as catalog:
        told = catalog.rows(
            "SELECT table_name AS of, column_name AS name, comment FROM duckdb_columns() WHERE starts_with(table_name, 'lineage_')"
        )
    assert {(c["of"], c["name"]): c["comment"] for c in told} == {
        (table, column): meaning for table, of in LINEAGE.items() for column, meaning in of.columns.items()
    }


def test_nothing_but_names_and_ids_is_a_text(home):
    with Catalog.open(home) as catalog:
        texts = catalog.rows(
            "SELECT table_name AS of, column_name AS name FROM duckdb_columns() WHERE starts_with(table_name, 'lineage_') AND contains(data_type, 'VARCHAR')"
        )
    assert {(c["of"], c["name"]) for c in texts} == {
        ("lineage_ids", "id"),
        ("lineage_names", "what"),
        ("lineage_names", "name"),
        ("lineage_reasons", "reasons"),
        ("lineage_versions", "set"),
        ("lineage_versions", "version"),
    }


ID = "(SELECT id FROM lineage_ids WHERE number = {})"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT string_agg(id, ' ' ORDER BY number) FROM lineage_ids", None),
        (f"SELECT {ID.format('call')} FROM lineage_calls WHERE screened IS NOT NULL", "openai_chat:r3"),
        (f"SELECT {ID.format('call')} FROM lineage_calls WHERE curated IS NOT NULL", "openai_chat:r2"),
        (f"SELECT string_agg({ID.format('call')}, ' ' ORDER BY call) FROM lineage_calls WHERE pool", "openai_chat:r1 openai_chat:r4"),
        (f"SELECT {ID.format('event')} || ' of ' || {ID.format('call')} FROM lineage_ledger", "fb:f1 of openai_chat:r1"),
        (f"SELECT {ID.format('of')} || ' in ' || {ID.format('example')} FROM lineage_links WHERE feedback", "fb:f1 in openai_chat:r1"),
        (f"SELECT {ID.format('call')} FROM lineage_edits WHERE \"count\" = 2", "openai_chat:r1"),
        ("SELECT count(*) FROM lineage_calls WHERE file = (SELECT number FROM lineage_names WHERE what = 'file' AND name = (SELECT file FROM files))", 4),
        ("SELECT rows FROM lineage_versions WHERE head", 2),
        (f"SELECT string_agg({ID.format('example')} || ' ' || name, ', ' ORDER BY example) FROM lineage_examples JOIN lineage_names ON what = 'split' AND number = split", "openai_chat:r1 train, openai_chat:r4 validation"),
        ("SELECT list_sort(reasons)::VARCHAR FROM lineage_reasons WHERE len(reasons) > 1", "[refusal, too_short]"),
    ],
)  # fmt: skip
def test_what_the_tables_hold(home, query, expected):
    every = "fb:f1 fb:f2 openai_chat:r1 openai_chat:r2 openai_chat:r3 openai_chat:r4"
    with Catalog.open(home) as catalog:
        assert [*catalog.rows(query)[0].values()] == [every if expected is None else expected]
