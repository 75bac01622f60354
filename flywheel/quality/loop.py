"""Guards of the loop: what happens when models learn from what models wrote, turn after turn of the wheel.

Shumailov et al. 2024 (model collapse: rare values go first), Taori & Hashimoto 2023 (feedback loops amplify what is frequent),
Gudibande et al. 2023 (imitation without reasoning). The numbers here inform a policy that the recipe declares; none is a default.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import polars as pl
from pydantic import BaseModel, Field

from flywheel.quality.measures import SYNTHETIC
from flywheel.quality.tally import MEASURES, Row, each, one
from flywheel.rights.clearance import lineage
from flywheel.storage.snapshots import Snapshot

TURNS = 3
"""Turns of the wheel from which a slope is told: two points have one always."""
BY_PEOPLE = ("edit", "correction", "demonstration")
"""Signals of examples whose completion a person wrote."""
FIGURE = r"\d[\d.,:/-]*\d|\d{2,}"
"""A figure of two digits or more: years, sums, times. Single digits are counted with fingers, and known without a source."""


class Loop(BaseModel, frozen=True, extra="forbid"):
    """The policy on synthetic rows and on turns of the wheel. Without it the guards are reported as undeclared, never as passed."""

    max_synthetic_share: float = Field(ge=0.0, le=1.0)
    """Share of a set that models may have written for the purpose. No ratio is known to be right: it is said, and recorded."""
    max_generations: int = Field(default=1, ge=0)
    """How many times synthesis may stand on synthesis: 1 is made from logged rows, 2 from rows so made."""
    axes: tuple[str, ...] = ("language",)
    """Columns of the pool whose rare values must not get lost, and whose frequent ones must not grow turn by turn."""
    rare: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Share of the real rows up to which a value is rare."""
    min_retention: float = Field(default=0.5, ge=0.0)
    """Share of a rare value among the synthetic rows, as part of its share among the real ones."""
    max_growth: float = Field(default=0.03, gt=0.0)
    """How much the share of a value may grow in each of three turns or more."""
    verifier: str = ""
    """Who outside of the model verifies what it is trained on, where it learns from itself; recorded as it is written here."""


def measured(
    candidate: Snapshot,
    curated: Snapshot,
    conversations: Snapshot,
    loop: Loop | None,
    student: str,
    turns: Sequence[Mapping[str, Mapping[str, float]]],
) -> pl.DataFrame:
    """MEASURES of a set's guards: `generations`, `tail_retention`, `real_share`, `growth_per_turn`, `self_taught_rows`,
    `ungrounded_human_rows` and `answers_only_share`. Nothing without a policy.

    `student`: the model that is trained. `turns`: shares of the values of each axis in the releases before, oldest first.
    """
    if loop is None:
        return pl.DataFrame(schema=MEASURES)
    rows = candidate.scan().select("id", "parents", "origin", "signal", "feedback").collect()
    ages = generations(rows.lazy(), conversations)
    made = ages.get_column("generation") > 0
    shares = {axis: _by_side(axis, ages, rows, curated) for axis in loop.axes if axis in curated.schemas["rows"]}
    kept, grown = dict(_retained(shares, loop.rare)), dict(_growth([*turns, of_axes(shares)]))
    n, oldest = rows.height, max(ages.get_column("generation").to_list(), default=0)
    found = [
        *one("generations", oldest, n),
        *one("real_share", 1 - int(made.sum()) / n if n else 1.0, n),
        *each("tail_retention", min(kept.values(), default=1.0), kept, int(made.sum())),
        *each("growth_per_turn", max(grown.values(), default=0.0), grown, len(turns) + 1),
        *one("self_taught_rows", _self_taught(rows, conversations, student) if not loop.verifier else 0, n),
        *_flagged("ungrounded_human_rows", ungrounded(candidate)),
        *_answers_only(candidate),
    ]
    return pl.DataFrame(found, schema=MEASURES).sort("metric", "segment")


def generations(examples: pl.LazyFrame, conversations: Snapshot) -> pl.DataFrame:
    """`id` of each example (`id`, `parents`, `origin`) and its `generation`: 0 where no ancestor was synthesised, else one more than
    the oldest synthetic ancestor's."""
    tree = lineage(examples, conversations.scan())
    known = conversations.scan().filter(pl.col("origin").is_in(SYNTHETIC)).select("id", "parents").collect()
    ages = dict.fromkeys(known.get_column("id").to_list(), 1)
    parents = dict(known.iter_rows())
    for _ in range(len(ages)):  # each pass settles one more generation; a circle would go on, and is cut here
        older = {i: 1 + max((ages.get(p, 0) for p in parents[i] or ()), default=0) for i in ages}
        if older == ages:
            break
        ages = older
    table = pl.DataFrame(
        {"ancestor": list(ages), "age": list(ages.values())}, schema={"ancestor": pl.String, "age": pl.Int64}
    )
    oldest = tree.join(table, on="ancestor", how="inner").group_by("id").agg(pl.col("age").max())
    joined = examples.select("id", "origin").collect().join(oldest, on="id", how="left", maintain_order="left")
    alone = pl.col("origin").is_in(SYNTHETIC).fill_null(False).cast(pl.Int64)  # synthesised when the set was made
    return joined.select("id", generation=pl.max_horizontal(pl.col("age").fill_null(0), alone))


def of_axes(shares: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, float]]:
    """Axis -> value -> its share of a whole set."""
    return {axis: _dict(frame, "share") for axis, frame in shares.items()}


def axes_of(candidate: Snapshot, curated: Snapshot, axes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares of the values of each axis in a set, for the manifest: what the turns after are held against."""
    rows = candidate.scan().select("id", "parents").collect()
    ages = rows.select("id", generation=pl.lit(0))
    return of_axes({a: _by_side(a, ages, rows, curated) for a in axes if a in curated.schemas["rows"]})


def _by_side(axis: str, ages: pl.DataFrame, rows: pl.DataFrame, curated: Snapshot) -> pl.DataFrame:
    """`value`, and its share of all examples (`share`), of the `real` and of the `made` ones."""
    first = rows.select("id", parent=pl.col("parents").list.first())
    values = curated.scan().select(parent="id", value=pl.col(axis).cast(pl.String).fill_null("(none)")).collect()
    known = first.join(values, on="parent", how="inner").join(ages, on="id", how="inner")
    made = pl.col("generation") > 0
    counted = known.group_by("value").agg(share=pl.len(), real=(~made).sum(), made=made.sum())
    return counted.select(
        "value",
        *((pl.col(c) / pl.col(c).sum()).fill_nan(0.0) for c in ("share", "real", "made")),
        n=pl.col("made").sum(),
    ).sort("value")


def _retained(shares: Mapping[str, pl.DataFrame], rare: float) -> Iterator[tuple[str, float]]:
    """Each rare value of the real rows, and how much of its share the synthetic rows have."""
    for axis, frame in shares.items():
        for row in frame.filter((pl.col("real") > 0) & (pl.col("real") <= rare) & (pl.col("n") > 0)).to_dicts():
            yield f"{axis}={row['value']}", row["made"] / row["real"]


def _growth(turns: Sequence[Mapping[str, Mapping[str, float]]]) -> Iterator[tuple[str, float]]:
    """Each value whose share grew in every one of the last TURNS turns, and the slope of its line (least squares)."""
    last = turns[-TURNS:]
    if len(last) < TURNS:
        return
    for axis, values in last[-1].items():
        for value in values:
            line = [turn.get(axis, {}).get(value, 0.0) for turn in last]
            if all(a < b for a, b in itertools.pairwise(line)):
                yield f"{axis}={value}", slope(line)


def slope(line: Sequence[float]) -> float:
    """The slope of a straight line through points one apart, by least squares."""
    middle = (len(line) - 1) / 2
    spread = sum((x - middle) ** 2 for x in range(len(line)))
    return sum((x - middle) * y for x, y in enumerate(line)) / spread


def _self_taught(rows: pl.DataFrame, conversations: Snapshot, student: str) -> int:
    """Examples that the student itself wrote and that no person has said anything about."""
    if not student:
        return 0
    mine = conversations.scan().filter(pl.col("model").str.to_lowercase() == student.lower()).select("id").collect()
    alone = rows.filter(pl.col("feedback").list.len().fill_null(0) == 0)
    return alone.explode("parents").join(mine, left_on="parents", right_on="id", how="semi").get_column("id").n_unique()


def ungrounded(candidate: Snapshot) -> pl.DataFrame:
    """`id` of each example whose completion a person wrote, and `strange`: its figures that stand nowhere in the prompt.

    Who writes down what the model cannot know teaches it to invent (Schulman 2023). Flagged for a look, and never removed.
    """
    text = [
        pl.col(c).list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")
        for c in ("prompt", "completion")
    ]
    written = candidate.scan().filter(pl.col("signal").is_in(BY_PEOPLE) | (pl.col("origin") == "demonstrated"))
    figures = [t.str.extract_all(FIGURE).list.unique() for t in text]
    asked = written.select("id", given=figures[0], said=figures[1]).collect()
    return asked.select("id", strange=pl.col("said").list.set_difference("given").list.sort())


def _flagged(metric: str, found: pl.DataFrame) -> Iterator[Row]:
    """How many rows are flagged, with a segment for the first ten."""
    hits = found.filter(pl.col("strange").list.len() > 0).sort("id")
    yield from one(metric, hits.height, found.height)
    for row in hits.head(10).iter_rows(named=True):
        yield from one(metric, len(row["strange"]), found.height, row["id"])


def _answers_only(candidate: Snapshot) -> list[Row]:
    """The share of questions with figures that a model answered with a bare figure: nothing is there to learn how."""
    asked = pl.col("prompt").list.last().struct.field("content").fill_null("")
    said = pl.col("completion").list.last().struct
    reasoned = said.field("reasoning").fill_null("") != ""
    maths = (asked.str.count_matches(r"\d+") >= 2) & asked.str.contains(r"[?？]\s*$")
    bare = said.field("content").fill_null("").str.contains(r"^\D{0,24}\d[\d.,]*\D{0,24}$") & ~reasoned
    by_model = ~pl.col("signal").is_in(BY_PEOPLE).fill_null(False)
    counts = candidate.scan().filter(maths & by_model).select(n=pl.len(), bare=bare.sum()).collect().row(0)
    n, found = int(counts[0]), int(counts[1] or 0)
    return one("answers_only_share", found / n if n else 0.0, n)


def _dict(frame: pl.DataFrame, column: str) -> dict[str, float]:
    return dict(frame.select("value", column).iter_rows())
