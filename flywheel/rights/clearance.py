"""Clearance: whether the rows of a set may be used for the recipe's purpose, by licence and by the terms of teachers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import polars as pl

from flywheel.logs.reader import whole_files
from flywheel.rights.registry import Purpose, RegisteredSource, Registry, Standing, TeacherTerms
from flywheel.storage.snapshots import Snapshot, Store

VERDICTS = ("permitted", "forbidden", "unknown", "undeclared")
UNREGISTERED = "(not registered)"
NO_MODEL = "(no model)"

RIGHTS = pl.Schema(
    {
        "subject": pl.String,  # licence | teacher
        "name": pl.String,  # the registered source, or the model
        "stands": pl.String,  # the licence with the path to the strictest ancestor; or the terms
        "verdict": pl.String,  # permitted | forbidden | unknown | undeclared
        "why": pl.String,  # a sentence
        "demands": pl.String,  # what is to be done where something is distributed; "" where nothing
        "rows": pl.Int64,  # examples it speaks of, themselves or through an ancestor
        "example": pl.String,  # the smallest id of these
    }
)


class Judgement(NamedTuple):
    """A verdict of RIGHTS with its reason and what it asks for."""

    verdict: str
    why: str
    demands: str = ""


@dataclass(frozen=True, slots=True)
class Clearance:
    """What the rights of a set come to."""

    table: pl.DataFrame
    """RIGHTS."""
    examples: int
    """Examples judged."""
    affected: Mapping[tuple[str, str], int]
    """(subject, verdict) -> examples that have it, themselves or through an ancestor, each counted once."""
    unregistered: int
    """Examples with an ancestor, or themselves, of no registered source."""


def of_set(store: Store, candidate: Snapshot, registry: Registry) -> Clearance:
    """The rights of a candidate, by the conversations and raw files as they stand."""
    files = whole_files(store.head("raw_files"))
    return clear(candidate.scan().select("id", "parents"), store.head("conversations").scan(), files, registry)


def told(store: Store, candidate: Snapshot, registry: Registry) -> dict[str, Any] | None:
    """The rights of a candidate as a manifest tells them; None where the recipe registers nothing and declares no purpose."""
    if registry.purpose is None and not registry.sources:
        return None
    purpose = registry.purpose.model_dump(mode="json") if registry.purpose else None
    licences = {s.name: s.licence for s in registry.sources}
    return {"purpose": purpose, "licences": licences, "table": of_set(store, candidate, registry).table.to_dicts()}


def clear(examples: pl.LazyFrame, conversations: pl.LazyFrame, files: pl.LazyFrame, registry: Registry) -> Clearance:
    """The rights of examples: a row for each source and each model that any of them, or of their ancestors, is of.

    `examples`: `id`, `parents` (list of conversation ids). `conversations`: CONVERSATIONS. `files`: `file` (sha256), `name`.
    What is unknown of an ancestor is unknown of everything made of it.
    """
    roots = lineage(examples, conversations)
    facts = _facts(conversations, roots.get_column("ancestor").unique(), files, registry)
    known = roots.join(facts, left_on="ancestor", right_on="id", how="inner")
    rows = [*_licences(known, registry), *_teachers(known, registry)]
    table = pl.DataFrame(rows, schema=RIGHTS, orient="row").sort("subject", "name")
    affected = {
        (subject, verdict): _affected(known, column, table.filter(subject=subject, verdict=verdict))
        for subject, column in (("licence", "source"), ("teacher", "model"))
        for verdict in VERDICTS
    }
    strange = known.filter(source=UNREGISTERED).get_column("id").n_unique()
    return Clearance(table, roots.get_column("id").n_unique(), affected, strange)


def _affected(known: pl.DataFrame, column: str, rows: pl.DataFrame) -> int:
    """Examples that have one of these sources or models, each once."""
    value = pl.col(column).fill_null(NO_MODEL) if column == "model" else pl.col(column)
    asked = known if column == "source" else known.filter(_written())
    return asked.filter(value.is_in(rows.get_column("name").implode())).get_column("id").n_unique()


def _written() -> pl.Expr:
    """Whether a model wrote the reply, as far as the log says: what people wrote has no teacher."""
    return pl.col("model").is_not_null() | (pl.col("origin").fill_null("") != "demonstrated")


def lineage(examples: pl.LazyFrame, conversations: pl.LazyFrame) -> pl.DataFrame:
    """`id` of each example, and `ancestor`: each conversation it was made of, at any depth."""
    step = examples.select("id", ancestor="parents").explode("ancestor").drop_nulls().unique().collect()
    made = conversations.filter(pl.col("parents").list.len() > 0).select(ancestor="id", above="parents")
    parents = made.explode("above").drop_nulls().unique().collect()
    found = [step]
    while step.height and parents.height:
        above = step.join(parents, on="ancestor", how="inner").select("id", ancestor="above").unique()
        step = above.join(pl.concat(found), on=["id", "ancestor"], how="anti")
        found.append(step)
    return pl.concat(found).unique().sort("id", "ancestor")


def _facts(conversations: pl.LazyFrame, ids: pl.Series, files: pl.LazyFrame, registry: Registry) -> pl.DataFrame:
    """`id`, `source` (the registered one, or UNREGISTERED), `model` and `origin` of these conversations."""
    names = files.select("file", "name").unique().sort("file").collect()
    fits = [pl.when(_is_of(s, names)).then(pl.lit(s.name)) for s in registry.sources if s.files or s.where]
    source = pl.coalesce(*fits, pl.lit(UNREGISTERED)).alias("source")
    asked = conversations.filter(pl.col("id").is_in(ids.implode()))
    return asked.select("id", source, "model", "origin").collect(engine="streaming")


def _is_of(source: RegisteredSource, names: pl.DataFrame) -> pl.Expr:
    """Whether a row is of a registered source: all it says of its rows must hold."""
    said = [source.where.holds()] if source.where else []
    if source.files:
        hits = [file for file, name in names.iter_rows() if any(_fits(name, pattern) for pattern in source.files)]
        said.append(pl.col("raw").list.eval(pl.element().struct.field("file").is_in(hits)).list.any())
    return pl.all_horizontal(said)


def _fits(name: str, pattern: str) -> bool:
    """Whether a file is called so: all of its name where the pattern has a slash, else the last part."""
    return fnmatchcase(name if "/" in pattern else name.rpartition("/")[2], pattern)


def _licences(known: pl.DataFrame, registry: Registry) -> Iterator[tuple[object, ...]]:
    """A row of RIGHTS for each source."""
    strange = Judgement("unknown", "No [[source]] of the recipe names these rows.")
    for name, rows, example in _counted(known, "source"):
        if name == UNREGISTERED:
            stands, judged = "unknown", strange if registry.purpose else undeclared()
        else:
            standing = registry.standing(name)
            stands, judged = standing.path, of_licence(standing, registry.purpose)
        yield ("licence", name, stands, *judged, rows, example)


def _teachers(known: pl.DataFrame, registry: Registry) -> Iterator[tuple[object, ...]]:
    """A row of RIGHTS for each model; replies that people wrote have none."""
    written = known.filter(_written())
    for name, rows, example in _counted(written.with_columns(pl.col("model").fill_null(NO_MODEL)), "model"):
        terms = registry.terms(None if name == NO_MODEL else name)
        judged = of_teacher(terms, registry.purpose)
        said = f"{terms.terms} ({terms.source})" if terms.source else terms.terms
        yield ("teacher", name, said, *judged, rows, example)


def _counted(known: pl.DataFrame, column: str) -> Iterator[tuple[str, int, str]]:
    """Each value with how many examples have it, and the smallest id of these."""
    counts = known.group_by(column).agg(pl.col("id").n_unique().alias("rows"), pl.col("id").min().alias("example"))
    yield from counts.sort(column).iter_rows()


def undeclared(demands: str = "") -> Judgement:
    """What is said where no purpose is declared: never that it is permitted."""
    return Judgement("undeclared", "The recipe declares no [purpose].", demands)


def of_licence(standing: Standing, purpose: Purpose | None) -> Judgement:
    """Whether the rights of a source permit the purpose."""
    found = standing.restricts
    demands = "what is made of it stands under the same licence" if "share_alike" in found else ""
    if purpose is None:
        return undeclared(demands)
    if "forbidden" in found:
        return Judgement("forbidden", "Training on it is forbidden.")
    if "no_derivatives" in found and purpose.distributed:
        return Judgement("forbidden", "Nothing made of it may be distributed, and the purpose is distributed.")
    if "non_commercial" in found and purpose.commercial:
        return Judgement("forbidden", "It is for non-commercial use only, and the purpose is commercial.")
    if "unknown" in found:
        return Judgement("unknown", "What its licence allows is not known.")
    return Judgement("permitted", "Its licence permits the purpose.", demands if purpose.distributed else "")


def of_teacher(terms: TeacherTerms, purpose: Purpose | None) -> Judgement:
    """Whether the terms of the model that wrote a row permit training on it for the purpose."""
    if purpose is None:
        return undeclared(terms.demands)
    if terms.terms == "unknown":
        return Judgement("unknown", "What its maker allows is not known.")
    refused = {
        "forbidden": (True, "Its maker forbids training on its outputs."),
        "needs_permission": (
            True,
            "Its maker asks for permission in writing before a model is trained on its outputs.",
        ),
        "no_competing": (purpose.competing, "Its maker forbids competing models, and the purpose is competing."),
        "non_commercial": (
            purpose.commercial,
            "Its outputs are for non-commercial use, and the purpose is commercial.",
        ),
        "same_family": (
            not terms.family or terms.family.lower() not in purpose.student.lower(),
            f"Its outputs may train only models of the family {terms.family or '(none named)'}, and the student is {purpose.student or 'not named'}.",
        ),
    }
    is_refused, why = refused.get(terms.terms, (False, ""))
    if is_refused:
        return Judgement("forbidden", why)
    return Judgement("permitted", "Its terms permit the purpose.", terms.demands if purpose.distributed else "")
