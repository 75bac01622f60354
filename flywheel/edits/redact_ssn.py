"""US social security numbers become `[SSN_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import DIGITS, Redaction

_NAMED = (
    r"(?:\b[Ss][Ss][Nn]|[Ss][Oo][Cc][Ii][Aa][Ll] [Ss][Ee][Cc][Uu][Rr][Ii][Tt][Yy](?: [Nn][Uu][Mm][Bb][Ee][Rr]| [Nn][Oo]\.?)?)"
    r"""["']?(?: is| was)?[ :=#"']{1,4}"""
)


class RedactSsn(Redaction, frozen=True):
    """Replace US social security numbers: three, two and four digits with dashes. After "SSN" or "social security number",
    spaces or nothing between them will do as well."""

    use: Literal["redact_ssn"] = "redact_ssn"
    label: ClassVar[str] = "SSN"
    pattern: ClassVar[str] = (
        rf"{_NAMED}(?P<value>[0-8][0-9]{{2}}[ -]?[0-9]{{2}}[ -]?[0-9]{{4}})|[0-8][0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}"
    )
    gate: ClassVar[str] = DIGITS
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]", "[0-9][.,-]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|[.-][0-9])"

    def valid(self, value: str) -> bool:
        """A number that could have been given: no part is all zeros, and the first is neither 666 nor 900 and above."""
        digits = re.sub("[^0-9]", "", value)
        area, group, serial = digits[:3], digits[3:5], digits[5:]
        return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
