"""Releases: a judged candidate becomes files, and the catalog follows."""

import dagster as dg

from assets.graph import release_asset, stage_asset
from assets.links import audited
from assets.metadata import describe_catalog, describe_release
from assets.resources import HomeResource, sentences
from flywheel.kinds import SetKind
from flywheel.recipe import Recipe
from flywheel.storage.catalog import Catalog
from flywheel.storage.promotion import told
from flywheel.storage.releasing import release


def releases(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The release of each set, and the catalog after them."""
    return [*(release_of(wanted, recipe) for wanted in recipe.sets), catalog(recipe)]


def release_of(wanted: SetKind, recipe: Recipe) -> dg.AssetsDefinition:
    """The release asset of one set."""
    about = (
        f"Release of the set {wanted.name}: the verdicts on this very candidate are read again; if every blocking check passed, its files "
        f"are written to exports/{wanted.name}/VERSION, read back by another reader, and `current` is moved to them."
    )

    @release_asset(wanted.name, about, recipe)
    def _release(home: HomeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with sentences():
            made = release(home.home, wanted)
            shown = describe_release(made, told(home.home, wanted.name)) | audited(home.home, made)
        return dg.MaterializeResult(data_version=dg.DataVersion(made.version), metadata=shown)

    return _release


def catalog(recipe: Recipe) -> dg.AssetsDefinition:
    """The DuckDB catalog."""
    deps = [
        "curated",
        *(["conflicts"] if recipe.has_conflicts else []),
        *(s.name for s in recipe.sets),
        *(c.name for c in recipe.curriculum),
    ]

    @stage_asset(group="6_export", kinds={"duckdb"}, name="catalog", deps=deps)
    def _catalog(home: HomeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """catalog.duckdb: lineage, labels, reasons, sets and releases in SQL. Derived: it may be deleted at any time and is made again."""
        with sentences(), Catalog.open(home.home) as opened:
            return dg.MaterializeResult(data_version=dg.DataVersion(opened.state), metadata=describe_catalog(opened))

    return _catalog
