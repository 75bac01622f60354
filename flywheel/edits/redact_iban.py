"""International bank account numbers become `[IBAN_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH CR HR LI LV",
    22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
    25: "AO CV GW LY MZ PT ST", 26: "IS TR", 27: "BF BI CM CF CG DJ FR GA GR IT MC MR SM", 28: "AL AZ BJ BY CI CY DO "
    "GQ GT HN HU LB MA MG ML NE NI PL SN SV TD TG YE", 29: "BR EG KM PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
"""Length of the number -> the countries that use it."""


def _written(length: int, countries: str) -> str:
    """Two letters, two digits, the rest in groups of four or without a space."""
    fours, rest = divmod(length - 4, 4)
    tail = f"(?:[ -]?[A-Za-z0-9]{{{rest}}})" if rest else ""
    return rf"(?:{'|'.join(countries.split())})[0-9]{{2}}(?:[ -]?[A-Za-z0-9]{{4}}){{{fours}}}{tail}"


class RedactIban(Redaction, frozen=True):
    """Replace bank account numbers with a country's code, its length and a right checksum, in groups of four or in one piece."""

    use: Literal["redact_iban"] = "redact_iban"
    label: ClassVar[str] = "IBAN"
    pattern: ClassVar[str] = "|".join(
        _written(length, case) for length, countries in _COUNTRIES.items() for case in (countries, countries.lower())
    )
    gate: ClassVar[str] = "[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{3}"

    def valid(self, value: str) -> bool:
        """Whether the number, read with A = 10 and its first four characters last, leaves 1 when divided by 97."""
        number = re.sub("[ -]", "", value)
        return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
