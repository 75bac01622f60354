"""How findings become Dagster checks."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg
import polars as pl

from assets.graph import OWNER
from assets.resources import HomeResource, sentences
from flywheel.coverage.targets import of_drift
from flywheel.quality.expectations import Finding, judge
from flywheel.quality.targets import Target, wanted
from flywheel.quality.unlearned import target
from flywheel.recipe import Recipe
from flywheel.storage.releasing import keep_verdicts

Measure = Callable[[HomeResource], pl.DataFrame]


def judged(
    asset: str, targets: Sequence[Target], measure: Measure, candidate: bool = False
) -> dg.AssetChecksDefinition:
    """One multi-check for an asset. The verdicts on a candidate are kept, for the release to read again."""

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=[spec(asset, t) for t in targets],
        can_subset=True,
    )
    def _checks(context: dg.AssetCheckExecutionContext, home: HomeResource) -> Iterator[dg.AssetCheckResult]:
        with sentences():
            findings = judge(targets, measure(home))
            if candidate:
                keep_verdicts(home.home, home.store.head(asset), targets, findings)
        asked = {key.name for key in context.selected_asset_check_keys}
        yield from (result(asset, t, f) for t, f in zip(targets, findings, strict=True) if t.name in asked)

    return _checks


def bounds(recipe: Recipe, asset: str) -> list[Target]:
    """The targets of an asset that is not a set, the recipe's own traits and behaviours of it, and what its sets want of new logs."""
    traits = [t.target for t in recipe.trait if t.of == asset]
    unlearned = [target(b) for b in recipe.behaviour if asset == "screened"]
    drift = [t for s in recipe.sets if asset == "signals" for t in of_drift(s.name, s.coverage)]
    return [*wanted(asset, recipe.check.get(asset, {})), *traits, *unlearned, *drift]


def spec(asset: str, target: Target) -> dg.AssetCheckSpec:
    """What the UI says of a check before it ran: what is wanted, what a failure does, and what to do then."""
    weight = {
        "error": "A failure blocks what is downstream.",
        "warn": "A failure is a warning.",
        "off": f"{target.off_because.capitalize()}: measured, not judged.",
    }[target.severity]
    return dg.AssetCheckSpec(
        name=target.name,
        asset=asset,
        blocking=target.blocking,
        description=f"{target.metric} is {target.bound}. {weight} If it fails: {target.next_step}",
        metadata={"owner": OWNER, "severity": target.severity},
    )


def result(asset: str, target: Target, finding: Finding) -> dg.AssetCheckResult:
    """A finding in Dagster's shape. Numbers and the next step stand in plain metadata: the UI hides markdown on this page."""
    metadata: dict[str, dg.MetadataValue] = {
        "severity": dg.MetadataValue.text(finding.severity),
        "bound": dg.MetadataValue.text(finding.bound),
    }
    if finding.severity == "off":
        metadata["judged"] = dg.MetadataValue.text(f"no: {target.off_because}, so this is no success")
    if finding.observed is not None:
        metadata["observed"] = dg.MetadataValue.float(float(finding.observed))
    if not finding.passed:
        metadata["next_step"] = dg.MetadataValue.text(target.next_step)
    if finding.worst:
        metadata["worst"] = table(finding)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=finding.name,
        passed=bool(finding.passed),
        severity=dg.AssetCheckSeverity.ERROR if finding.blocking else dg.AssetCheckSeverity.WARN,
        description=finding.summary,
        metadata=metadata,
    )


def table(finding: Finding) -> dg.MetadataValue:
    """The worst segments, worst first; "all" where the metric has none."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord({"segment": str(w["segment"] or "all")[:160], "value": float(w["value"]), "of": int(w["n"])})
            for w in finding.worst
        ],
        dg.TableSchema(
            [dg.TableColumn("segment", "string"), dg.TableColumn("value", "float"), dg.TableColumn("of", "int")]
        ),
    )
