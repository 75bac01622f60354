"""A data flywheel for LLM applications: production logs and feedback in, checked and traceable finetuning sets out.

    home = Home.create(Path("home"))         a folder with a recipe, an inbox and everything that is made
    home.recipe()                            the wish, validated
    home.store.head("curated").scan()        any dataset, as a Polars LazyFrame
    Catalog.open(home).why("req_81")         one row, back to its bytes and forward to every set

Operators (one file each) are in `sources`, `signals`, `filters`, `edits`, `sets` and `exports`; what computes is in `stages`.
Names are loaded when they are first used, so that `import flywheel` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flywheel.errors import FlywheelError as FlywheelError
    from flywheel.home import Home as Home
    from flywheel.kinds import Edit as Edit
    from flywheel.kinds import Export as Export
    from flywheel.kinds import Filter as Filter
    from flywheel.kinds import SetKind as SetKind
    from flywheel.kinds import Signal as Signal
    from flywheel.kinds import Source as Source
    from flywheel.recipe import Recipe as Recipe
    from flywheel.recipe import read_recipe as read_recipe
    from flywheel.storage.catalog import Catalog as Catalog
    from flywheel.storage.snapshots import Snapshot as Snapshot
    from flywheel.storage.snapshots import Store as Store

__version__ = "0.1.0"

_WHERE = {
    "Catalog": "storage.catalog",
    "Edit": "kinds",
    "Export": "kinds",
    "Filter": "kinds",
    "FlywheelError": "errors",
    "Home": "home",
    "Recipe": "recipe",
    "SetKind": "kinds",
    "Signal": "kinds",
    "Snapshot": "storage.snapshots",
    "Source": "kinds",
    "Store": "storage.snapshots",
    "read_recipe": "recipe",
}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module flywheel has no name {name!r}; public names are {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"flywheel.{_WHERE[name]}"), name)
