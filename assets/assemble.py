"""One candidate asset per set of the recipe, and the coverage of those that shall cover something."""

from collections.abc import Iterator

import dagster as dg

from assets.graph import OWNER, RETRIES, stage_asset
from assets.io import named, published
from assets.resources import HomeResource
from flywheel.coverage.wanted import SUFFIX
from flywheel.kinds import SetKind
from flywheel.recipe import Recipe
from flywheel.stages.assemble import Inputs, assemble
from flywheel.stages.cover import cover
from flywheel.storage.snapshots import Snapshot

GROUP, KINDS = "5_assemble", {"polars", "parquet"}
USAGE = ("conversations", "signals")
"""What a mix that follows usage reads."""


def candidates(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The candidate of each set: assembled, not yet judged."""
    return [covered(wanted, recipe) if wanted.covers else candidate(wanted, recipe) for wanted in recipe.sets]


def about(wanted: SetKind) -> str:
    """What the UI says of a candidate."""
    return f"Candidate of the {wanted.use} set {wanted.name}: picked from the pool, mixed to target, split by group. Released only if its blocking checks pass."


def further(wanted: SetKind, recipe: Recipe) -> list[str]:
    """What a candidate is made of beside the pool, the texts and the labels. The sketches are read only by a selection that compares
    texts, the logs by a mix that follows usage, reserved rows where there is a pilot; other sets do not wait. Feedback tells what
    people looked at."""
    compared = ["measurements"] if wanted.sketched() else []
    usage = USAGE if wanted.measures_usage else ()
    return ["feedback", *compared, *usage, *(["reserved"] if recipe.pilots else [])]


def made(
    home: HomeResource, wanted: SetKind, recipe: Recipe, curated: Snapshot, screened: Snapshot, labels: Snapshot
) -> dg.Output[Snapshot]:
    """The candidate, with what else it is made from: see `further`."""
    others = {name: home.store.head(name) for name in further(wanted, recipe)}
    inputs = Inputs(
        curated,
        screened,
        labels,
        measurements=others.get("measurements"),
        logs=[others[name] for name in USAGE if name in others],
        reserved=others.get("reserved"),
        heard=(others["feedback"], recipe.feedback),
        guidelines=recipe.guideline,
        before=home.store.newest(wanted.name),
    )
    return published(home, assemble, wanted, inputs, recipe.seed, recipe.edits, home.home.secret)


def candidate(wanted: SetKind, recipe: Recipe) -> dg.AssetsDefinition:
    """The candidate asset of one set."""

    @stage_asset(
        group=GROUP,
        kinds=KINDS,
        name=wanted.name,
        description=about(wanted),
        code_version=recipe.digest,
        deps=further(wanted, recipe),
    )
    def _candidate(curated: Snapshot, screened: Snapshot, labels: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
        return made(home, wanted, recipe, curated, screened, labels)

    return _candidate


def covered(wanted: SetKind, recipe: Recipe) -> dg.AssetsDefinition:
    """The candidate asset of one set and its coverage, in one step: a check that blocks the set must not block the plan that would
    mend it."""
    gaps = f"Coverage of {wanted.name}: what it holds of each value wanted, and the acquisition plan that would close the gaps."
    told = {wanted.name: about(wanted), f"{wanted.name}{SUFFIX}": gaps}

    @dg.multi_asset(
        name=f"{wanted.name}_covered",
        group_name=GROUP,
        retry_policy=RETRIES,
        outs={
            name: dg.AssetOut(
                description=text, code_version=recipe.digest, io_manager_key="datasets", kinds=KINDS, owners=[OWNER]
            )
            for name, text in told.items()
        },
        deps=sorted({*further(wanted, recipe), "conversations", "signals"}),
    )
    def _covered(
        curated: Snapshot, screened: Snapshot, labels: Snapshot, home: HomeResource
    ) -> Iterator[dg.Output[Snapshot]]:
        set_made = made(home, wanted, recipe, curated, screened, labels)
        yield named(set_made, wanted.name)
        logs = [home.store.head(name) for name in ("conversations", "signals")]
        gaps_made = published(home, cover, wanted, set_made.value, curated, *logs, recipe.seed)
        yield named(gaps_made, f"{wanted.name}{SUFFIX}")

    return _covered
