"""What there is to know of a dataset in numbers: one tidy table of (metric, segment, value, n) for each.

Checks judge some of these metrics (see `targets`); the rest are for people. A metric that a check names is always there: 0
where there is nothing to count, with every segment that is expected. Segment "" is the whole. Shares are taken of `n`.
Counting is done on slim columns; only the measures of text read text, a part at a time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from flywheel.choices.split import KEYS
from flywheel.formats.mask_proof import Proof
from flywheel.formats.messages import PROMPTLESS
from flywheel.kinds import Redaction, SetKind, Signal
from flywheel.labels import FeedbackPolicy
from flywheel.logs.reader import whole_files
from flywheel.protection.forbidden import FREE, forbidden_fields
from flywheel.protection.policy import NO_POLICY, Policy, type_drift
from flywheel.quality import leaks, mixes
from flywheel.quality.measures_of_kinds import of_kind
from flywheel.quality.served_prompts import Tuned, served_prompts
from flywheel.quality.tally import MEASURES, Row, each, one, per
from flywheel.quality.training import training
from flywheel.sets import TEXTS
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.storage.snapshots import Snapshot

STATUSES = ("applied", "duplicate", "orphan", "superseded", "contradicted")
SYNTHETIC = ("synthesized", "distilled")
OFTEN_SHARED = ("source",)
"""Of what a split may be made by, that which is on both sides of most sets: it is looked at only where the split is made by it."""
SPREAD = {"p05": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}
ROWS_AT_ONCE = 50_000
"""Rows whose text is in memory at one time."""
REPEATS = 10
"""How often a text must be there to count as repeated: in few rows, a text that comes twice is a large share of them."""
FEW = 40
"""A text signal with at most this many values is counted value by value."""


# --- one function for each dataset


def raw_files(files: Snapshot, changed: Sequence[str]) -> pl.DataFrame:
    """Of the raw files: `changed_files` (a segment for each sentence in `changed`), `quarantined_share`, `lines`,
    `quarantined_lines` per reason and `quarantined_in` per file."""
    sums = files.scan("files").select("lines", "quarantined").sum().collect().row(0)
    lines, bad = int(sums[0] or 0), int(sums[1] or 0)
    received = whole_files(files).select("name", "quarantined").collect()
    per_file = received.lazy().filter(pl.col("quarantined") > 0).group_by(segment="name")
    return _table(
        each("changed_files", len(changed), dict.fromkeys(changed, 1), received.height),
        one("quarantined_share", _share(bad, lines), lines),
        one("lines", lines, received.height),
        per("quarantined_lines", _counts(files.scan("quarantine"), pl.col("reason")), lines),
        per("quarantined_in", _dict(per_file.agg(value=pl.col("quarantined").sum())), lines),
    )


def conversations(
    files: Snapshot,
    conversations: Snapshot,
    feedback: Snapshot,
    policy: Policy = NO_POLICY,
    tuned: Sequence[Tuned] = (),
    exports: Path = Path(),
) -> pl.DataFrame:
    """Of the conversations: `unaccounted_lines` (lines of any raw file that are in no table; a segment for each such file),
    `repeated_ids`, `conflicting_ids`, `repeat_mass` (the share of rows that are one and the same call), `type_drift` (per path
    and type, where the policy declares types), `prompt_mismatches` (of new calls of tuned models, whose sets lie in `exports`),
    `rows`, `set_aside` per status, `calls` per status, application and origin."""
    quarantined = files.scan("quarantine").select("file", "line")
    seen = [quarantined, *_lines_of(conversations), *_lines_of(feedback)]
    received = whole_files(files).select("file", "name", lines=pl.col("accepted") + pl.col("quarantined"))
    aside = _counts(conversations.scan("set_aside"), pl.col("status"))
    rows, n = conversations.scan(), conversations.count()
    return _table(
        _unaccounted_lines(received, pl.concat(seen)),
        one("repeated_ids", n - _distinct(rows, "id"), n),
        one("conflicting_ids", aside.get("id_conflict", 0), n),
        _repeat_mass(rows, "digest", n),
        _drift(conversations, policy),
        served_prompts(conversations, tuned, exports),
        one("rows", n, n),
        per("set_aside", aside, conversations.count("set_aside")),
        *[per(f"rows_by_{axis}", _top(rows, axis), n) for axis in ("status", "app", "origin", "model")],
        per("rows_by_day", _counts(rows, pl.col("day").cast(pl.String)), n),
    )


def feedback(files: Snapshot, feedback: Snapshot) -> pl.DataFrame:
    """Of the feedback: `unaccounted_lines` (lines read as feedback that are in no table; a segment for each such file),
    `repeated_ids`, `rows`, `set_aside` per status, and events per kind, actor and day."""
    read = files.scan("feedback").select(pl.col("raw")).pipe(_refs).unique()
    names = whole_files(files).select("file", "name")
    received = read.group_by("file").agg(lines=pl.len()).join(names, on="file", how="left")
    rows, n = feedback.scan(), feedback.count()
    return _table(
        _unaccounted_lines(received, pl.concat(_lines_of(feedback))),
        one("repeated_ids", n - _distinct(rows, "feedback_id"), n),
        one("rows", n, n),
        per("set_aside", _counts(feedback.scan("set_aside"), pl.col("status")), feedback.count("set_aside")),
        *[per(f"rows_by_{axis}", _top(rows, axis), n) for axis in ("kind", "actor_kind")],
        per("rows_by_day", _counts(rows, pl.col("occurred_at").dt.date().cast(pl.String)), n),
    )


def labels(labels: Snapshot, conversations: Snapshot, settings: FeedbackPolicy) -> pl.DataFrame:
    """Of the labels: `events_without_status`, `events` per status, `late_share`, `orphan_share` (events that have waited for
    their call longer than the recipe allows), `hours_since_feedback`, `contradicted_share`, `thumbs` per verdict.

    Ages are counted up to the newest moment the data itself knows of, so the same data always gives the same numbers. Without
    any feedback, the hours are those that all calls together span.
    """
    ledger = labels.scan("ledger")
    spans = conversations.scan().select(first=pl.col("occurred_at").min(), last=pl.col("occurred_at").max())
    heard = ledger.select(heard=pl.col("received_at").max(), acted=pl.col("occurred_at").max())
    times = pl.concat([spans, heard], how="horizontal").collect()
    newest = times.select(pl.max_horizontal("last", "heard", "acted")).item()
    waited = (pl.lit(newest) - pl.col("received_at")).dt.total_seconds() / 3600
    orphan = pl.col("status") == "orphan"
    facts = ledger.select(
        unknown=(~pl.col("status").is_in(STATUSES)).fill_null(True).sum(),
        late=pl.col("late").sum(),
        lost=(orphan & (waited.fill_null(math.inf) > settings.orphan_after_days * 24)).sum()
        if newest is not None
        else pl.lit(0),
    ).collect()
    since = times.select(
        ((pl.col("last") - pl.coalesce("heard", "first")).dt.total_seconds() / 3600).clip(lower_bound=0).fill_null(0)
    ).item()
    rows, n, events = labels.scan(), labels.count(), labels.count("ledger")
    clash = int(rows.select(pl.col("contradicted").sum()).collect().item() or 0)
    verdicts = pl.when(pl.col("thumb") > 0).then(pl.lit("up")).when(pl.col("thumb") < 0).then(pl.lit("down"))
    return _table(
        one("events_without_status", facts["unknown"].item(), events),
        per("events", dict.fromkeys(STATUSES, 0) | _counts(ledger, pl.col("status")), events),
        one("orphan_share", _share(facts["lost"].item(), events), events),
        one("late_share", _share(facts["late"].item(), events), events),
        one("hours_since_feedback", since, events),
        one("contradicted_share", _share(clash, n), n),
        per("thumbs", {"up": 0, "down": 0} | _counts(rows, verdicts), n),
        per("comparisons", _counts(labels.scan("comparisons"), pl.col("signal")), labels.count("comparisons")),
        one("rows", n, n),
    )


def signals(signals: Snapshot, conversations: Snapshot, measured: Sequence[Signal]) -> pl.DataFrame:
    """Of the signals: `unmeasured_rows` ("absent", "repeated", or the column that is null although every row has a value),
    `absent_signals` with why, and for people the spread of each number and the counts of each word with few values."""
    columns = {c: t for c, t in signals.schemas["rows"].items() if c not in ("id", "day")}
    missing: Mapping[str, str] = signals.notes.get("absent", {})
    must = [c for s in measured if s.use not in missing for c in s.gives if c not in s.sparse]
    rows, n = signals.scan(), conversations.count()
    absent = _height(conversations.scan().select("id").join(rows.select("id"), on="id", how="anti"))
    there = [c for c in must if c in columns]
    nulls = dict.fromkeys(must, n) | rows.select(pl.col(there).null_count()).collect().row(0, named=True)
    found = {"absent": absent, "repeated": signals.count() - _distinct(rows, "id"), **nulls}
    numbers = [c for c, t in columns.items() if t.is_numeric()]
    words = [c for c, t in columns.items() if t == pl.String and not c.endswith(("_group", "_span"))]
    return _table(
        each("unmeasured_rows", sum(found.values()), found, n),
        each("absent_signals", len(missing), {f"{use}: {why}": 1 for use, why in missing.items()}, len(measured)),
        *[per(c, _spread(rows, c), signals.count()) for c in numbers],
        *[per(f"rows_by_{c}", _top(rows, c), signals.count()) for c in words],
    )


def screened(
    screened: Snapshot, conversations: Snapshot, redactions: Sequence[Redaction], policy: Policy = NO_POLICY
) -> pl.DataFrame:
    """Of the screened rows: `unaccounted_rows`, `pii_residue` per kind the recipe redacts, `pii_unredacted` per kind it does
    not, `forbidden_fields` per name the policy forbids, `kept_share`, `rejected` and `undesired` per reason, `rejected_alone` (rows no other filter rejects), `edited` and `tokens_saved` per edit."""
    n, kept, no = conversations.count(), screened.count(), screened.scan("rejected")
    edits = screened.scan("edits").group_by(segment="edit")
    return _table(
        _unaccounted_rows(conversations.scan(), screened.scan(), no, n),
        _pii(screened, redactions),
        _forbidden(screened, policy, ("messages", "tools", *FREE)),
        one("kept_share", _share(kept, n), n),
        one("rows", kept, n),
        per("rejected", _reasons(no), n),
        per("rejected_alone", _reasons(no.filter(pl.col("reasons").list.len() == 1)), n),
        per("undesired", _counts(screened.scan().select(r="undesired").explode("r"), pl.col("r")), n),
        per("edited", _dict(edits.agg(value=pl.col("count").sum())), n),
        per("tokens_saved", _dict(edits.agg(value=pl.col("tokens_saved").sum())), n),
    )


def curated(curated: Snapshot, screened: Snapshot) -> pl.DataFrame:
    """Of the curated rows: `unaccounted_rows`, `duplicate_rate` (rows whose exact or near group has another row here),
    `removed_as_duplicates`, `repeat_mass` (the share of rows that answer one and the same prompt), `rejected` per reason,
    `rows`, and `repeated_digests` (made alike by edits)."""
    n, kept, rows = screened.count(), curated.count(), curated.scan()
    extra = max(_repeats(rows, column) for column in ("exact_group", "near_group"))
    why = _reasons(curated.scan("rejected"))
    removed = sum(why.get(reason, 0) for reason in ("exact_duplicate", "near_duplicate", "semantic_duplicate"))
    return _table(
        _unaccounted_rows(screened.scan(), rows, curated.scan("rejected"), n),
        one("duplicate_rate", _share(extra, kept), kept),
        one("removed_as_duplicates", _share(removed, n), n),
        _repeat_mass(rows, "prompt_digest", kept),
        one("rows", kept, n),
        one("repeated_digests", _repeats(rows, "digest"), kept),
        per("rejected", {"exact_duplicate": 0, "near_duplicate": 0} | why, n),
        *[
            per(f"rows_by_{axis}", _top(rows, axis), kept)
            for axis in ("language", "app")
            if axis in curated.schemas["rows"]
        ],
    )


def candidate(
    wanted: SetKind,
    candidate: Snapshot,
    curated: Snapshot,
    redactions: Sequence[Redaction],
    overlap: BenchmarkOverlap | None = None,
    policy: Policy = NO_POLICY,
    similarity: BenchmarkSimilarity | None = None,
    proof: Proof | None = None,
) -> pl.DataFrame:
    """Of a candidate set: everything the checks of a set name; of benchmarks, those that `overlap` and `similarity` look for. Parents, groups and cells are counted anew from the pool and
    from the recipe, so that a fault in assembling is seen here and not repeated."""
    n = candidate.count()
    rows = candidate.scan().select(
        "id", "digest", "parents", "label", "score", "raw_score", "origin", "cell", "split", "signal", "source", "licence",
        roles=_roles("prompt") + pl.lit(">") + _roles("completion"),
        empty=_said("completion") == "",
        same=(_said("completion") == _said("rejected")) | pl.col("rejected").is_null(),
    ).collect(engine="streaming")  # fmt: skip
    no = candidate.scan("rejected")
    return _table(
        _unaccounted_examples(rows, no, curated),
        [
            row
            for metric, segment, value, of in mixes.measured(wanted, candidate, rows)
            for row in one(metric, value, of, segment)
        ],
        _leaks(wanted, rows, curated),
        _pii(candidate, redactions),
        _forbidden(candidate, policy, TEXTS),
        _benchmarks("benchmark_share", leaks.worst(candidate, curated, overlap), 0.0, n),
        _benchmarks("benchmark_margin", leaks.worst(candidate, curated, similarity), -1.0, n),
        one(
            "role_violations",
            n - _true(rows["roles"].str.contains(DOCUMENT if wanted.use in PROMPTLESS else IN_ORDER)),
            n,
        ),
        one("empty_replies", _true(rows["empty"]), n),
        one("duplicate_rate", _share(_repeated_examples(_once(rows, candidate), curated), n), n),
        one("copy_share", _share(n - _once(rows, candidate).height, n), n),
        one("synthetic_share", _share(_true(rows["origin"].is_in(SYNTHETIC)), n), n),
        of_kind(wanted, candidate, rows, curated.count()),
        _validation(wanted, rows),
        training(wanted, proof),
        one("rows", n, n),
        per("rejected", _reasons(no), candidate.count("rejected")),
        *[
            per(f"rows_by_{axis}", _top(rows.lazy(), axis), n)
            for axis in ("split", "origin", "source", "licence", "signal", "label")
        ],
    )


def release(files: Sequence[str], damaged: Sequence[str], worse: Sequence[str] = (), compared: int = 0) -> pl.DataFrame:
    """Of a release: `damaged_files`, the whole and a segment for each name in `damaged`, out of the `files` of its manifest.
    A release without any file counts as damaged. `worse_scores`, a segment for each, out of those that could be `compared`."""
    n = len(files)
    damaged = damaged if files or damaged else ["no file at all"]
    return _table(
        each("damaged_files", len(set(damaged)), dict.fromkeys(damaged, 1), n),
        each("worse_scores", len(worse), dict.fromkeys(worse, 1), compared),
    )


# --- parts of them


def _unaccounted_lines(received: pl.LazyFrame, seen: pl.LazyFrame) -> list[Row]:
    """Per file of `received` (file, name, lines): how far the distinct lines of `seen` are from the lines it has."""
    found = seen.unique().group_by("file").agg(found=pl.len())
    gap = (
        received.join(found, on="file", how="full", coalesce=True)
        .with_columns(pl.col("lines", "found").cast(pl.Int64).fill_null(0), segment=pl.coalesce("name", "file"))
        .with_columns(gap=(pl.col("lines") - pl.col("found")).abs())
        .collect()
    )
    total = int(gap["lines"].sum())
    bad = gap.filter(pl.col("gap") > 0).group_by("segment").agg(value=pl.col("gap").sum())
    return each("unaccounted_lines", int(gap["gap"].sum()), _dict(bad.lazy()), total)


def _lines_of(dataset: Snapshot) -> list[pl.LazyFrame]:
    return [_refs(dataset.scan().select("raw")), dataset.scan("set_aside").select("file", "line")]


def _refs(raw: pl.LazyFrame) -> pl.LazyFrame:
    """`file` and `line` of every raw reference."""
    each = raw.explode("raw").drop_nulls("raw")
    return each.select(file=pl.col("raw").struct.field("file"), line=pl.col("raw").struct.field("line"))


def _unaccounted_rows(given: pl.LazyFrame, kept: pl.LazyFrame, rejected: pl.LazyFrame, n: int) -> list[Row]:
    """Rows given that are neither kept nor rejected, or both, and rows kept that nobody gave."""
    given, kept = given.select("id"), kept.select("id")
    no = rejected.filter(pl.col("reasons").list.len() > 0).select("id")
    found = {
        "without a reason": _height(given.join(kept, on="id", how="anti").join(no, on="id", how="anti")),
        "kept and rejected": _height(kept.join(no, on="id", how="semi")),
        "from nowhere": _height(pl.concat([kept, no]).join(given, on="id", how="anti")),
    }
    return each("unaccounted_rows", sum(found.values()), found, n)


def _unaccounted_examples(rows: pl.DataFrame, rejected: pl.LazyFrame, curated: Snapshot) -> list[Row]:
    """Rows of the pool that are parent of no example and of nothing rejected; examples whose parents are not in the pool."""
    pool = curated.scan().select("id")
    parents = _parents(rows).select("id").lazy()
    no = rejected.filter(pl.col("reasons").list.len() > 0).select(id="parents").explode("id").drop_nulls()
    found = {
        "without a reason": _height(pool.join(pl.concat([parents, no]), on="id", how="anti")),
        "from nowhere": _height(parents.unique().join(pool, on="id", how="anti"))
        + _true(rows["parents"].list.len().fill_null(0) == 0),
    }
    n = curated.count()
    return each("unaccounted_rows", sum(found.values()), found, n)


def _leaks(wanted: SetKind, rows: pl.DataFrame, curated: Snapshot) -> list[Row]:
    """`leaking_groups` for each thing the split is made by, and `shared_groups` for the others: groups of the pool, found
    through the parents, with examples on both sides."""
    have = curated.schemas["rows"]
    looked = [kind for kind in KEYS if kind in wanted.split.by or kind not in OFTEN_SHARED]
    kinds = {kind: [c for c in KEYS[kind] if c in have] for kind in looked}
    columns = sorted({c for cs in kinds.values() for c in cs})
    sides = _parents(rows).lazy().join(curated.scan().select("id", *columns), on="id", how="inner").collect()
    out: list[Row] = []
    for kind, of in kinds.items():
        grouped = [sides.drop_nulls(c).group_by(c).agg(pl.col("split").n_unique() > 1)["split"] for c in of]
        metric = "leaking_groups" if kind in wanted.split.by else "shared_groups"
        out += one(metric, max((int(g.sum()) for g in grouped), default=0), max(map(len, grouped), default=0), kind)
    if not wanted.split.by:
        out += one("leaking_groups", 0, 0)
    return out


def _repeated_examples(rows: pl.DataFrame, curated: Snapshot) -> int:
    """Examples with a digest another has, and distinct parents in a near group another parent is in."""
    pool = curated.scan().select("id", "near_group")
    parents = _parents(rows).select("id").unique().lazy().join(pool, on="id", how="inner")
    return _repeats(rows.lazy(), "digest") + _repeats(parents, "near_group")


def _once(rows: pl.DataFrame, candidate: Snapshot) -> pl.DataFrame:
    """The rows without the copies that the recipe allows."""
    if "copies" not in candidate.schemas:
        return rows
    return rows.join(candidate.scan("copies").select("id").collect(), on="id", how="anti")


def _pii(dataset: Snapshot, redactions: Sequence[Redaction]) -> list[Row]:
    """`pii_residue` per label that is redacted (what is left is a fault), `pii_unredacted` per label that is not.

    The texts were searched when each part was made; a redaction of which a part knows nothing makes the metric no number.
    """
    n = dataset.count()
    found = _dict(dataset.scan("residue").group_by(segment="label").agg(value=pl.col("count").sum()))
    searched = bool(found) or not n
    left = {r.label: found.pop(r.label, 0.0 if searched else math.nan) for r in redactions}
    shown = found
    return [*each("pii_residue", sum(left.values()), left, n), *per("pii_unredacted", shown, n)]


def _texts(dataset: Snapshot, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """These columns of every row, some rows at a time."""
    for part in dataset.parts:
        for start in range(0, part.tables["rows"].rows, ROWS_AT_ONCE):
            yield part.scan().select(columns).slice(start, ROWS_AT_ONCE).collect()


def _forbidden(dataset: Snapshot, policy: Policy, columns: Sequence[str]) -> list[Row]:
    """`forbidden_fields` per name the policy forbids; without any there is no such metric."""
    if not policy.drop_fields:
        return []
    left: Counter[str] = Counter()
    for texts in _texts(dataset, columns):
        left.update(forbidden_fields(texts, policy.forbidden))
    n = dataset.count()
    return each("forbidden_fields", sum(left.values()), left, n)


def _drift(conversations: Snapshot, policy: Policy) -> list[Row]:
    """`type_drift` per path and the type found there; without types declared there is no such metric."""
    if not policy.types:
        return []
    found: Counter[str] = Counter()
    for texts in _texts(conversations, ("metadata",)):
        found.update(type_drift(texts, policy.types))
    n = conversations.count()
    return each("type_drift", sum(found.values()), found, n)


def _benchmarks(metric: str, worst: Mapping[str, float] | None, least: float, n: int) -> list[Row]:
    """The metric and its values per benchmark; where no benchmark is looked for there is no such metric."""
    return [] if worst is None else each(metric, max(worst.values(), default=least), worst, n)


IN_ORDER = r"^(?:s+|u|at*)(?:u|at*)*>(?:at*)*a$"
"""Roles by letter, prompt > completion: instructions stand first, tools answer only an assistant, the assistant is last and
not alone. What the filter broken_roles lets pass is in order."""

DOCUMENT = r"^>a$"
"""An example of a kind that is PROMPTLESS: no prompt, one text."""

ROLE_LETTERS = {"system": "s", "developer": "s", "user": "u", "assistant": "a", "tool": "t"}


def _roles(column: str) -> pl.Expr:
    """The roles of a list of messages as a word of one letter each; "?" for a role nobody knows."""
    letter = pl.element().struct.field("role").replace_strict(ROLE_LETTERS, default="?", return_dtype=pl.String)
    return pl.col(column).list.eval(letter.fill_null("?")).list.join("").fill_null("")


def _said(column: str) -> pl.Expr:
    """Everything the messages say or call, joined; "" for an empty reply. Reasoning alone says nothing."""
    fields = [pl.element().struct.field(f).fill_null("") for f in ("content", "refusal")]
    fields += [pl.element().struct.field(f).fill_null("").replace(["[]", "null"], "") for f in ("tool_calls", "parts")]
    said = pl.concat_str([f.str.strip_chars() for f in fields], separator="\x1f").str.strip_chars("\x1f")
    return pl.col(column).list.eval(said).list.join("\x1e").str.strip_chars("\x1e").fill_null("")


def _validation(wanted: SetKind, rows: pl.DataFrame) -> list[Row]:
    actual = _share(_true(rows["split"] == "validation"), rows.height)
    return [
        *one("validation_gap", max(0.0, wanted.split.validation - actual), rows.height),
        *one("validation_share", actual, rows.height),
    ]


def _parents(rows: pl.DataFrame) -> pl.DataFrame:
    """`id` of each parent of each example, with the side the example is on."""
    return rows.select("split", id="parents").explode("id").drop_nulls("id")


# --- counting


def _table(*groups: Iterable[Row]) -> pl.DataFrame:
    """MEASURES, sorted; values rounded far below any threshold, so that 1 - 0.95 is 0.05."""
    rows = [row for group in groups for row in group]
    return pl.DataFrame(rows, schema=MEASURES).with_columns(pl.col("value").round(10)).sort("metric", "segment")


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _true(flags: pl.Series) -> int:
    """How many are true; null is not."""
    return int(flags.cast(pl.Boolean).sum() or 0)


def _height(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def _distinct(frame: pl.LazyFrame, column: str) -> int:
    return int(frame.select(pl.col(column).n_unique()).collect().item())


def _repeats(frame: pl.LazyFrame, column: str) -> int:
    """Rows beyond the first of each value; nulls are no value."""
    known = pl.col(column).drop_nulls()
    return int(frame.select(known.len().cast(pl.Int64) - known.n_unique().cast(pl.Int64)).collect().item())


def _repeat_mass(frame: pl.LazyFrame, column: str, n: int) -> list[Row]:
    """`repeat_mass`: the share of the rows with the most frequent value, where that is there REPEATS times; a segment for each
    of the first ten such values, named by the smallest id that has it."""
    often = frame.group_by(column).agg(rows=pl.len(), id=pl.col("id").min()).filter(pl.col("rows") >= REPEATS)
    first = often.sort("rows", "id", descending=[True, False]).head(10).select("id", "rows").collect()
    shares = {row: _share(rows, n) for row, rows in first.iter_rows()}
    return each("repeat_mass", max(shares.values(), default=0.0), shares, n)


def _counts(frame: pl.LazyFrame, value: pl.Expr) -> dict[str, float]:
    """How often each value occurs; nulls are left out."""
    return _dict(frame.select(segment=value.cast(pl.String)).drop_nulls().group_by("segment").agg(value=pl.len()))


def _top(frame: pl.LazyFrame, column: str) -> dict[str, float]:
    """Rows of the most frequent values of a column, the rest together as "(other)", nulls as "(none)"."""
    counts = _counts(frame, pl.col(column).cast(pl.String).fill_null("(none)"))
    first = dict(sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:FEW])
    return first | ({"(other)": sum(counts.values()) - sum(first.values())} if len(counts) > FEW else {})


def _reasons(rejected: pl.LazyFrame) -> dict[str, float]:
    """Rows per reason; a row with two reasons counts under both."""
    return _counts(rejected.select("reasons").explode("reasons"), pl.col("reasons"))


def _spread(frame: pl.LazyFrame, column: str) -> dict[str, float]:
    found = frame.select(**{name: pl.col(column).quantile(q, "nearest") for name, q in SPREAD.items()}).collect()
    return {name: float(v) for name, v in found.row(0, named=True).items() if v is not None}


def _dict(frame: pl.LazyFrame) -> dict[str, float]:
    """A frame of `segment` and `value` as a dictionary, sorted."""
    return {
        str(segment): float(value)
        for segment, value in frame.sort("segment").collect().select("segment", "value").iter_rows()
    }
