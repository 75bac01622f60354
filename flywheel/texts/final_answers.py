"""Final answers: where a text gives it, and whether two of them say the same."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+")
FRACTION = re.compile(r"(-?)\\[dt]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(-?\d+)\s*\}|(-?)(\d+)\s*/\s*(\d+)(?![\d/])")
HASHES = "####"
"""The mark before the answer in GSM8K."""
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
LETTER = (
    re.compile(r"(?<![A-Za-z])\(?([A-J])\)?(?=[\s).:,!*]*$)"),  # the text ends with it
    re.compile(r"^\s*[(*]*([A-J])[).:*]"),  # or begins with it
    re.compile(r"\(([A-J])\)"),
)


def final_of(text: str) -> str:
    """The part of a text that is its answer: what follows the last ####, else the last \\boxed{…}, else all of it."""
    if HASHES in text:
        return text.rpartition(HASHES)[2].strip()
    found = boxed(text)
    return text.strip() if found is None else found


def boxed(text: str) -> str | None:
    """What stands in the last \\boxed{…} (or \\fbox) of a text, braces within it and all; None where there is none."""
    for start in reversed([m.end() for m in BOXED.finditer(text)]):
        depth = 1
        for at in range(start, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                return text[start:at].strip()
    return None


def last_number(text: str) -> Fraction | None:
    """The last number of a text, exactly: thousands separators aside, a fraction (1/2, \\frac{1}{2}) by its value."""
    fractions = list(FRACTION.finditer(text))
    numbers = list(NUMBER.finditer(text))
    if fractions and (not numbers or numbers[-1].start() < fractions[-1].end()):
        sign, over, under, other_sign, other_over, other_under = fractions[-1].groups()
        below = int(under or other_under)
        return None if below == 0 else (-1 if sign or other_sign else 1) * Fraction(int(over or other_over), below)
    return Fraction(Decimal(numbers[-1].group().replace(",", ""))) if numbers else None


def choice_letter(text: str) -> str | None:
    """The letter of a choice (A to J) that a text ends or begins with, or else names last in parentheses."""
    ends, begins, named = (p.findall(text.strip()) for p in LETTER)
    return next((found[-1] for found in (ends, begins, named) if found), None)


def words_of(text: str) -> tuple[str, ...] | None:
    """The words of a text, case and a last full stop aside."""
    return tuple(text.strip().rstrip(".").casefold().split()) or None


def whole(text: str) -> str | None:
    """The text itself, without white space around it."""
    return text.strip() or None


READ: Mapping[str, Callable[[str], object]] = {
    "number": last_number,
    "choice": choice_letter,
    "text": words_of,
    "exact": whole,
}
"""How answers are compared -> what is read of each."""


def agree(answer: str, expected: str, by: str) -> bool:
    """Whether an answer is the expected one, both read as `by` says. Where nothing can be read they do not agree."""
    read = READ[by]
    found = read(final_of(answer))
    return found is not None and found == read(final_of(expected))
