"""Who was kept for whom, and what that does to shares."""

from collections.abc import Mapping

import polars as pl
import pytest

from flywheel.duplicates.clusters import SHIFT, AxisUnknown, clusters, known_axes, report, shift
from flywheel.errors import SnapshotMissing
from flywheel.records import REJECTED, conform
from flywheel.storage.snapshots import Snapshot, Store
from tests.pools import snapshot


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def pool(store: Store, columns: Mapping[str, list], gone: Mapping[str, tuple[str, str, float | None]]) -> Snapshot:
    """The snapshots of a build: rows 1, 2, … with these columns; of those gone, the row kept, the reason and similarity."""
    rows = pl.DataFrame(
        {"id": [str(i + 1) for i in range(len(next(iter(columns.values()))))], **columns},
        schema_overrides={"id": pl.String},
    )
    no = [{"id": i, "reasons": [why], "instead": kept, "similarity": alike} for i, (kept, why, alike) in gone.items()]
    rejected = pl.DataFrame([{c: r.get(c) for c in REJECTED} for r in no], schema=REJECTED)
    snapshot(store, "screened", {"rows": rows})
    snapshot(store, "signals", {"rows": rows.select("id", "language") if "language" in columns else rows.select("id")})
    return snapshot(
        store,
        "curated",
        {"rows": rows.filter(~pl.col("id").is_in(list(gone))), "rejected": conform(rejected, REJECTED)},
    )


def shares(table: pl.DataFrame) -> dict[str, tuple[int, int, float, float]]:
    return {v: rest for v, *rest in table.select("value", "before", "after", "share_before", "share_after").rows()}


def test_row_138_the_distribution_before_and_after(store: Store) -> None:
    """Five rows in the clusters {1, 3, 4}, {2} and {5}: 1, 2 and 5 are kept, red falls from 60% to a third."""
    colours = {"app": ["red", "blue", "red", "red", "green"]}
    curated = pool(store, colours, {"3": ("1", "exact_duplicate", 1.0), "4": ("1", "near_duplicate", 0.9)})
    assert curated.scan().select("id").collect().to_series().to_list() == ["1", "2", "5"]
    (cluster,) = clusters(curated).to_dicts()
    assert cluster == {
        "kept": "1",
        "rows": 3,
        "reasons": ["exact_duplicate", "near_duplicate"],
        "similarity": 0.9,
        "members": ["3", "4"],
    }
    table = shift(curated, [store.head("screened")], "app")
    assert table.schema == SHIFT
    assert shares(table) == {
        "red": [3, 1, 0.6, pytest.approx(1 / 3, abs=1e-6)],
        "blue": [1, 1, 0.2, pytest.approx(1 / 3, abs=1e-6)],
        "green": [1, 1, 0.2, pytest.approx(1 / 3, abs=1e-6)],
    }
    assert table["value"].to_list() == ["red", "blue", "green"], "the largest shift first"
    assert table["shift"].sum() == pytest.approx(0, abs=1e-5)


def test_row_138_the_report_of_a_build(store: Store) -> None:
    gone = {"2": ("1", "exact_duplicate", 1.0), "3": ("1", "exact_duplicate", 1.0), "5": ("4", "near_duplicate", 0.85)}
    pool(store, {"language": ["ko", "ko", "ko", "en", "en"], "app": ["faq"] * 5}, gone)
    found = report(store)
    assert (found["rows_before"], found["rows_after"], found["clusters"]) == (5, 2, 2)
    assert found["removed"] == {"exact_duplicate": 2, "near_duplicate": 1}
    assert [(c["kept"], c["rows"]) for c in found["largest"]] == [("1", 3), ("4", 2)]
    assert [(s["axis"], s["value"], s["shift"]) for s in found["shift"]] == [
        ("language", "en", 0.1),
        ("language", "ko", -0.1),
        ("app", "faq", 0.0),
    ]
    short = report(store, ["app"], limit=1)
    assert [c["members"] for c in short["largest"]] == [["2"]]
    assert len(short["shift"]) == 1


def test_a_copy_of_a_row_that_is_not_kept_itself_belongs_to_the_row_that_is(store: Store) -> None:
    gone = {"2": ("3", "near_duplicate", 0.9), "3": ("1", "shared_passages", 0.6)}
    (cluster,) = clusters(pool(store, {"app": ["a", "a", "a"]}, gone)).to_dicts()
    assert (cluster["kept"], cluster["members"]) == ("1", ["2", "3"])


def test_numbers_are_binned_and_what_is_not_known_is_told(store: Store) -> None:
    curated = pool(
        store, {"reply_words": [0, 1, 2, 3, 4, 7, 8, 2**40, None], "latency_ms": [0.04, 0.06] + [1.0] * 7}, {}
    )
    screened = [store.head("screened")]
    words = shares(shift(curated, screened, "reply_words"))
    assert {v: n for v, (n, *_) in words.items()} == {
        "0": 1, "1": 1, "2-3": 2, "4-7": 2, "8-15": 1, f"{2**40}-{2**41 - 1}": 1, "(none)": 1,
    }  # fmt: skip
    assert set(shares(shift(curated, screened, "latency_ms"))) == {"0.0", "0.1", "1.0"}


def test_an_axis_there_is_not_names_the_nearest(store: Store) -> None:
    curated = pool(store, {"app": ["a"]}, {})
    with pytest.raises(AxisUnknown, match=r'no axis "ap"\. Did you mean "app"'):
        shift(curated, [store.head("screened")], "ap")
    assert known_axes(curated, [store.head("screened")]) == ["app"]


def test_a_pool_of_nothing_and_no_pool(store: Store) -> None:
    with pytest.raises(SnapshotMissing):
        report(store)
    pool(store, {"app": []}, {})
    found = report(store)
    assert (found["rows_before"], found["largest"], found["shift"]) == (0, [], [])
