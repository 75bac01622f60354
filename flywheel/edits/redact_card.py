"""Payment card numbers become `[CARD_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import DIGITS, Redaction

_ISSUED = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|(?:5[1-5]|2[2-7])[0-9]{14}|(?:50|5[6-8]|6[0-9])[0-9]{11,17}"  # Mastercard, Maestro, Discover, UnionPay
    r"|3[47][0-9]{13}|3[0689][0-9]{12}|35[0-9]{14}|(?:1800|2131)[0-9]{11}"  # American Express, Diners, JCB
)


class RedactCard(Redaction, frozen=True):
    """Replace numbers of 13 to 19 digits, with or without spaces or dashes, that pass the Luhn check of a card number."""

    use: Literal["redact_card"] = "redact_card"
    label: ClassVar[str] = "CARD"
    pattern: ClassVar[str] = r"[1-6][0-9]{12,18}|[2-6][0-9]{3}(?:[ -]?[0-9]{4}){3}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}"
    gate: ClassVar[str] = DIGITS
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]", "[0-9][.,-]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|[.,-][0-9])"

    def valid(self, value: str) -> bool:
        """An issuer's prefix with a length it uses, and a Luhn sum that is a multiple of ten: no timestamp, no order number."""
        number = re.sub(r"[^0-9]", "", value)
        digits = [int(d) for d in reversed(number)]
        luhn = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits))
        return bool(_ISSUED.fullmatch(number)) and luhn % 10 == 0
