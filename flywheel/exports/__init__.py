"""One Export per file."""

from flywheel.kinds import Export, choice, discover

EXPORTS = discover(__name__, Export)
AnyExport = choice(EXPORTS)
