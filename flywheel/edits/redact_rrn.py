"""Korean resident registration numbers become `[RRN_…]`."""

import datetime as dt
import re
from typing import ClassVar, Literal

from flywheel.kinds import DIGITS, Redaction


class RedactRrn(Redaction, frozen=True):
    """Replace Korean resident registration numbers: a birth date, a dash, and seven digits of which the first is 1 to 8.

    The check digit is asked for only on request: numbers given since October 2020 have none.
    """

    use: Literal["redact_rrn"] = "redact_rrn"
    label: ClassVar[str] = "RRN"
    pattern: ClassVar[str] = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]) ?- ?[1-8][0-9]{6}"
    gate: ClassVar[str] = DIGITS
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]", "[0-9][.,-]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|[.-][0-9])"

    strict: bool = False
    """Only numbers whose check digit is right: fewer false finds, but none of the numbers given since October 2020."""

    def valid(self, value: str) -> bool:
        """Whether the first six digits are a day of the calendar and, where that is asked, the check digit is right."""
        digits = re.sub(r"[^0-9]", "", value)
        century = 1900 if digits[6] in "1256" else 2000
        try:
            dt.date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
        except ValueError:
            return False
        weighted = sum(int(d) * w for d, w in zip(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=False))
        foreigner = 2 if digits[6] in "5678" else 0
        return not self.strict or int(digits[12]) == (11 - weighted % 11 + foreigner) % 10
