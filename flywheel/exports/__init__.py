"""One Export per file."""

from flywheel.kinds import Export, discover

EXPORTS = discover(__name__, Export)
