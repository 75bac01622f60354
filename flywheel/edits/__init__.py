"""One Edit per file."""

from flywheel.kinds import Edit, choice, discover

EDITS = discover(__name__, Edit)
AnyEdit = choice(EDITS)
