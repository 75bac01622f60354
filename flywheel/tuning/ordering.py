"""What each operator of a recipe costs and removes, measured on a sample of the home, and the cheapest order of its edits.

What is free and what is not: filters commute, for each looks at one row and every reason is kept; they are evaluated in one
pass, so their order costs nothing and nothing is proposed. The choice among duplicates comes after the filters, always: a copy
whose twin a filter rejects must stay. Edits run in the order of the recipe, each on what those before it left. Two edits commute
where both orders give the same bytes; whether they do is tried, pair by pair, and what does not commute keeps its order.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import orjson
import polars as pl

from flywheel.choices.mix import stable_order
from flywheel.errors import SnapshotMissing
from flywheel.home import Home
from flywheel.kinds import Edit, Operator
from flywheel.recipe import Recipe
from flywheel.rewriting import rewrite, rewrite_text
from flywheel.stages.curate import judge
from flywheel.tuning.planner import Costed, cheapest, kept_before, total

WORTH = 0.05
"""Share of the cost that another order must save to be proposed: less is within the noise of measuring."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One operator on the sample."""

    kind: str
    """edit | filter | signal"""
    name: str
    seconds: float
    """CPU-seconds on the whole sample."""
    removes: float
    """Of an edit the share of characters it takes away, of a filter that of rows, of a comparing signal that of copies."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was measured, and the order that came of it."""

    sample: int
    rows: int
    """Conversations of the home."""
    operators: tuple[Measured, ...]
    now: tuple[str, ...]
    """The edits as the recipe orders them."""
    proposed: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...]
    """Pairs of edits that feed each other: the first must stay before the second."""
    predicted: tuple[float, float]
    """CPU-seconds of the edits on all rows of the home, now and as proposed."""
    measured: tuple[float, float]
    """CPU-seconds of the edits on the sample, now and as proposed, run as a build runs them."""
    equal: bool
    """Whether both orders gave the same digests, and the filters in either order the same rows and reasons, on the sample."""

    @property
    def changes(self) -> bool:
        """Whether another order is proposed."""
        return self.now != self.proposed


def propose(home: Home, size: int = 2_000) -> Proposal:
    """Measure the recipe on `size` conversations and propose the cheapest order of its edits. Nothing is changed."""
    recipe = home.recipe()
    rows, of = _sample(home, recipe, size)
    edits = {e.use: e for e in recipe.edits}
    texts = _texts(rows)
    operators = [_edit(e, texts, home.secret) for e in recipe.edits]
    seen = _seen(home, rewrite(rows, recipe.edits, home.secret)[0])
    operators += [_filter(f, seen) for f in recipe.filters]
    operators += [m for s in recipe.signals if s.absent() is None for m in [_signal(s, rows)]]
    fixed = _fixed(recipe.edits, rows, home.secret)
    costed = _costed(operators[: len(edits)], fixed, rows.height)
    best = cheapest(costed)
    if total(best, 1) > (1 - WORTH) * total(costed, 1):
        best = costed
    here, spent_now = _timed(lambda: rewrite(rows, recipe.edits, home.secret)[0])
    there, spent_then = _timed(lambda: rewrite(rows, [edits[s.name] for s in best], home.secret)[0])
    equal = _digests(here).equals(_digests(there)) and _same_verdicts(recipe, seen)
    if not equal:
        best = costed
    return Proposal(
        sample=rows.height,
        rows=of,
        operators=tuple(operators),
        now=tuple(edits),
        proposed=tuple(s.name for s in best),
        fixed=tuple(fixed),
        predicted=(total(costed, of), total(best, of)),
        measured=(spent_now, spent_then),
        equal=equal,
    )


def snippet(recipe: Recipe, order: Sequence[str]) -> str:
    """The [[edit]] tables of a recipe in another order, to be put in place of those that are there."""
    edits = {e.use: e for e in recipe.edits}
    return "\n".join(_table(edits[name]) for name in order)


def _table(edit: Operator) -> str:
    told = {"use": edit.use} | edit.model_dump(mode="json", exclude_defaults=True, exclude={"use"})
    # A JSON string, number, boolean or list of them is written in TOML as it is in JSON.
    return "[[edit]]\n" + "".join(f"{name} = {orjson.dumps(value).decode()}\n" for name, value in told.items())


# --- measuring


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def _sample(home: Home, recipe: Recipe, size: int) -> tuple[pl.DataFrame, int]:
    """The conversations with the smallest hash of seed and id, and how many there are. Raises `SnapshotMissing`."""
    conversations = home.store.head("conversations")
    ids = conversations.scan().select("id").collect()["id"]
    if ids.is_empty():
        raise SnapshotMissing("there is no conversation to measure on. Run: flywheel ingest FILE")
    ranked = pl.DataFrame({"id": ids}).with_columns(stable_order(ids, f"order:{recipe.seed}"))
    chosen = ranked.sort("order", "id").head(size)["id"]
    days = [p.scan().filter(pl.col("id").is_in(chosen.implode())).collect() for p in conversations.parts]
    return pl.concat(days).sort("id"), len(ids)


def _texts(rows: pl.DataFrame) -> pl.Series:
    """The distinct texts of all messages."""
    return (
        rows.select(pl.col("messages").list.eval(pl.element().struct.field("content")).explode())
        .to_series()
        .drop_nulls()
        .unique()
        .sort()
    )


def _seen(home: Home, rows: pl.DataFrame) -> pl.DataFrame:
    """The rewritten rows with what was measured and said of them, as filters see them."""
    measured, labels = (home.store.head(n).scan().drop("day") for n in ("measurements", "labels"))
    joined = rows.lazy().join(measured, on="id", how="left").join(labels, on="id", how="left")
    return joined.collect()


def _edit(edit: Edit, texts: pl.Series, secret: bytes) -> Measured:
    done, seconds = _timed(lambda: rewrite_text(texts, [edit], secret))
    before, after = int(texts.str.len_chars().sum()), int(done.str.len_chars().sum())
    return Measured("edit", edit.use, seconds, 1 - after / before if before else 0.0)


def _filter(rule: Any, seen: pl.DataFrame) -> Measured:
    said = pl.any_horizontal([verdict.fill_null(False) for verdict in rule.verdicts().values()])
    hit, seconds = _timed(lambda: seen.select(said.sum()).item())
    return Measured("filter", rule.reason, seconds, int(hit or 0) / max(seen.height, 1))


def _signal(signal: Any, rows: pl.DataFrame) -> Measured:
    """A signal; of one that compares rows, both halves of the work, and the share of rows that have a twin before them."""
    if signal.scope == "row":
        return Measured("signal", signal.use, _timed(lambda: signal.measure(rows.lazy()).collect())[1], 0.0)
    related, seconds = _timed(lambda: signal.relate(signal.sketch(rows.lazy()).collect().lazy()).collect())
    group = next((c for c in signal.gives if c.endswith("_group")), None)
    copies = 1 - related[group].n_unique() / max(related.height, 1) if group else 0.0
    return Measured("signal", signal.use, seconds, copies)


# --- what commutes


def _digests(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("id", "digest").sort("id")


def _fixed(edits: Sequence[Edit], rows: pl.DataFrame, secret: bytes) -> list[tuple[str, str]]:
    """Pairs of edits, in their order, that give other bytes the other way round on the sample."""

    def after(*order: Edit) -> pl.DataFrame:
        return _digests(rewrite(rows, order, secret)[0])

    return [(a.use, b.use) for a, b in combinations(edits, 2) if not after(a, b).equals(after(b, a))]


def _same_verdicts(recipe: Recipe, seen: pl.DataFrame) -> bool:
    """Whether the filters reject the same rows for the same reasons in the order of the recipe and the other way round."""

    def verdicts(filters: Sequence[Any]) -> pl.DataFrame:
        judged = judge(seen.lazy(), filters).select("id", pl.col("reasons", "undesired").list.sort())
        return judged.sort("id").collect()

    return verdicts(recipe.filters).equals(verdicts(recipe.filters[::-1]))


def _costed(edits: Sequence[Measured], fixed: Sequence[tuple[str, str]], sample: int) -> list[Costed]:
    before = kept_before([e.name for e in edits], fixed)
    return [Costed(e.name, e.seconds / max(sample, 1), e.removes, before[e.name]) for e in edits]
