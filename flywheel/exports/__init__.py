"""One Export per file."""

from collections.abc import Iterable

from flywheel.kinds import Export, discover

EXPORTS = discover(__name__, Export)


def formats(uses: Iterable[str]) -> dict[str, Export]:
    """The formats of these names, in their order."""
    return {use: EXPORTS[use].model_validate({}) for use in uses}
