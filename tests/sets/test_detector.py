"""Detectors: texts labelled by who wrote them."""

import polars as pl
import pytest

from flywheel.exports.huggingface import HuggingFace
from flywheel.kinds import Split
from flywheel.quality.measures import candidate as measured
from flywheel.sets import PICKED
from flywheel.sets.detector import Detector
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparisons_of, labels_of, pool_of, published, screened_of
from tests.trainers import told

BY_SOURCE = Split(validation=0.4, by=("conversation", "user", "duplicates", "source"))
SOURCES = {"gateway": "logged", "batch": "logged", "letters": "demonstrated", "manuals": "demonstrated"}


def written():
    """Thirty replies of each of two models, and ten of each of two groups of people."""
    sizes = {"gateway": 30, "batch": 30, "letters": 10, "manuals": 10}
    return screened_of(
        *[
            chat(f"user: about {s} {n}", f"assistant: text {n} of {s[::-1]}", id=f"{s}:{n}", conversation_id=f"{s}:{n}", user=f"{s}{n}",
                 source=s, origin=SOURCES[s])
            for s, size in sizes.items()
            for n in range(size)
        ],
        undesired={"gateway:1": ["refusal"]},
    )  # fmt: skip


def test_row_166_a_detector_set_is_half_of_either_origin_split_by_source_without_ids(tmp_path):
    found = published(Store(tmp_path), written())
    mix = {"origin": {"logged": 0.5, "demonstrated": 0.5}}
    wanted = Detector(name="d", mix=mix, split=BY_SOURCE)
    made = Store(tmp_path).publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    rows = made.scan().collect()
    assert rows.height == 40
    assert dict(rows.group_by("label", "origin").len().select(pl.struct("label", "origin").struct.json_encode(), "len").rows()) == {
        '{"label":true,"origin":"logged"}': 20, '{"label":false,"origin":"demonstrated"}': 20,
    }  # fmt: skip
    sides = rows.group_by("source").agg(pl.col("split").n_unique())
    assert sides["split"].to_list() == [1] * 4
    assert set(rows["split"]) == {"train", "validation"}
    numbers = measured(wanted, made, found["curated"], ())
    leaks = numbers.filter(metric="leaking_groups")
    assert dict(leaks.select("segment", "value").drop_nulls("segment").rows())["source"] == 0.0
    lines = [HuggingFace().render(r) for r in rows.iter_rows(named=True)]
    assert {tuple(line) for line in lines} == {("text", "label")}
    names = [*SOURCES, *rows["id"]]
    assert not [name for line in lines for name in names if name in line["text"]]


def test_what_filters_call_undesired_is_told_apart_too_and_an_unknown_origin_is_not():
    rows = written().with_columns(origin=pl.when(pl.col("id") == "batch:0").then(None).otherwise("origin"))
    picked = Detector(name="d").pick(pool_of(rows).lazy(), labels_of().lazy(), comparisons_of().lazy())
    assert picked.schema == PICKED
    assert picked.filter(pl.col("reasons").list.len() > 0).select("id", "reasons").rows() == [
        ("batch:0", ["UNKNOWN_ORIGIN"])
    ]
    assert dict(picked.select("id", "label").rows())["gateway:1"]


@pytest.mark.parametrize(("said", "text"), [("assistant:  a b ", "a b"), ("assistant:   ", None)])
def test_the_text_is_the_reply_alone(said, text):
    formed = Detector(name="d").form([told("system: s"), told("user: q")], [told(said)], {})
    assert (formed.prompt, formed.reasons) == ((), () if text else ("NO_TEXT",))
    assert [m["content"] for m in formed.completion] == ([text] if text else [])
