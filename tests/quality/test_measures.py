"""What is counted, and that every metric a check names is counted even where there is nothing."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import polars as pl
import pytest

from flywheel.edits.redact_email import RedactEmail
from flywheel.kinds import Signal, Split, Threshold
from flywheel.labels import COMPARISONS, LABELS, LEDGER, FeedbackPolicy
from flywheel.lineage import Dataset, Derivation, Part
from flywheel.protection.policy import Policy
from flywheel.quality import guidelines, looked_at, loop, measures, rights
from flywheel.quality.expectations import Finding, judge
from flywheel.quality.tally import MEASURES
from flywheel.quality.targets import set_targets, wanted
from flywheel.recipe import parse_recipe
from flywheel.records import CONVERSATIONS, FEEDBACK, QUARANTINE, REJECTED, SET_ASIDE, SLIM, conform, message
from flywheel.rewriting import EDITS_MADE, RESIDUE, every_redaction, residue
from flywheel.rights.clearance import RIGHTS, Clearance
from flywheel.sets import EXAMPLES, REJECTED_EXAMPLES
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.reward import Reward
from flywheel.sets.sft import Sft
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.signals.language import Language
from flywheel.signals.near_duplicate import NearDuplicate
from flywheel.stages.assemble import Inputs, assemble
from flywheel.stages.reserve import evaluation_kept_out
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat, rows
from tests.pools import published, screened_of, snapshot

FILES = pl.Schema({"file": pl.String, "name": pl.String, "size": pl.Int64, "lines": pl.Int64, "accepted": pl.Int64, "quarantined": pl.Int64})  # fmt: skip
RAW = {"conversations": CONVERSATIONS, "feedback": FEEDBACK, "quarantine": QUARANTINE, "files": FILES}
CALLS = {"rows": CONVERSATIONS, "set_aside": SET_ASIDE}
EVENTS = {"rows": FEEDBACK, "set_aside": SET_ASIDE}
LABELLED = {"rows": LABELS, "comparisons": COMPARISONS, "ledger": LEDGER}
EDITS = EDITS_MADE
SCREENED = {
    "rows": pl.Schema({**CONVERSATIONS, "undesired": pl.List(pl.String)}),
    "rejected": REJECTED,
    "edits": EDITS,
    "residue": RESIDUE,
}
MEASURED = {"rows": pl.Schema({"id": pl.String, "day": pl.Date, "reply_words": pl.Int32, "language": pl.String, "near_group": pl.String, "near_similarity": pl.Float64})}  # fmt: skip
POOL = pl.Schema({**{c: CONVERSATIONS[c] for c in SLIM}, "language": pl.String, "exact_group": pl.String, "near_group": pl.String, "benchmark_hit": pl.String, "benchmark_share": pl.Float64,
        "benchmark_nearest": pl.String,
        "benchmark_margin": pl.Float64, "undesired": pl.List(pl.String)})  # fmt: skip
CURATED = {"rows": POOL, "rejected": REJECTED}
SET = {"rows": EXAMPLES, "rejected": REJECTED_EXAMPLES, "residue": RESIDUE}
TEXTS = ("messages", "prompt", "completion", "rejected", "tools")
VERDICTS = [
    (subject, verdict)
    for subject in ("licence", "teacher")
    for verdict in ("permitted", "forbidden", "unknown", "undeclared")
]
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
EMAIL = RedactEmail()


@pytest.fixture
def put(tmp_path):
    """Publish tables as a snapshot: put(SCHEMAS, rows=..., rejected=...). Each value is a frame or a list of dictionaries."""
    store, made = Store(tmp_path), iter(range(99))

    def publish(schemas: dict[str, pl.Schema], notes=None, **tables) -> Snapshot:
        name = f"d{next(made)}"

        def frame(table: str) -> pl.DataFrame:
            if table == "residue":  # as the stages make it
                rows = frame("rows")
                return residue(rows, every_redaction(()), [c for c in TEXTS if c in rows.columns])
            given = tables.get(table, [])
            if isinstance(given, list):
                given = pl.DataFrame([{c: r.get(c) for c in schemas[table]} for r in given], schema=schemas[table])
            return conform(given, schemas[table])

        part = Part("all", name, lambda: {t: frame(t) for t in schemas})
        return store.publish(Dataset(name, schemas, [part], Derivation(operation=name), notes=notes or {}))

    return publish


def values(table: pl.DataFrame, metric: str) -> dict[str, float]:
    assert table.schema == MEASURES
    return dict(table.filter(metric=metric).select("segment", "value").iter_rows())


def whole(table: pl.DataFrame, metric: str) -> tuple[float, int]:
    [row] = table.filter(metric=metric, segment="").select("value", "n").rows()
    return row


def at(file: str, line: int) -> list[dict]:
    return [{"file": file, "line": line, "offset": 0, "length": 1, "digest": "d"}]


def raw_file(file: str, lines: int, bad: int = 0) -> dict:
    return {
        "file": file,
        "name": f"{file}.jsonl",
        "size": 9,
        "lines": lines,
        "accepted": lines - bad,
        "quarantined": bad,
    }


# --- everything that is named is there


def bench(folder) -> BenchmarkOverlap:
    """The signal, looking for one item."""
    (folder / "bench.jsonl").write_text('{"question": "how many ducks does the farmer next door keep"}')
    return BenchmarkOverlap(files=("bench.jsonl",)).located(folder)


def meant(folder) -> BenchmarkSimilarity:
    """The signal that looks for it in other words."""
    return BenchmarkSimilarity(files=bench(folder).files).located(folder)


GUARDED = Policy(drop_fields=("gender",), types={"metadata.score": "float"})


def everything(put, folder) -> dict[str, pl.DataFrame]:
    """The measures of each asset over datasets without a row."""
    files, calls, events, pool = put(RAW), put(CALLS), put(EVENTS), put(CURATED)
    screened, policy = put(SCREENED), FeedbackPolicy()
    kinds = (Sft, Preference, Kto, Reward)
    guards = loop.measured(put(SET), pool, calls, loop.Loop(max_synthetic_share=0.5), "", [])
    cleared = rights.counted(Clearance(pl.DataFrame(schema=RIGHTS), 0, dict.fromkeys(VERDICTS, 0), 0))
    sets = {
        k.__name__: pl.concat(
            [
                measures.candidate(
                    k(name="s", mix={"language": {"en": 1.0}}),
                    put(SET),
                    pool,
                    [EMAIL],
                    bench(folder),
                    GUARDED,
                    meant(folder),
                ),
                guards,
                cleared,
                looked_at.measured(replace(put(SET), notes={"looked_at": UNSEEN})),
                evaluation_kept_out(put(SET), None),
            ]
        ).sort("metric", "segment")
        for k in kinds
    }
    return sets | {
        "raw_files": measures.raw_files(files, []),
        "conversations": measures.conversations(files, calls, events, GUARDED),
        "feedback": pl.concat([measures.feedback(files, events), guidelines.measured(events, (BY,))]).sort(
            "metric", "segment"
        ),
        "labels": measures.labels(put(LABELLED), calls, policy),
        "signals": measures.signals(put(MEASURED), calls, (_Words(), Language(), NearDuplicate())),
        "screened": measures.screened(screened, calls, [EMAIL], GUARDED),
        "curated": measures.curated(pool, screened),
        "release": measures.release([], []),
    }


BY = guidelines.Guideline(name="tone", version="1", text="Be brief.")
UNSEEN = {"examples": 0, "looked_at": 0, "share": 0.0, "agreement": None, "compared": 0}


def test_every_metric_of_a_target_is_there_when_nothing_else_is(put, tmp_path):
    for asset, table in everything(put, tmp_path).items():
        kind = {"Sft": Sft, "Preference": Preference, "Kto": Kto, "Reward": Reward}.get(asset)
        targets = set_targets(kind(name="s")) if kind else wanted(asset, {})
        for target in targets:
            found = table.filter(metric=target.metric)
            assert found.height, f"{asset}: {target.metric}"
            assert found["value"].is_finite().all()
        assert table.equals(table.sort("metric", "segment"))
        assert not table.select(pl.struct("metric", "segment").is_duplicated().any()).item()


def test_forbidden_fields_and_types_that_drift(put):
    lines = [{"id": "a", "metadata": '{"user":{"gender":"f"},"metadata":{"score":1}}'}, {"id": "b"}]
    told = put(SCREENED, rows=lines)
    assert values(measures.screened(told, told, [], GUARDED), "forbidden_fields") == {"": 1, "gender": 1}
    assert values(measures.screened(told, told, []), "forbidden_fields") == {}  # the check is off
    calls = measures.conversations(put(RAW), put(CALLS, rows=lines), put(EVENTS), GUARDED)
    assert values(calls, "type_drift") == {"": 1, "metadata.score is int": 1}


# --- raw files, conversations, feedback


def test_raw_files(put):
    bad = [
        {"file": "a", "line": i, "offset": 0, "reason": r, "raw": b"x"}
        for i, r in ((1, "not_json"), (2, "not_json"), (3, "too_long"))
    ]
    files = put(RAW, files=[raw_file("a", 30, 3), raw_file("b", 70)], quarantine=bad)
    table = measures.raw_files(files, ["raw file b.jsonl changed"])
    assert whole(table, "quarantined_share") == (0.03, 100)
    assert values(table, "quarantined_lines") == {"not_json": 2, "too_long": 1}
    assert values(table, "changed_files") == {"": 1, "raw file b.jsonl changed": 1}
    assert values(measures.raw_files(files, []), "changed_files") == {"": 0}
    assert values(table, "quarantined_in") == {"a.jsonl": 3}


def lines_and_calls(put, **lost):
    """Two files: four lines of calls (one of two choices, one repeated, one refused), two of feedback."""
    read = rows(
        chat("user: a", "assistant: b", id="s:1", raw=at("a", 1)),
        chat("user: a", "assistant: c", id="s:1#1", raw=at("a", 1)),
        chat("user: a", "assistant: d", id="s:2", raw=at("a", 2)),
    )
    events = [{"feedback_id": f"f:{i}", "raw": at("b", i), "occurred_at": NOON} for i in (1, 2)]
    files = put(
        RAW,
        files=[raw_file("a", 4, 1), raw_file("b", 2)],
        quarantine=[{"file": "a", "line": 4, "reason": "not_json", "raw": b"x"}],
        conversations=read,
        feedback=events,
    )
    aside = [{"id": "s:2", "file": "a", "line": 3, "offset": 0, "status": "id_conflict", "kept_id": "s:2"}]
    calls = put(
        CALLS,
        rows=read.filter(~pl.col("id").is_in(lost.get("calls", []))),
        set_aside=[] if lost.get("aside") else aside,
    )
    heard = put(EVENTS, rows=[e for e in events if e["feedback_id"] not in lost.get("events", [])])
    return files, calls, heard


@pytest.mark.parametrize(
    ("lost", "of_calls", "of_feedback"),
    [
        ({}, {"": 0}, {"": 0}),
        ({"calls": ["s:1"]}, {"": 0}, {"": 0}),  # the other choice stands for the line
        ({"calls": ["s:2"]}, {"": 1, "a.jsonl": 1}, {"": 0}),
        ({"aside": True}, {"": 1, "a.jsonl": 1}, {"": 0}),
        ({"events": ["f:2"]}, {"": 1, "b.jsonl": 1}, {"": 1, "b.jsonl": 1}),
    ],
)
def test_every_line_is_looked_for(put, lost, of_calls, of_feedback):
    files, calls, heard = lines_and_calls(put, **lost)
    table = measures.conversations(files, calls, heard)
    assert values(table, "unaccounted_lines") == of_calls
    assert values(measures.feedback(files, heard), "unaccounted_lines") == of_feedback
    assert whole(table, "unaccounted_lines")[1] == 6
    assert whole(table, "conflicting_ids")[0] == (0 if lost.get("aside") else 1)


def test_ids_that_repeat_are_counted(put):
    one = chat("user: a", "assistant: b", id="s:1")
    calls = put(CALLS, rows=rows(one, one, chat("user: a", "assistant: b", id="s:2")))
    heard = put(EVENTS, rows=[{"feedback_id": "f:1"}, {"feedback_id": "f:1"}, {"feedback_id": "f:2"}])
    assert whole(measures.conversations(put(RAW), calls, heard), "repeated_ids") == (1, 3)
    assert whole(measures.feedback(put(RAW), heard), "repeated_ids") == (1, 3)


# --- labels, signals


def event(name: str, status: str | None, hours: float = 0, **more) -> dict:
    when = NOON + dt.timedelta(hours=hours)
    return {"feedback_id": name, "status": status, "late": False, "occurred_at": when, "received_at": when} | more


def test_events_and_orphans(put):
    calls = put(CALLS, rows=chat("user: a", "assistant: b", occurred_at=NOON + dt.timedelta(hours=10)))
    ledger = [
        event("f1", "applied", late=True),
        event("f2", "orphan", -73),  # 83 hours before the newest call: longer than three days
        event("f3", "orphan", -61),  # 71 hours: may still come
        event("f4", None),
        event("f5", "lost"),
    ]
    table = measures.labels(put(LABELLED, ledger=ledger), calls, FeedbackPolicy())
    assert whole(table, "events_without_status") == (2, 5)
    assert whole(table, "orphan_share") == (0.2, 5)
    assert whole(table, "late_share") == (0.2, 5)
    assert whole(table, "hours_since_feedback") == (10, 5)
    assert values(table, "events") == {
        "applied": 1,
        "orphan": 2,
        "duplicate": 0,
        "superseded": 0,
        "contradicted": 0,
        "lost": 1,
    }
    longer = measures.labels(put(LABELLED, ledger=ledger), calls, FeedbackPolicy(orphan_after_days=4))
    assert whole(longer, "orphan_share")[0] == 0


@pytest.mark.parametrize(
    ("calls_at", "heard_at", "hours"),
    [((0, 30), (0,), 30), ((0, 30), (31,), 0), ((0, 90), (), 90), ((), (5,), 0), ((), (), 0)],
)
def test_freshness_is_told_by_the_data(put, calls_at, heard_at, hours):
    frames = [chat("user: a", "assistant: b", id=f"s:{h}", occurred_at=NOON + dt.timedelta(hours=h)) for h in calls_at]
    calls = put(CALLS, rows=rows(*frames) if frames else [])
    table = measures.labels(
        put(LABELLED, ledger=[event(f"f{h}", "applied", h) for h in heard_at]), calls, FeedbackPolicy()
    )
    assert whole(table, "hours_since_feedback")[0] == hours


def test_contradictions(put):
    labelled = [{"id": f"s:{i}", "thumb": t, "contradicted": t is None} for i, t in enumerate([1, 1, -1, None])]
    table = measures.labels(put(LABELLED, rows=labelled), put(CALLS), FeedbackPolicy())
    assert whole(table, "contradicted_share") == (0.25, 4)
    assert values(table, "thumbs") == {"up": 2, "down": 1}


class _Words(Signal, frozen=True):
    use: Literal["words"] = "words"
    gives: ClassVar[Mapping[str, Any]] = {"reply_words": pl.Int32}


def test_a_signal_that_cannot_be_measured_is_named_with_why(put):
    absent = replace(put(MEASURED), notes={"absent": {"language": "no detector is installed. Install eldc."}})
    table = measures.signals(absent, put(CALLS), (_Words(), Language()))
    assert values(table, "absent_signals") == {"": 1, "language: no detector is installed. Install eldc.": 1}
    assert values(table, "unmeasured_rows") == {"": 0, "absent": 0, "repeated": 0, "reply_words": 0}


def test_rows_that_are_not_measured(put):
    calls = put(CALLS, rows=rows(*[chat("user: a", "assistant: b", id=f"s:{i}") for i in range(4)]))
    good = {"reply_words": 3, "language": "en", "near_group": "g"}
    given = [
        {"id": "s:0", **good},
        {"id": "s:1", **good, "language": None},
        {"id": "s:2", **good},
        {"id": "s:2", **good},
    ]
    table = measures.signals(put(MEASURED, rows=given), calls, (_Words(), Language(), NearDuplicate()))
    assert values(table, "unmeasured_rows") == {
        "": 3,
        "absent": 1,
        "repeated": 1,
        "language": 1,
        "reply_words": 0,
        "near_group": 0,
    }
    assert values(table, "reply_words") == {"p05": 3, "p50": 3, "p95": 3, "max": 3}
    assert values(table, "rows_by_language") == {"en": 3, "(none)": 1}


# --- screened, curated


def screened_rows(*frames: pl.DataFrame) -> pl.DataFrame:
    return rows(*frames).with_columns(undesired=pl.lit(["refusal"], dtype=pl.List(pl.String)))


def test_screened(put):
    calls = [
        chat("user: a", "assistant: mail x@example.org or y@example.org, 4111 1111 1111 1111", id=f"s:{i}")
        for i in range(5)
    ]
    no = [
        {"id": "s:2", "reasons": ["too_short", "refusal"]},
        {"id": "s:3", "reasons": ["too_short"]},
        {"id": "s:4", "reasons": []},
    ]
    edits = [{"id": "s:0", "edit": "redact_email", "count": 2}, {"id": "s:1", "edit": "redact_email", "count": 1}]
    snapshot = put(SCREENED, rows=screened_rows(*calls[:2]), rejected=no, edits=edits)
    table = measures.screened(snapshot, put(CALLS, rows=rows(*calls)), [EMAIL])
    assert values(table, "unaccounted_rows") == {
        "": 1,
        "without a reason": 1,
        "kept and rejected": 0,
        "from nowhere": 0,
    }
    assert values(table, "pii_residue") == {"": 4, "EMAIL": 4}
    assert "EMAIL" not in values(table, "pii_unredacted")
    assert values(table, "pii_unredacted")["CARD"] == 2
    assert whole(table, "kept_share") == (0.4, 5)
    assert values(table, "rejected") == {"too_short": 2, "refusal": 1}
    assert values(table, "rejected_alone") == {"too_short": 1}
    assert values(table, "undesired") == {"refusal": 2}
    assert values(table, "edited") == {"redact_email": 3}


def test_rows_from_nowhere_and_rows_that_are_both(put):
    calls = put(CALLS, rows=chat("user: a", "assistant: b", id="s:0"))
    kept = screened_rows(chat("user: a", "assistant: b", id="s:0"), chat("user: a", "assistant: b", id="s:9"))
    table = measures.screened(put(SCREENED, rows=kept, rejected=[{"id": "s:0", "reasons": ["x"]}]), calls, [])
    assert values(table, "unaccounted_rows") == {
        "": 2,
        "without a reason": 0,
        "kept and rejected": 1,
        "from nowhere": 1,
    }
    assert values(table, "pii_residue") == {"": 0}


def pooled(id: str, **columns) -> dict:
    return {
        "id": id,
        "conversation_id": f"c{id}",
        "user": f"u{id}",
        "exact_group": id,
        "near_group": id,
        "digest": id,
    } | columns


@pytest.mark.parametrize(
    ("changed", "rate"),
    [
        ({}, 0.0),
        ({"near_group": "1"}, 0.25),
        ({"exact_group": "1"}, 0.25),
        ({"near_group": None}, 0.0),
        ({"digest": "1"}, 0.0),
    ],
)
def test_duplicates_left_in_the_pool(put, changed, rate):
    kept = [pooled("1"), pooled("2", **changed), pooled("3"), pooled("4")]
    no = [{"id": "5", "reasons": ["exact_duplicate"]}, {"id": "6", "reasons": ["near_duplicate"]}]
    before = put(SCREENED, rows=screened_rows(*[chat("user: a", "assistant: b", id=str(i)) for i in range(1, 7)]))
    table = measures.curated(put(CURATED, rows=kept, rejected=no), before)
    assert whole(table, "duplicate_rate") == (rate, 4)
    assert whole(table, "removed_as_duplicates") == (pytest.approx(1 / 3), 6)
    assert values(table, "rejected") == {"exact_duplicate": 1, "near_duplicate": 1}
    assert whole(table, "unaccounted_rows") == (0, 6)


def found(asset: str, check: str, table: pl.DataFrame, **bounds: Threshold) -> Finding:
    """What a check of an asset says of these measures."""
    targets = [t for t in wanted(asset, bounds) if t.name == check]
    return judge(targets, table)[0]


@pytest.mark.parametrize(
    ("copies", "n", "passes"),
    [(100, 100_000, False), (9, 100, True), (10, 100, False), (40, 100_000, True), (60, 100_000, False), (1, 0, True)],
)
def test_row_147_one_row_a_hundred_times_in_a_hundred_thousand_is_flagged(put, copies, n, passes):
    ids = pl.int_range(n, eager=True).cast(pl.String)
    digests = pl.DataFrame({"id": ids, "at": pl.int_range(n, eager=True)}).select(
        "id", digest=pl.when(pl.col("at") < copies).then(pl.lit("again")).otherwise("id"), prompt_digest="id"
    )
    calls = put(CALLS, rows=conform(digests, CONVERSATIONS))
    table = measures.conversations(put(RAW), calls, put(EVENTS))
    assert whole(table, "repeat_mass") == (0.0 if copies < 10 else copies / n, n)
    said = found("conversations", "no_call_dominates", table)
    assert said.passed == passes
    assert said.severity == "warn"
    if not passes:
        assert said.worst[0]["segment"] in ("", "0")
        assert {w["segment"] for w in said.worst} == {"", "0"}, "the table names a row to look at"
    if n == 100_000 and copies == 100:
        assert said.summary.startswith(
            "0.1% of 100,000 rows are one and the same call (0: 0.1%); at most 0.05% allowed. Look"
        )


def test_row_147_a_prompt_with_many_answers_is_flagged(put):
    rows = [pooled(str(i), prompt_digest="hi" if i < 12 else str(i)) for i in range(100)]
    table = measures.curated(put(CURATED, rows=rows), put(SCREENED))
    assert values(table, "repeat_mass") == {"": 0.12, "0": 0.12}
    assert not found("curated", "no_prompt_dominates", table).passed
    assert found("curated", "no_prompt_dominates", table, no_prompt_dominates=Threshold(max=0.2)).passed


# --- candidates


def said(*turns: str | dict) -> list[dict]:
    pairs = [t if isinstance(t, dict) else dict(zip(("role", "content"), t.split(": ", 1), strict=True)) for t in turns]
    return [message(p) for p in pairs]


def example(id: str, **columns) -> dict:
    return {
        "id": id,
        "digest": id,
        "parents": [id],
        "prompt": said("user: hi"),
        "completion": said("assistant: hello"),
        "origin": "logged",
        "cell": "",
        "group": "never read",
        "split": "train",
    } | columns


def judged(put, given: list[dict], kind=None, pool=None, no=(), notes=None, redactions=()) -> pl.DataFrame:
    kept = pool if pool is not None else [pooled(p) for r in given for p in r["parents"]]
    unique = list({r["id"]: r for r in kept}.values())
    made = put(SET, rows=given, rejected=list(no), notes=notes)
    return measures.candidate(kind or Sft(name="s"), made, put(CURATED, rows=unique), list(redactions))


def test_a_sound_set_has_no_fault(put):
    given = [example(str(i), split="validation" if i == 0 else "train") for i in range(10)]
    table = judged(put, given, redactions=[EMAIL])
    for metric in ("unaccounted_rows", "missing_rows", "mix_distance", "share_gap", "leaking_groups", "pii_residue", "role_violations", "empty_replies", "duplicate_rate", "synthetic_share", "pairs_without_contrast", "scores_off_scale", "validation_gap"):  # fmt: skip
        assert set(values(table, metric).values()) == {0.0}, metric
    assert values(table, "cell_rows") == {"": 10}


CALL = {"role": "assistant", "tool_calls": '[{"id":"t"}]'}


@pytest.mark.parametrize(
    ("prompt", "completion", "fault"),
    [
        (said("user: a"), said("assistant: b"), False),
        (said("system: s", "user: a", "assistant: b", "user: c"), said("assistant: d"), False),
        (said("user: a", CALL, "tool: 4", "tool: 5"), said("assistant: b"), False),
        (said("user: a"), said(CALL, "tool: 4", "assistant: b"), False),
        (said("developer: s", "user: a", "user: b"), said(CALL), False),
        (said("user: a", "tool: 4"), said("assistant: b"), True),
        (said("system: s"), said("assistant: b"), False),
        (said("user: a", "system: s"), said("assistant: b"), True),
        (said("tool: 4"), said("assistant: b"), True),
        (said("user: a", "function: 4"), said("assistant: b"), True),
        (said("user: a"), said("user: b"), True),
        (said("user: a"), said(CALL, "tool: 4"), True),
        (said("user: a", "robot: b"), said("assistant: c"), True),
        (said("user: a", {"content": "no role"}), said("assistant: c"), True),
        ([], said("assistant: b"), True),
        (said("user: a"), [], True),
        (None, None, True),
    ],
)
def test_roles(put, prompt, completion, fault):
    table = judged(put, [example("1", prompt=prompt, completion=completion), example("2")])
    assert whole(table, "role_violations") == (int(fault), 2)


@pytest.mark.parametrize(
    ("completion", "empty"),
    [
        (said("assistant: b"), False),
        (said(CALL), False),
        (said({"role": "assistant", "refusal": "no"}), False),
        (said({"role": "assistant", "parts": "[1]"}), False),
        (said({"role": "assistant", "content": " \n\t"}), True),
        (said({"role": "assistant"}), True),
        (said({"role": "assistant", "tool_calls": "[]"}), True),
        (said({"role": "assistant", "reasoning": "hm"}), True),
        ([], True),
        (None, True),
    ],
)
def test_empty_replies(put, completion, empty):
    assert whole(judged(put, [example("1", completion=completion), example("2")]), "empty_replies") == (int(empty), 2)


@pytest.mark.parametrize(
    ("chosen", "rejected", "flat"),
    [
        ("assistant: yes", "assistant: no", False),
        ("assistant: yes", "assistant: Yes", False),
        ("assistant: yes", "assistant: yes", True),
        ("assistant: yes", "assistant: yes \n", True),
        ("assistant: yes", None, True),
        ("assistant: yes", CALL, False),
    ],
)
def test_contrast(put, chosen, rejected, flat):
    pair = example("1", completion=said(chosen), rejected=said(rejected) if rejected else None)
    table = judged(put, [pair], kind=Preference(name="s"))
    assert whole(table, "pairs_without_contrast") == (int(flat), 1)
    assert whole(judged(put, [pair]), "pairs_without_contrast") == (0, 1)


LANGUAGES = {"language": {"en": 0.5, "ko": 0.25, "de": 0.25}}


@pytest.mark.parametrize(
    ("made", "distance", "gap", "short"),
    [
        ({"en": 10, "ko": 5, "de": 5}, 0.0, {"en": 0, "ko": 0, "de": 0}, {"": 0, "en": 0, "ko": 0, "de": 0}),
        ({"en": 10, "ko": 5}, 0.25, {"en": 1 / 6, "ko": 1 / 12, "de": 0.25}, {"": 5, "en": 0, "ko": 0, "de": 5}),
        ({"en": 10, "ko": 5, "de": 4, "fr": 1}, 0.05, {"en": 0, "ko": 0, "de": 0.05, "fr": 0.05}, {"": 1, "en": 0, "ko": 0, "de": 1, "fr": 0}),
        ({}, 1.0, {"en": 0.5, "ko": 0.25, "de": 0.25}, {"": 20, "en": 10, "ko": 5, "de": 5}),
    ],
)  # fmt: skip
def test_mix(put, made, distance, gap, short):
    cells = [f"language={c}" for c, n in made.items() for _ in range(n)]
    notes = {
        "cells": [
            {"cell": f"language={c}", "wanted": w, "available": 99, "made": w}
            for c, w in (("en", 10), ("ko", 5), ("de", 5))
        ]
    }
    table = judged(
        put, [example(str(i), cell=c) for i, c in enumerate(cells)], kind=Sft(name="s", mix=LANGUAGES), notes=notes
    )

    def named(cells: dict) -> dict:
        return {f"language={c}" if c else "": pytest.approx(v, abs=1e-9) for c, v in cells.items()}

    assert whole(table, "mix_distance")[0] == pytest.approx(distance)
    assert values(table, "share_gap") == named(gap)
    assert values(table, "missing_rows") == named(short)
    assert values(table, "cell_rows") == named({"de": 0, "ko": 0, "en": 0} | made)
    assert whole(table, "missing_rows")[1] == 20


def test_axes_are_crossed_by_name(put):
    mix = {"language": {"en": 1.0}, "app": {"chat": 0.75, "mail": 0.25}}
    given = [example(str(i), cell=f"app={a}, language=en") for i, a in enumerate(["chat"] * 3 + ["mail"])]
    table = judged(put, given, kind=Sft(name="s", mix=mix))
    assert values(table, "share_wanted") == {"app=chat, language=en": 0.75, "app=mail, language=en": 0.25}
    assert whole(table, "mix_distance")[0] == 0


def test_a_size_without_a_mix(put):
    notes = {"cells": [{"cell": "", "wanted": 30, "available": 4, "made": 4}]}
    table = judged(put, [example(str(i)) for i in range(4)], kind=Sft(name="s", examples=30), notes=notes)
    assert values(table, "missing_rows") == {"": 26}
    assert whole(table, "missing_rows")[1] == 30


@pytest.mark.parametrize(
    ("shared", "leaks"),
    [
        ({}, {"conversation": 0, "user": 0, "duplicates": 0}),
        ({"conversation_id": "c1"}, {"conversation": 1, "user": 0, "duplicates": 0}),
        ({"user": "u1"}, {"conversation": 0, "user": 1, "duplicates": 0}),
        ({"near_group": "1"}, {"conversation": 0, "user": 0, "duplicates": 1}),
        ({"exact_group": "1"}, {"conversation": 0, "user": 0, "duplicates": 1}),
        ({"user": None}, {"conversation": 0, "user": 0, "duplicates": 0}),
    ],
)
def test_leaks_are_found_through_any_parent(put, shared, leaks):
    pool = [pooled("1"), pooled("2"), pooled("3", **shared), pooled("4", user=None)]
    given = [example("1", parents=["1"]), example("pair", parents=["2", "3"], split="validation"), example("4")]
    assert values(judged(put, given, pool=pool), "leaking_groups") == leaks


def test_row_146_no_duplicate_cluster_straddles_and_the_check_proves_it(tmp_path):
    near = {f"r{i:03}": f"r{i - i % 3:03}" for i in range(60)}
    chats = [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i:03}", conversation_id=f"c{i}", user=f"u{i}") for i in range(60)
    ]
    store, kind = Store(tmp_path), Sft(name="s", split=Split(validation=0.2))
    pool = published(store, screened_of(*chats), near=near)
    made = store.publish(assemble(kind, Inputs(**pool), 1, (), b"k"))
    table = measures.candidate(kind, made, pool["curated"], [])
    said = found("set", "no_split_leaks", table)
    assert (said.passed, said.observed) == (True, 0)
    assert values(table, "leaking_groups")["duplicates"] == 0
    assert whole(table, "validation_share")[0] == 0.2
    rows = (
        made.scan()
        .collect()
        .with_columns(split=pl.when(pl.col("id") == "r000").then(pl.lit("validation")).otherwise(pl.lit("train")))
    )
    others = {t: made.scan(t).collect() for t in ("rejected", "residue")}
    broken = snapshot(store, "s", {"rows": rows, **others})
    said = found("set", "no_split_leaks", measures.candidate(kind, broken, pool["curated"], []))
    assert (said.passed, said.blocking, said.observed) == (False, True, 1)


def test_row_148_a_person_under_two_ids_on_both_sides_is_a_leak(put):
    known = {"rows": pl.Schema({**POOL, "person": pl.String}), "rejected": REJECTED}
    made = put(SET, rows=[example("1"), example("2", split="validation")])
    for person, leaks in (("u1", 1), ("u2", 0), (None, 0)):
        pool = put(known, rows=[pooled("1", person="u1"), pooled("2", person=person)])
        table = measures.candidate(Sft(name="s"), made, pool, [])
        assert values(table, "leaking_groups")["user"] == leaks
        assert found("set", "no_split_leaks", table).passed == (leaks == 0)


def test_only_what_the_split_is_made_by_can_leak(put):
    pool = [pooled("1", user="u"), pooled("2", user="u")]
    given = [example("1"), example("2", split="validation")]
    table = judged(put, given, pool=pool, kind=Sft(name="s", split=Split(by=("conversation",))))
    assert values(table, "leaking_groups") == {"conversation": 0}
    assert values(table, "shared_groups") == {"user": 1, "duplicates": 0}


def test_rows_of_the_pool_are_all_accounted_for(put):
    pool = [pooled(i) for i in "abcd"]
    no = [{"id": "c", "parents": ["c"], "reasons": ["not_in_mix"]}, {"id": "d", "parents": ["d"], "reasons": []}]
    table = judged(put, [example("1", parents=["a", "zz"]), example("2", parents=[])], pool=pool, no=no)
    assert values(table, "unaccounted_rows") == {"": 4, "without a reason": 2, "from nowhere": 2}


def test_shares_of_a_set(put):
    pool = [pooled(str(i), near_group="0" if i < 2 else str(i)) for i in range(8)]
    given = [
        example(str(i), origin="distilled" if i == 3 else "logged", digest="d" if i > 5 else str(i)) for i in range(8)
    ]
    table = judged(put, given, pool=pool)
    assert whole(table, "synthetic_share") == (0.125, 8)
    assert whole(table, "duplicate_rate") == (0.25, 8)
    assert whole(table, "validation_gap") == (0.1, 8)
    pairs = [example("x", parents=["1", "2"]), example("y", parents=["2", "3"])]
    assert whole(judged(put, pairs), "duplicate_rate") == (0, 2)


@pytest.mark.parametrize(
    ("repeats", "bound", "passes", "share"),
    [
        (3, None, True, "1.5% of 200 rows"),
        (10, None, False, "5% of 200 rows"),
        (3, 0.01, False, "1.5% of 200 rows"),
        (10, 0.05, True, "5% of 200 rows"),
        (0, None, True, "0% of 200 rows"),
    ],
)
def test_row_21_the_duplicate_rate_has_a_tolerance_for_each_set(put, repeats, bound, passes, share):
    """2% unless the set says otherwise: 1.5% passes with its number, 5% fails with it."""
    said = f"[set.check.duplicates_are_few]\nmax = {bound}" if bound is not None else ""
    (kind,) = parse_recipe(f'name = "r"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n{said}').sets
    given = [example(str(i), digest="0" if i <= repeats else str(i)) for i in range(200)]
    target = next(t for t in set_targets(kind) if t.name == "duplicates_are_few")
    (verdict,) = judge([target], judged(put, given, kind=kind))
    assert (verdict.passed, verdict.blocking) == (passes, True)
    assert verdict.summary.startswith(f"{share} repeating another; at most {100 * (bound or 0.02):g}% allowed.")


@pytest.mark.parametrize(
    ("labels", "share"), [([True, False], 0.5), ([True, True, True, False], 0.25), ([True], 0.0), ([], 0.0)]
)
def test_minority(put, labels, share):
    given = [example(str(i), label=v) for i, v in enumerate(labels)]
    assert whole(judged(put, given, kind=Kto(name="s")), "minority_share") == (share, len(labels))


@pytest.mark.parametrize(
    ("score", "raw", "off"),
    [(-1.2, 1.0, 0), (0.5, 5.0, 0), (0.5, 5.1, 1), (None, 3.0, 1), (float("nan"), 3.0, 1), (0.0, None, 1)],
)
def test_scores(put, score, raw, off):
    given = [example("1", score=score, raw_score=raw)]
    assert whole(judged(put, given, kind=Reward(name="s", scale=(1, 5))), "scores_off_scale") == (off, 1)


def test_pii_in_any_text_of_an_example(put):
    given = [
        example("1", prompt=said("user: x@example.org")),
        example("2", completion=said("assistant: y@example.org"), rejected=said("assistant: z@example.org")),
    ]
    assert values(judged(put, given, redactions=[EMAIL]), "pii_residue") == {"": 3, "EMAIL": 3}
    assert values(judged(put, given), "pii_unredacted")["EMAIL"] == 3


@pytest.mark.parametrize("by", ["logged", "demonstrated"])
def test_benchmarks_in_a_conversation_behind_an_example_or_in_what_a_person_wrote(put, tmp_path, by):
    leak = said("user: How many DUCKS does the farmer next door keep?")
    given = put(SET, rows=[example("1", completion=leak, origin=by), example("2", completion=leak, origin=by)])
    hit = {"benchmark_hit": "bench#0", "benchmark_share": 0.75} if by == "logged" else {}
    pool = put(CURATED, rows=[pooled("1", **hit), pooled("2")])
    table = measures.candidate(Sft(name="s"), given, pool, [], bench(tmp_path))
    share = 0.75 if by == "logged" else 1.0
    assert values(table, "benchmark_share") == {"": share, "bench": share}
    sound = measures.candidate(Sft(name="s"), put(SET, rows=[example("2")]), pool, [], bench(tmp_path))
    assert values(sound, "benchmark_share") == {"": 0.0}
    assert values(measures.candidate(Sft(name="s"), given, pool, []), "benchmark_share") == {}  # the check is off


def test_order_of_rows_changes_nothing(put):
    given = [
        example(str(i), cell=f"language={'en' if i % 2 else 'ko'}", split="train" if i % 3 else "validation")
        for i in range(12)
    ]
    kind = Sft(name="s", mix={"language": {"en": 0.5, "ko": 0.5}})
    assert judged(put, given, kind=kind).equals(judged(put, given[::-1], kind=kind))


def test_release(put):
    files = ["train.jsonl", "validation.jsonl", "rows.parquet"]
    assert values(measures.release(files, ["train.jsonl"]), "damaged_files") == {"": 1, "train.jsonl": 1}
    assert whole(measures.release(files, []), "damaged_files") == (0, 3)
    assert whole(measures.release([], []), "damaged_files") == (1, 0)
