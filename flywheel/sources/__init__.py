"""One Source per file."""

from flywheel.kinds import Source, choice, discover

SOURCES = discover(__name__, Source)
AnySource = choice(SOURCES)
