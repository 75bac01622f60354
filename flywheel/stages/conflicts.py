"""Conflicts: rows of the pool with one question and different answers, and with one answer to different questions.

Each pair is called a contradiction or a variation, by a rule that is told. Nothing is left out for it: it is a list to read.
"""

from functools import partial

import polars as pl

from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.quality.tally import MEASURES
from flywheel.records import last_input, last_reply, reply
from flywheel.storage.snapshots import Snapshot
from flywheel.texts.contradictions import Features, Verdict, features, of_answers, of_questions

CONFLICTS = pl.Schema(
    {
        "kind": pl.String,  # same_question | same_answer
        "group_id": pl.String,  # smallest id of all rows with that question, or that answer
        "id": pl.String,
        "other": pl.String,  # the larger id of the two
        "verdict": pl.String,  # contradiction | variation
        "rule": pl.String,  # yes_or_no | final_answer | negation | numbers | nothing_in_common | wording
        "why": pl.String,
        "similarity": pl.Float64,  # Jaccard, of the words that differ in neither number nor negation
    }
)
KINDS = {"same_question": ("question_group", "answer_group"), "same_answer": ("answer_group", "question_group")}
"""What the rows of a pair share, and what they differ in."""
VERDICTS = ("contradiction", "variation")
EACH = 20
"""Of the different answers to one question (or questions with one answer) each is compared with the first so many, by id: a
canned prompt with ten thousand answers costs ten thousand times this, not its square."""
VERSION = 1
"""Raised when the rules come to say something else."""


def conflicts(curated: Snapshot, screened: Snapshot) -> Dataset:
    """The dataset "conflicts": `rows` (CONFLICTS), in one part "all". The pool must have the columns of the signal
    same_question."""
    step = Step(use="conflicts", version=VERSION, parameters={"each": EACH})
    key = cause("conflicts", step, curated.version, screened.version)
    return Dataset(
        name="conflicts",
        schemas={"rows": CONFLICTS},
        parts=[Part("all", key, partial(_made, curated, screened))],
        derivation=Derivation(operation="conflicts", inputs=(curated.ref, screened.ref), steps=(step,)),
    )


def _made(curated: Snapshot, screened: Snapshot) -> Tables:
    pool = curated.scan().select("id", "question_group", "answer_group").drop_nulls().collect()
    pairs = pl.concat(pairs_of(pool, kind) for kind in KINDS)
    wanted = pl.concat([pairs["id"], pairs["other"]]).unique().implode()
    nothing = pl.DataFrame(schema=dict.fromkeys(("id", "question", "answer"), pl.String))
    asked = (p.scan().filter(pl.col("id").is_in(wanted)) for p in screened.parts if p.tables["rows"].rows)
    texts = [rows.select("id", question=last_input(), answer=_said()).collect() for rows in asked]
    return {"rows": judged(pairs, pl.concat([nothing, *texts]))}


def _said() -> pl.Expr:
    """The reply, and the tools it calls."""
    return pl.concat_str(last_reply(), reply().struct.field("tool_calls").fill_null(""), separator="\n")


def pairs_of(pool: pl.DataFrame, kind: str) -> pl.DataFrame:
    """`kind`, `group_id`, `id`, `other`: of the rows that share one thing, the first of each other thing, in pairs."""
    shared, differs = KINDS[kind]
    first = pool.group_by(group_id=shared, side=differs).agg(pl.col("id").min()).sort("group_id", "id")
    several = first.filter(pl.len().over("group_id") > 1).with_columns(rank=pl.int_range(pl.len()).over("group_id"))
    early = several.filter(pl.col("rank") < EACH).select("group_id", id="id", before="rank")
    met = early.join(several.select("group_id", "rank", other="id"), on="group_id").filter(
        pl.col("rank") > pl.col("before")
    )
    return met.select(pl.lit(kind).alias("kind"), "group_id", "id", "other").sort("group_id", "id", "other")


def judged(pairs: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """CONFLICTS: the pairs with a verdict on the texts in which they differ. `texts`: id, question, answer."""
    places = {i: at for at, i in enumerate(texts["id"].to_list())}
    known = {"same_question": features(texts["answer"]), "same_answer": features(texts["question"])}
    told = [_verdict(kind, known[kind][places[a]], known[kind][places[b]]) for kind, _, a, b in pairs.iter_rows()]
    verdicts = pl.DataFrame(told, schema={c: CONFLICTS[c] for c in Verdict._fields}, orient="row")
    found = pl.concat([pairs, verdicts], how="horizontal").select(list(CONFLICTS)).cast(CONFLICTS)
    return found.sort("kind", "group_id", "id", "other", descending=[True, False, False, False])


def _verdict(kind: str, a: Features, b: Features) -> Verdict:
    return of_answers(a, b) if kind == "same_question" else of_questions(a, b)


def measured(conflicts: Snapshot, curated: Snapshot) -> pl.DataFrame:
    """Of the conflicts: `contradiction_share` (rows of the pool that contradict another), per kind; `conflicts` per kind and
    verdict, `contradictions` per rule. MEASURES, as `flywheel.quality.measures` has it."""
    n, found = curated.count(), conflicts.scan().collect()
    opposed = found.filter(verdict="contradiction")
    counts = [("contradiction_share", "", _rows(opposed) / n if n else 0.0)]
    counts += [("contradiction_share", k, _rows(opposed.filter(kind=k)) / n if n else 0.0) for k in KINDS]
    counts += [
        ("conflicts", f"{k}: {v}", float(found.filter(kind=k, verdict=v).height)) for k in KINDS for v in VERDICTS
    ]
    counts += [("contradictions", str(r), float(c)) for r, c in opposed.group_by("rule").len().iter_rows()]
    table = pl.DataFrame([(*row, n) for row in counts], schema=MEASURES, orient="row")
    return table.with_columns(pl.col("value").round(10)).sort("metric", "segment")


def _rows(pairs: pl.DataFrame) -> int:
    return pl.concat([pairs["id"], pairs["other"]]).n_unique()
