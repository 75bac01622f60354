"""What the UI shows of a dataset: numbers and figures, small, and never the text of a log in Markdown."""

import re
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._serdes import serialize_value

from assets.metadata import (
    ROWS,
    cell_of,
    describe,
    describe_catalog,
    describe_release,
    outliers,
    running,
    selection,
    table_of,
)
from flywheel.home import Home
from flywheel.lineage import Dataset, Derivation, Part, cause
from flywheel.stages.export import Release
from flywheel.storage.catalog import Catalog
from flywheel.storage.snapshots import Snapshot, Store
from tests.pools import snapshot

HOSTILE = "![x](http://evil/b.png)<script>alert(1)</script>"
ALL = (
    "raw_files",
    "conversations",
    "feedback",
    "labels",
    "measurements",
    "matches",
    "signals",
    "screened",
    "curated",
    "answers",
)
FIGURES = {
    "raw_files": "lines_read",
    "conversations": "acquired_per_day",
    "feedback": "acquired_per_day",
    "labels": "feedback_events",
    "measurements": "length_of_replies",
    "matches": "pairs",
    "signals": "copies",
    "screened": "left_after_each_filter",
    "curated": "from_conversations_to_pool",
    "answers": "examples",
}


def candidate(folder: Path, cells: int, reasons: int, word: str = "cell") -> Snapshot:
    """A set with as many cells of its mix and reasons for rejection, all named by a log."""
    rows = pl.DataFrame({"id": [f"{i}" for i in range(cells)]})
    no = pl.DataFrame({"id": [f"n{i}" for i in range(reasons)], "reasons": [[f"{word} {i}"] for i in range(reasons)]})
    no = no.cast({"reasons": pl.List(pl.String)})
    made = [{"cell": f"app={word}{i}, language=ko", "wanted": 9, "available": 5, "made": 5} for i in range(cells)]
    return Store(folder).publish(
        Dataset(
            name="a_set",
            schemas={"rows": rows.schema, "rejected": no.schema},
            parts=[Part("all", cause(word, cells, reasons), lambda: {"rows": rows, "rejected": no})],
            derivation=Derivation(operation="test"),
            notes={"cells": made, "train": cells, "validation": 0, "missing": 4 * cells},
        )
    )


def markdown(shown: dict[str, dg.MetadataValue]) -> list[str]:
    return [str(v.value) for v in shown.values() if isinstance(v, dg.MarkdownMetadataValue)]


def size(shown: dict[str, dg.MetadataValue]) -> int:
    return len(serialize_value(dg.AssetMaterialization("a", metadata=shown)))


@pytest.mark.slow
@pytest.mark.parametrize("asset", ALL)
def test_every_dataset_has_its_count_and_its_figure(built: Home, asset: str) -> None:
    before = [built.store.head("screened")] if asset == "curated" else []
    shown = describe(built.store.head(asset), before)
    assert shown["dagster/row_count"].value == {"raw_files": 2, "feedback": 12, "labels": 12, "matches": 2}.get(
        asset, 24
    )
    assert isinstance(shown[FIGURES[asset]], dg.MarkdownMetadataValue)
    assert shown["version"].value == built.store.head(asset).version
    assert size(shown) < 10_000


@pytest.mark.slow
def test_the_pool_is_shown_from_the_first_conversation_on(built: Home) -> None:
    shown = describe(built.store.head("curated"), [built.store.head("screened")])
    figure = str(shown["from_conversations_to_pool"].value)
    assert "%3Econversations 24%3C" in figure
    assert "%3Eafter the filters 24%3C" in figure


def test_row_138_the_pool_shows_its_clusters_and_what_leaving_them_out_shifted(tmp_path: Path) -> None:
    apps = [f"{HOSTILE} {i % 40}" for i in range(200)]
    rows = pl.DataFrame(
        {"id": [f"{i:03}" + "x" * 90 for i in range(200)], "app": apps, "model": apps, "language": apps}
    )
    gone = rows.head(100).select("id", reasons=pl.lit(["near_duplicate"]), instead=rows["id"].tail(100), similarity=0.9)
    store = Store(tmp_path)
    screened = snapshot(store, "screened", {"rows": rows, "rejected": rows.select("id", reasons=pl.lit(["x"])).clear()})
    curated = snapshot(store, "curated", {"rows": rows.tail(100), "rejected": gone})
    shown = describe(curated, [screened])
    shifted, largest = shown["shift"], shown["largest_clusters"]
    assert isinstance(shifted, dg.TableMetadataValue)
    assert isinstance(largest, dg.TableMetadataValue)
    assert [r.data["axis"] for r in shifted.records] == ["language", "language", "app", "app", "model", "model"]
    assert len(largest.records) == 5
    assert largest.records[0].data["rows"] == 2
    figure = shown["language_kept_of_before"]
    assert isinstance(figure, dg.MarkdownMetadataValue)
    assert "3 of 5" in str(figure.value) or "2 of 5" in str(figure.value)
    assert size(shown) < 10_000
    assert all("evil/" not in text for text in markdown(shown))


@pytest.mark.slow
def test_no_text_of_a_log_is_shown_as_markdown(built: Home) -> None:
    for asset in ALL:
        for text in markdown(describe(built.store.head(asset))):
            assert re.fullmatch(r"!\[plot\]\(<data:image/svg\+xml,[^<>\n]*>\)", text)
            assert "Please" not in text
            assert "Answer" not in text


def test_hostile_names_of_cells_and_reasons_stay_names(tmp_path: Path) -> None:
    shown = describe(candidate(tmp_path, 3, 3, HOSTILE))
    (figure,) = markdown(shown)
    assert len(figure) < 1000
    assert "evil/" not in figure
    assert "script%3E" not in figure
    cells = shown["cells"]
    assert isinstance(cells, dg.TableMetadataValue)
    assert HOSTILE[:20] in str(cells.records[0].data["cell"]), "a table shows it as it is: there it is only text"


def test_metadata_stays_small_whatever_there_is_to_show(tmp_path: Path) -> None:
    assert size(describe(candidate(tmp_path, 400, 300, "a long name of a cell, " * 20))) < 10_000


def test_made_and_wanted_are_shown_for_every_cell(tmp_path: Path) -> None:
    (figure,) = markdown(describe(candidate(tmp_path, 2, 0)))
    assert "cell0, ko 5 of 9" in figure


def test_cells_are_shown_without_the_names_of_their_axes() -> None:
    assert cell_of("app=faq, language=ko") == "faq, ko"
    assert cell_of("") == ""
    assert cell_of("no axis") == "no axis"


def test_what_is_left_after_each_loss() -> None:
    assert running(("all", 10), [("a", 3), ("b", 0)]) == [("all", 10), ("a", 7), ("b", 7)]


def test_tables_are_short_and_so_are_their_texts() -> None:
    table = table_of(pl.DataFrame({"text": ["x" * 999] * 99, "n": list(range(99)), "share": [0.5] * 99}))
    assert len(table.records) == ROWS
    assert table.records[0].data == {"text": "x" * 60, "n": 0, "share": 0.5}
    assert [c.type for c in table.schema.columns] == ["string", "int", "float"]


def test_a_release_says_where_it_lies_and_who_read_it_back(tmp_path: Path) -> None:
    made = Release(
        set="answers",
        kind="sft",
        version="0123456789ab",
        path=tmp_path,
        counts={"train": 7, "validation": 1},
        files={"train.jsonl": 7, "validation.jsonl": 1},
        refused={},
        readers={"train.jsonl": "openai"},
        remarks=["Small."],
        fresh=True,
    )
    shown = describe_release(made)
    assert shown["dagster/row_count"].value == 8
    assert shown["path"].value == str(tmp_path)
    assert shown["remarks"].value == "Small."
    assert [r.data for r in shown["files"].records] == [  # type: ignore[attr-defined]
        {"file": "train.jsonl", "lines": 7, "read_back_by": "openai"},
        {"file": "validation.jsonl", "lines": 1, "read_back_by": ""},
    ]


@pytest.mark.slow
def test_the_catalog_says_what_is_in_it_and_how_to_ask(built: Home) -> None:
    with Catalog.open(built) as catalog:
        shown = describe_catalog(catalog)
    assert shown["path"].value == str(built.catalog_file)
    assert {"conversations", "curated", "releases"} <= set(str(shown["tables"].value).split(", "))


def test_row_24_the_frontier_of_a_selection_is_drawn_and_tabled() -> None:
    notes = {"kept": 3, "left_out": 5, "frontier": [{"size": n, "mean_score": 1 / n} for n in (1, 2, 4, 8)]}
    shown = selection(notes)
    assert isinstance(shown["size_and_mean_score"], dg.MarkdownMetadataValue)
    assert shown["selection_frontier"].records[2].data == {"size": 4, "mean_score": 0.25}
    assert shown["selection"].records[0].data == {"kept": 3, "left_out": 5}


def test_row_133_outliers_are_listed_with_why_and_what_became_of_them(tmp_path):
    store = Store(tmp_path)
    scores = {"s:1": 3.0, "s:2": 30.0, "s:3": 20.0, "s:4": 25.0, "s:5": None}
    told = pl.DataFrame({"id": list(scores), "anomaly_score": list(scores.values()), "anomaly_why": ["it repeats"] * 5})
    signals = snapshot(store, "signals", {"rows": told})
    no = pl.DataFrame({"id": ["s:2"], "reasons": [["anomaly"]]})
    curated = snapshot(store, "curated", {"rows": told.filter(pl.col("id").is_in(["s:1", "s:3"])), "rejected": no})
    table = outliers(curated, [signals])["outliers"].value
    assert [(r.data["id"], r.data["score"], r.data["action"]) for r in table.records] == [
        ("s:2", 30.0, "left out: anomaly"),
        ("s:4", 25.0, "left out by a filter"),
        ("s:3", 20.0, "kept"),
        ("s:1", 3.0, "kept"),
    ]
    assert table.records[0].data["why"] == "it repeats"
    assert outliers(curated, []) == {}
    assert outliers(signals, [signals]) == {}
