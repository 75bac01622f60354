"""A law: the curated pool is the same however rows are ordered, batched and divided into days, and whenever they arrived."""

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.edits.redact_email import RedactEmail
from flywheel.filters.too_short import TooShort
from flywheel.labels import COMPARISONS, LABELS, LEDGER
from flywheel.lineage import Dataset, Derivation, Part, cause
from flywheel.records import CONVERSATIONS
from flywheel.signals.exact_duplicate import ExactDuplicate
from flywheel.signals.length import Length
from flywheel.signals.near_duplicate import NearDuplicate
from flywheel.stages.curate import curate, screen
from flywheel.stages.measure import match, measure, relate
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat

SIGNALS = (ExactDuplicate(), Length(), NearDuplicate(threshold=0.6, ngram=2))
BASES = (
    "the parcel left our warehouse this morning and arrives within two working days at your door",
    "to reset the router hold the small button on its back for ten seconds and then wait",
    "라우터를 초기화하려면 뒷면의 작은 버튼을 십 초 동안 누른 다음 잠시 기다려 주세요",
    "yes",
)
FIRST = dt.date(2026, 3, 2)
Said = list[tuple[int, tuple[int, ...], bool]]

said = st.lists(
    st.tuples(st.integers(0, len(BASES) - 1), st.lists(st.integers(0, 8), max_size=2).map(tuple), st.booleans()),
    min_size=1,
    max_size=12,
)
"""For each row: the text it starts from, the words that are others in it, and whether it names an address."""


def rows_of(said: Said) -> pl.DataFrame:
    frames = []
    for n, (base, changed, address) in enumerate(said):
        words = BASES[base].split()
        for at in changed:
            words[at % len(words)] = f"word{at}"
        reply = " ".join([*words, *(["a@b.org"] if address else [])])
        frames.append(chat("user: help me", f"assistant: {reply}", id=f"l:{n:02}"))
    return pl.concat(frames)


def on_days(rows: pl.DataFrame, days: list[int]) -> dict[str, pl.DataFrame]:
    """The rows by day; the days are only how they are divided, not when they happened."""
    dated = rows.with_columns(day=pl.Series([FIRST + dt.timedelta(days=d) for d in days[: rows.height]], dtype=pl.Date))
    return {str(day): part for (day,), part in dated.partition_by("day", as_dict=True).items()}


def put(store: Store, name: str, tables: dict[str, dict[str, pl.DataFrame]], schemas: dict[str, pl.Schema]) -> Snapshot:
    parts = [
        Part(day, cause(name, *[t.write_json() for t in of_day.values()]), lambda t=of_day: t)
        for day, of_day in sorted(tables.items())
    ]
    made = Derivation(operation=f"{name} {sorted(p.key for p in parts)}")
    return store.publish(Dataset(name, schemas, parts, made))


def pool(store: Store, days: dict[str, pl.DataFrame], keep: str) -> tuple[list[tuple], list[tuple]]:
    """What stays and what goes, after every stage from conversations on."""
    calls = put(store, "conversations", {d: {"rows": r} for d, r in days.items()}, {"rows": CONVERSATIONS})
    labels = put(store, "labels", {}, {"rows": LABELS, "comparisons": COMPARISONS, "ledger": LEDGER})
    measured = store.publish(measure(calls, SIGNALS))
    matches = store.publish(match(measured, SIGNALS))
    signals = store.publish(relate(measured, SIGNALS, matches))
    screened = store.publish(screen(calls, measured, labels, (RedactEmail(),), (TooShort(min_words=2),), b"k" * 32))
    curated = store.publish(curate(screened, measured, signals, labels, SIGNALS, keep))
    kept = curated.scan().select("id", "digest", "exact_group", "near_group", "near_similarity", "reply_words")
    gone = curated.scan("rejected").select("id", pl.col("reasons").list.join(" "), "instead", "similarity")
    return kept.sort("id").collect().rows(), gone.sort("id").collect().rows()


@settings(max_examples=25, deadline=None)
@given(said, st.data(), st.sampled_from(["best_feedback", "newest", "longest"]))
def test_the_pool_does_not_depend_on_order_or_days_and_incremental_is_full(said, data, keep):
    rows = rows_of(said)
    days = data.draw(st.lists(st.integers(0, 3), min_size=len(said), max_size=len(said)), label="days")
    order = data.draw(st.permutations(range(rows.height)), label="order")
    with tempfile.TemporaryDirectory() as folder:
        whole = pool(Store(Path(folder) / "whole"), on_days(rows, [0] * len(said)), keep)
        divided = on_days(rows[order], [days[n] for n in order])
        assert pool(Store(Path(folder) / "divided"), divided, keep) == whole
        grown = Store(Path(folder) / "grown")
        for some in range(1, len(divided) + 1):  # day after day, in the order of the calendar or against it
            arrived = sorted(divided, reverse=days[0] % 2 == 1)[:some]
            found = pool(grown, {day: divided[day] for day in arrived}, keep)
        assert found == whole
