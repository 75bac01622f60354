"""Korean business registration numbers become `[KRN_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import DIGITS, Redaction

_NAMED = r"(?:사업자 ?(?:등록)? ?번호|[Bb]usiness [Rr]egistration (?:[Nn]umber|[Nn]o\.?))(?:는|은| is)?[ :=#]{1,3}"


class RedactKrn(Redaction, frozen=True):
    """Replace Korean business registration numbers with a right check digit: three, two and five digits with dashes, or ten
    digits after a word that says what they are."""

    use: Literal["redact_krn"] = "redact_krn"
    label: ClassVar[str] = "KRN"
    pattern: ClassVar[str] = (
        rf"{_NAMED}(?P<value>[1-9][0-9]{{2}}[ -]?[0-9]{{2}}[ -]?[0-9]{{5}})|[1-9][0-9]{{2}}-[0-9]{{2}}-[0-9]{{5}}"
    )
    gate: ClassVar[str] = DIGITS
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]", "[0-9][.,-]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|[.-][0-9])"

    def valid(self, value: str) -> bool:
        """Whether the weighted sum of the digits is a multiple of ten; the ninth counts five times, with the tens it makes."""
        digits = [int(d) for d in re.sub("[^0-9]", "", value)]
        weighted = sum(d * w for d, w in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False)) + digits[8] * 5 // 10
        return (weighted + digits[9]) % 10 == 0
