"""Corpora: documents kept whole, and how they pack."""

import polars as pl
import pytest

from flywheel.sets.corpus import Corpus, pack
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparisons_of, labels_of, pool_of, published, screened_of
from tests.trainers import told


def documents():
    return screened_of(
        *[
            chat("user: write", f"assistant: {n} words", id=f"d{n}", user=n, metadata=told)
            for n, told in (("900", None), ("300", '{"license": "CC0-1.0"}'), ("50", "{}"))
        ]
    )


def counted(rows):
    tokens = pl.col("id").str.strip_prefix("d").cast(pl.Int32)
    return pool_of(rows).with_columns(reply_tokens_o200k=tokens, prompt_tokens_o200k=pl.lit(1, pl.Int32))


@pytest.mark.parametrize(
    ("tokens", "sequences", "split"),
    [([900, 300, 50], 2, 0), ([1024], 1, 0), ([1025], 2, 1), ([], 0, 0), ([600, 600, 400, 400], 2, 0), ([0, 0], 1, 0)],
)
def test_row_1_packing(tokens, sequences, split):
    found = pack(tokens, 1024)
    assert (found["sequences"], found["split"], found["documents"], found["tokens"]) == (
        sequences, split, len(tokens), sum(tokens)
    )  # fmt: skip


def test_row_1_documents_are_kept_separate_and_reported():
    rows = documents()
    wanted, pool = Corpus(name="c"), counted(rows).lazy()
    picked = wanted.pick(pool, labels_of().lazy(), comparisons_of().lazy())
    assert picked.select("id", "reasons").rows() == [("d300", []), ("d50", []), ("d900", [])]
    assert wanted.report(picked, pool)["packing"] == {
        "documents": 3, "tokens": 1250, "sequence_tokens": 1024, "sequences": 2, "split": 0, "fill": 0.6104,
    }  # fmt: skip


def test_a_longer_document_is_dropped_only_on_demand():
    rows = documents()
    wanted = Corpus(name="c", sequence_tokens=500, longer="drop")
    picked = wanted.pick(counted(rows).lazy(), labels_of().lazy(), comparisons_of().lazy())
    assert dict(picked.select("id", pl.col("reasons").list.first()).rows()) == {
        "d300": None, "d50": None, "d900": "LONGER_THAN_SEQUENCE"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "messages", "document"),
    [
        ("reply", ["system: s", "user: q", "assistant: a"], "a"),
        ("conversation", ["system: s", "user: q", "assistant: a"], "q\n\na"),
        ("reply", ["user: q", "assistant:  "], None),
    ],
)
def test_what_the_document_is(text, messages, document):
    *prompt, reply = [told(m) for m in messages]
    formed = Corpus(name="c", text=text).form(prompt, [reply], {"metadata": '{"license": "CC-BY-4.0"}'})
    assert formed.reasons == (() if document else ("NO_TEXT",))
    assert [m["content"] for m in formed.completion] == ([document] if document else [])
    assert formed.columns == ({"licence": "CC-BY-4.0"} if document else {})


def test_row_1_a_set_of_documents(tmp_path):
    found = published(Store(tmp_path), documents())
    wanted = Corpus(name="c")
    made = Store(tmp_path).publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    rows = made.scan().sort("id").collect()
    assert rows["id"].to_list() == ["d300", "d50", "d900"]
    assert rows["prompt"].to_list() == [[], [], []]
    assert rows.select("source", "licence").rows() == [
        ("openai_chat", "CC0-1.0"),
        ("openai_chat", None),
        ("openai_chat", None),
    ]
    assert [c[0]["content"] for c in rows["completion"].to_list()] == ["300 words", "50 words", "900 words"]
