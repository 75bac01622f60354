"""Every text of a table is looked at, whatever column and row group it stands in, and however columns are taken together."""

import polars as pl
import pytest

from flywheel.erasure import search as searching
from flywheel.erasure.needles import Needles
from flywheel.erasure.search import search

SOUGHT = Needles(("marmalade",), ("req_77",), ("quiet violet lantern",))


@pytest.mark.parametrize("block", [4096, 100_000, 8 << 20])
@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("id", "req_77", {"req_77"}),
        ("id", "req_777", set()),
        ("name", "marmalade", {"marmalade"}),
        ("name", "marmalades", set()),
        ("said", [{"content": "under the quiet violet lantern"}], {"quiet violet lantern"}),
        ("raw", b'{"user": "marmalade"}', {"marmalade"}),
    ],
)
def test_a_value_is_found_in_any_column_and_row(tmp_path, monkeypatch, block, column, value, found):
    monkeypatch.setattr(searching, "BLOCK", block)
    rows = {"id": "a", "name": "b", "said": [{"content": "c"}], "raw": b"d", "n": 1}
    schema = pl.Schema(
        {
            "id": pl.String,
            "name": pl.String,
            "said": pl.List(pl.Struct({"content": pl.String})),
            "raw": pl.Binary,
            "n": pl.Int64,
        }
    )
    for at in (0, 39_999):
        told = [dict(rows, **({column: value} if n == at else {})) for n in range(40_000)]
        path = tmp_path / f"{at}.parquet"
        pl.DataFrame(told, schema=schema).write_parquet(path, row_group_size=1 << 14)
        assert search([path], SOUGHT).found == ({path: found} if found else {})


def test_neighbours_in_a_batch_do_not_make_a_value(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": ["quiet violet "], "b": ["lantern"], "c": ["req_"], "d": ["77"]}).write_parquet(path)
    done = search([path], SOUGHT)
    assert done.found == {}
    assert done.unpacked > path.stat().st_size
