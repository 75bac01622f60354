"""One Signal per file."""

from flywheel.kinds import Signal, choice, discover

SIGNALS = discover(__name__, Signal)
AnySignal = choice(SIGNALS)
