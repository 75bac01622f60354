"""One Filter per file."""

from flywheel.kinds import Filter, choice, discover

FILTERS = discover(__name__, Filter)
AnyFilter = choice(FILTERS)
