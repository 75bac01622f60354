"""What is put aside comes back in its order, and leaves nothing behind."""

import gc

import polars as pl

from flywheel.storage.scratch import Kept, Scratch


def test_batches_come_back_in_order_and_the_files_go_with_the_tables(tmp_path):
    scratch = Scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []
    batches = [pl.DataFrame({"a": [n, n + 1], "b": [[{"c": str(n)}], []]}) for n in range(0, 24, 2)]
    for batch in batches:
        scratch.add("rows", batch)
    tables = Kept({"rows": scratch.scan("rows")}, scratch)
    del scratch
    gc.collect()
    assert tables["rows"].lazy().collect().equals(pl.concat(batches))
    assert len(list(tmp_path.iterdir())) == 1
    del tables
    gc.collect()
    assert list(tmp_path.iterdir()) == []
