"""What every asset of the graph has in common: owner, retries, code version, group."""

from collections.abc import Callable, Set
from typing import Any

import dagster as dg

from flywheel.lineage import ENGINE
from flywheel.recipe import Recipe

OWNER = "team:flywheel"
RETRIES = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)


def stage_asset(group: str, kinds: Set[str], **more: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """An asset of a stage. Its docstring is what the user reads in the UI."""
    decorate: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        group_name=group,
        kinds=set(kinds),
        owners=[OWNER],
        retry_policy=RETRIES,
        code_version=more.pop("code_version", ENGINE),
        io_manager_key="datasets",
        **more,
    )
    return decorate


def release_asset(name: str, about: str, recipe: Recipe) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The asset of the release of a set or a curriculum."""
    return stage_asset(
        group="6_export",
        kinds={"json", "parquet"},
        name=f"{name}_release",
        description=about,
        deps=[name],
        code_version=recipe.digest,
    )
