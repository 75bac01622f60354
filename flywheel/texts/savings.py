"""What an edit of a text saves, in tokens of o200k. Only what differs is counted, so that it costs little.

A text may be cut before a space between two letters: no token reaches over such a place.
"""

import re

_PLACE = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
REACH = 400
"""Characters around the difference in which such a place is looked for; a text without any is counted as a whole."""


def tokens_saved(before: str, after: str) -> int:
    """Tokens of the text before, less those of the text after; negative where it came to be more."""
    from flywheel.signals.tokens import count  # signals are found by looking through their folder, some of which edit

    start = _alike(before, after)
    least = min(len(before), len(after)) - start
    end = min(_alike(before[::-1], after[::-1]), least)
    head = max((m.start() for m in _PLACE.finditer(before, max(0, start - REACH), start)), default=None)
    tail = next((m.start() for m in _PLACE.finditer(before, len(before) - end, len(before) - end + REACH)), None)
    first = 0 if head is None else head
    last = 0 if tail is None else len(before) - tail
    return count(before[first : len(before) - last]) - count(after[first : len(after) - last])


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.startswith(other[:middle]) else (low, middle - 1)
    return low
