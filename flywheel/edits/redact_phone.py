"""Phone numbers become `[PHONE_…]`."""

import re
from itertools import pairwise
from typing import ClassVar, Literal

from flywheel.kinds import DIGITS, Redaction

_TAIL = r"[ .-]?(?:\(0?[0-9]{0,4}\)[ .-]?)?[0-9]{1,5}(?:[ .-]?[0-9]{2,5}){1,4}"
_INTERNATIONAL = rf"(?:\+[1-9][0-9]{{0,2}}|00[1-9][0-9]{{0,2}}[ .-]){_TAIL}"
_AMERICAN = r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[0-9]{3}[.-][0-9]{4}"
_SPACED = r"(?:1[ -])?[2-9][0-9]{2} [0-9]{3}[ -][0-9]{4}"
_KOREAN = r"\(?0(?:2|1[016789]|[3-6][1-5]|70|80|50[2-8])[ .)-]{1,2}[0-9]{3,4}[ .-][0-9]{4}|01[016789][0-9]{7,8}"
_KOREAN_OFFICE = r"(?:15(?:22|44|66|77|88|99)|16(?:00|44|61|66|70|88)|18(?:00|11|33|55|77|99))-[0-9]{4}"
_TRUNK = (
    r"0[1-9][0-9]{1,3}(?: [0-9]{2,4}){2,4}"  # in groups: most of Europe
    r"|0[1-9](?:[ .-][0-9]{2}){4}"  # in pairs: France
    r"|0[1-9][0-9]{1,3}[ /-][0-9]{5,8}"  # area and number: Germany, Italy
    r"|0[1-9][0-9]{0,3}-[0-9]{3,4}-[0-9]{4}"  # Japan
    r"|\(0[1-9][0-9]{0,3}\) ?[0-9]{3,4}[ -]?[0-9]{3,4}"  # the United Kingdom, Australia
)
"""National numbers, known by the zero one dials first."""
_BRAZIL = r"\([1-9][0-9]\) ?9?[0-9]{4}-[0-9]{4}"
_NAMED = (
    r"(?:(?:[Pp]hone|PHONE|[Mm]obile?|MOBILE|[Cc]ell(?:phone)?|[Ff]ax|FAX|[Tt]el(?:ephone|efon|éfono|efono)?|TEL|[Tt]él(?:éphone)?|"
    r"[Dd]esk|[Ww]hats[Aa]pp|[Hh]andy|[Mm]óvil|[Cc]ellulare|[Tt]elefonnummer)\.?(?: (?:[Nn]umber|[Nn]o\.?))?"
    r"|(?:[Cc]all|[Rr]each|[Tt]ext|[Rr]ing|[Dd]ial)(?: (?:me|us|him|her|them))?(?: back)? (?:on|at)|(?:answering|messages?) (?:on|at|to)"
    r"|(?:전화|휴대폰|휴대전화|핸드폰|팩스|대표)(?: ?번호)?|연락처|电话|手机|電話|携帯)"
    r"""["']?(?: is| are| was|는|은|가)?[ :=#"'\n\t：(]{1,4}"""
)
"""What says that digits are a phone number, whatever their form."""
_LOCAL = r"(?:\([0-9]{2,5}\)|[0-9]{2,5})(?:[ .-][0-9]{2,8}){1,5}|[0-9]{7,12}"
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[ .-]?[01]?[0-9][ .-]?[0-3]?[0-9]|[0-3]?[0-9][ .-][0-3]?[0-9][ .-](?:19|20)[0-9]{2}"
)


class RedactPhone(Redaction, frozen=True):
    """Replace phone numbers: international with `+` or `00`, national with the leading zero or with the separators of their
    country (North America, Europe, Brazil, Australia, Japan, Korea), and any other number after a word that says what it is.

    Dates, order numbers, years, sums, long runs of digits and digits inside keys stay.
    """

    use: Literal["redact_phone"] = "redact_phone"
    version: ClassVar[int] = 2
    label: ClassVar[str] = "PHONE"
    pattern: ClassVar[str] = (
        rf"(?:{_INTERNATIONAL}|{_AMERICAN}|{_SPACED}|{_KOREAN}|{_KOREAN_OFFICE}|{_TRUNK}|{_BRAZIL})(?:x[0-9]{{2,5}})?"
        rf"|{_NAMED}(?P<value>{_LOCAL})"
    )
    gate: ClassVar[str] = DIGITS
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_+$€£]", "[0-9][.,-]", "<<")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_=]|[.,-][0-9]| [=+*/] )"

    def valid(self, value: str) -> bool:
        """Seven to fifteen digits, as E.164 has it; no date, no range of years such as 1588-1688, no counting such as 01 02 03 04 05."""
        digits = re.sub(r"[^0-9]", "", value.partition("x")[0])
        years = re.fullmatch(r"(1[0-9]{3})-([12][0-9]{3})", value)
        pairs = re.findall(r"[0-9]+", value)
        counted = len(pairs) > 3 and all(len(a) == 2 and a < b for a, b in pairwise(pairs))
        plausible = 7 <= len(digits) <= 15 and len(set(digits)) > 1
        return plausible and not counted and not _DATE.fullmatch(value) and not (years and years[1] < years[2] < "2100")
