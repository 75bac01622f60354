"""Credentials become `[SECRET_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_KNOWN = "|".join(
    (
        r"sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
        r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS access key id
        r"gh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
        r"github_pat_[A-Za-z0-9_]{22,}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
        r"AIza[A-Za-z0-9_-]{35}",  # Google
        r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JSON web token
    )
)
_PEM = r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/= \t\r\n\\:,.]|-[A-Za-z0-9]){20,}?-----END (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"
_NAMED = (
    r"(?:[Bb][Ee][Aa][Rr][Ee][Rr] +|[A-Za-z_.-]{0,30}(?:[Kk][Ee][Yy]|[Tt][Oo][Kk][Ee][Nn]|[Ss][Ee][Cc][Rr][Ee][Tt]|"
    r"""[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd])["']? {0,2}[:=] {0,2}["']?)"""
)
_RANDOM = r"[A-Za-z0-9+/._~-]{24,512}={0,2}"


class RedactSecret(Redaction, frozen=True):
    """Replace API keys, access tokens, private keys, and long random values after `key:`, `token=`, `Bearer` and the like."""

    use: Literal["redact_secret"] = "redact_secret"
    label: ClassVar[str] = "SECRET"
    pattern: ClassVar[str] = rf"{_NAMED}(?P<value>{_KNOWN}|{_PEM}|{_RANDOM})|{_KNOWN}|{_PEM}"
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z]",)
    after: ClassVar[str] = "[0-9A-Za-z+/=]"

    def valid(self, value: str) -> bool:
        """One of the known forms, 32 or more hexadecimal digits, or a mix of both cases and digits such as only chance writes."""
        if re.fullmatch(f"{_KNOWN}|{_PEM}", value):
            return True
        digits = sum(c.isdigit() for c in value)
        if re.fullmatch("[0-9a-fA-F]{32,}", value):
            return 0 < digits < len(value)
        return digits >= 3 and any(c.isupper() for c in value) and any(c.islower() for c in value)
