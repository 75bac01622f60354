"""What an edit of a text saves, in tokens of o200k. Only what differs is counted, so that it costs little.

A text may be cut before a space between two letters: no token reaches over such a place.
"""

REACH = 400
"""Characters around the difference in which such a place is looked for; a text without any is counted as a whole."""


def tokens_saved(before: str, after: str) -> int:
    """Tokens of the text before, less those of the text after; negative where it came to be more."""
    from flywheel.signals.tokens import count  # signals are found by looking through their folder, some of which edit

    start = _alike(before, after)
    least = min(len(before), len(after)) - start
    end = min(_alike(before[::-1], after[::-1]), least)
    first, last = _last_place(before, start), _first_place(before, len(before) - end)
    return count(before[first:last]) - count(after[first : len(after) - (len(before) - last)])


def _last_place(text: str, end: int) -> int:
    """The last place before `end` where the text may be cut; 0 where there is none within reach."""
    least = max(0, end - REACH)
    at = text.rfind(" ", least, max(0, end - 1))
    while at > 0 and not (_letter(text[at - 1]) and _letter(text[at + 1])):
        at = text.rfind(" ", least, at)
    return max(0, at)


def _first_place(text: str, start: int) -> int:
    """The first place from `start` on where the text may be cut; its end where there is none within reach."""
    most = min(len(text), start + REACH) - 1
    at = text.find(" ", max(1, start), most)
    while at >= 0 and not (_letter(text[at - 1]) and _letter(text[at + 1])):
        at = text.find(" ", at + 1, most)
    return at if at >= 0 else len(text)


def _letter(character: str) -> bool:
    return character.isalnum() and not character.isdecimal()


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.startswith(other[:middle]) else (low, middle - 1)
    return low
