"""The code location: everything Dagster sees. The sets of the home's recipe decide which assets there are."""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from assets import assemble, conflicts, curate, curriculum, export, ingest, label, measure, reserve, review
from assets.audit import audit_job
from assets.columns import columns_of
from assets.io import DatasetIO
from assets.resources import HomeResource
from assets.sensors import build_job, check_job, daily_build, inbox_sensor
from assets.trial import SIZE, trial_job
from checks import all_checks
from flywheel.home import Home, chosen_home, sample_recipe
from flywheel.recipe import Recipe, parse_recipe


def recipe_of(home: Path) -> Recipe:
    """The home's recipe; before there is a home, that of the sample, so that the graph can be looked at."""
    file = home / "recipe.toml"
    return Home(home).recipe() if file.exists() else parse_recipe(sample_recipe(), "the sample's recipe")


def all_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """Every asset, upstream first."""
    return [
        ingest.raw_files,
        ingest.conversations,
        ingest.feedback,
        label.labels,
        measure.measurements,
        measure.matches,
        measure.signals,
        curate.screened,
        curate.curated,
        *([conflicts.conflicts] if recipe.has_conflicts else []),
        review.queue(recipe),
        *reserve.reserved(recipe),
        *assemble.candidates(recipe),
        *curriculum.curricula(recipe),
        *export.releases(recipe),
    ]


def with_columns(assets: Iterable[dg.AssetsDefinition], recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The assets, each with the columns of its main table and what they mean."""
    columns = columns_of(recipe)

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        known = columns.get(spec.key.to_user_string())
        return spec.merge_attributes(metadata={"dagster/column_schema": known}) if known else spec

    return [a.map_asset_specs(add) for a in assets]


def definitions(home: Path, wait: float = 600.0) -> dg.Definitions:
    """All assets, checks, jobs, sensors and the schedule, for the recipe of one home."""
    recipe = recipe_of(home)
    resource = HomeResource(path=str(home), wait=wait)
    return dg.Definitions(
        assets=with_columns(all_assets(recipe), recipe),
        asset_checks=all_checks(recipe),
        jobs=[build_job(), check_job(), trial_job(home, recipe.build.trial or SIZE), audit_job(home)],
        sensors=[inbox_sensor("logs", "log files"), inbox_sensor("feedback", "feedback files")],
        schedules=[daily_build()],
        resources={"home": resource, "datasets": DatasetIO(path=str(home))},
        executor=dg.in_process_executor,
    )


defs = definitions(chosen_home())
