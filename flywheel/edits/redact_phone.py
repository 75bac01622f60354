"""Phone numbers become `[PHONE_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_TAIL = r"[ .-]?(?:\(0?[0-9]{0,4}\)[ .-]?)?[0-9]{1,5}(?:[ .-]?[0-9]{2,5}){1,4}"
_INTERNATIONAL = rf"(?:\+[1-9][0-9]{{0,2}}|00[1-9][0-9]{{0,2}}[ .-]){_TAIL}"
_AMERICAN = r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[0-9]{3}[.-][0-9]{4}"
_SPACED = r"(?:1[ -])?[2-9][0-9]{2} [0-9]{3}[ -][0-9]{4}"
_KOREAN = r"\(?0(?:2|1[016789]|[3-6][1-5]|70|80|50[2-8])[ .)-]{1,2}[0-9]{3,4}[ .-][0-9]{4}|01[016789][0-9]{7,8}"
_KOREAN_OFFICE = r"(?:15(?:22|44|66|77|88|99)|16(?:00|44|61|66|70|88)|18(?:00|11|33|55|77|99))-[0-9]{4}"
_NATIONAL = r"0[1-9][0-9]{1,3}(?: [0-9]{2,4}){2,4}"  # the trunk prefix of most of Europe, in groups


class RedactPhone(Redaction, frozen=True):
    """Replace phone numbers: international with `+` or `00`, North American with separators, Korean mobile and land lines.

    A number with a leading zero in groups goes too. Dates, order numbers, years, long runs of digits and digits inside keys
    stay, and so does any other national number without its country code: it cannot be told from other numbers.
    """

    use: Literal["redact_phone"] = "redact_phone"
    label: ClassVar[str] = "PHONE"
    pattern: ClassVar[str] = (
        rf"(?:{_INTERNATIONAL}|{_AMERICAN}|{_SPACED}|{_KOREAN}|{_KOREAN_OFFICE}|{_NATIONAL})(?:x[0-9]{{2,5}})?"
    )
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_+]", "[0-9][.,-]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|[.-][0-9])"

    def valid(self, value: str) -> bool:
        """Eight to fifteen digits, as E.164 has it, and no range of years such as 1588-1688."""
        digits = re.sub(r"[^0-9]", "", value.partition("x")[0])
        years = re.fullmatch(r"(1[0-9]{3})-([12][0-9]{3})", value)
        return 8 <= len(digits) <= 15 and len(set(digits)) > 1 and not (years and years[1] < years[2] < "2100")
