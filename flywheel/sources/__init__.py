"""One Source per file."""

from flywheel.kinds import Source, discover

SOURCES = discover(__name__, Source)
