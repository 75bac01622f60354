"""Credentials become `[SECRET_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_KNOWN = "|".join(
    (
        r"sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic, OpenRouter
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}",  # Stripe
        r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS access key id
        r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}",
        r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
        r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}",  # Google
        r"hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}|pplx-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{30,}",  # models
        r"npm_[A-Za-z0-9]{36}|pypi-AgEI[A-Za-z0-9_-]{50,}",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[0-9a-f]{32}",  # SendGrid, Mailgun
        r"dop_v1_[a-f0-9]{64}|dapi[0-9a-f]{32}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # DigitalOcean, Databricks, Shopify
        r"hvs\.[A-Za-z0-9_-]{24,}|glsa_[A-Za-z0-9_]{32,}|NRAK-[A-Z0-9]{27}|PMAK-[a-f0-9-]{40,}|lin_api_[A-Za-z0-9]{32,}",
        r"ntn_[A-Za-z0-9]{40,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}",
        r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JSON web token
    )
)
_PEM = r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/= \t\r\n\\:,.]|-[A-Za-z0-9]){20,}?-----END (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"


def _words(words: str) -> str:
    """Any of the words, in any case: classes of ASCII, for a flag would bring Unicode in."""
    return "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in words.split())


_KEYS = (
    "api access secret private account auth client signing encryption master service subscription license storage app"
)
_NAMED = (
    rf"(?:(?:{_words('bearer')}) +|(?:[A-Za-z0-9_.-]{{0,30}}(?:{_words('token secret password passwd pwd')}"
    rf"|(?:{_words(_KEYS)})[ _.-]?{_words('key')})|{_words('key')})"
    r"""["']? {0,2}[:=] {0,2}["']?)"""
)
"""Names of what is secret. `primary_key`, `cache_key` and the like are names of what is not."""
_RANDOM = r"[A-Za-z0-9+/._~-]{20,512}={0,2}"
_LOGIN = r"[A-Za-z][A-Za-z0-9+.-]{1,20}://(?P<login>[!#-&(-.0-9;=?A-_a-~]{0,64}:[!#-&(-.0-9:;=?A-_a-~]{3,128})@"
"""User and password in an address, such as that of a database."""
_PLACEHOLDER = re.compile(
    r"(?i:[^:]*:(?:[$%{\[*].*|x{3,}|\*+|\.{3,}|(?:my|your|the|db|some)?[_-]?(?:password|passwd|pass|pwd|secret|token|pw)|changeme|example))"
)


class RedactSecret(Redaction, frozen=True):
    """Replace API keys, access tokens, private keys, logins in addresses, and long random values after `api_key:`, `token=`,
    `Bearer` and the like. Hashes, UUIDs, placeholders and keys that are only names of columns stay."""

    use: Literal["redact_secret"] = "redact_secret"
    version: ClassVar[int] = 2
    label: ClassVar[str] = "SECRET"
    pattern: ClassVar[str] = rf"{_NAMED}(?P<value>{_KNOWN}|{_PEM}|{_RANDOM})|{_LOGIN}|{_KNOWN}|{_PEM}"
    gate: ClassVar[str] = (
        rf"(?:{_words('key token secret password passwd pwd')})[\"']? {{0,2}}[:=] {{0,2}}[\"']?[A-Za-z0-9+/._~-]{{10}}"
        rf"|{_words('bearer')} +[A-Za-z0-9+/._~-]{{10}}|://[!-.0-9;=?-~]{{0,64}}:[!-.0-9:;=?-~]{{3,128}}@"
        r"|sk-[A-Za-z0-9]|k_(?:live|test)_|whsec_|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hooks\.slack|AIza|ya29\.|GOCSPX|"
        r"hf_[A-Za-z]|gsk_|xai-|pplx-|r8_|npm_|pypi-A|SG\.[A-Za-z0-9_-]{16}|key-[0-9a-f]{8}|dop_v1|dapi[0-9a-f]{8}|shp[a-z]{2}_|"
        r"hvs\.|glsa_|NRAK|PMAK|lin_api|ntn_|AGE-SEC|:AA|eyJ|PRIVATE KEY"
    )
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_]",)
    after: ClassVar[str] = "(?<!@)[0-9A-Za-z+/=]"

    def valid(self, value: str) -> bool:
        """One of the known forms, a login, 32 or more hexadecimal digits, or a mix of both cases and digits such as only chance
        writes."""
        if re.fullmatch(f"{_KNOWN}|{_PEM}", value):
            return True
        if ":" in value:
            return not _PLACEHOLDER.fullmatch(value)
        digits = sum(c.isdigit() for c in value)
        if re.fullmatch("[0-9a-fA-F]{32,}", value):
            return 0 < digits < len(value)
        return digits >= 3 and any(c.isupper() for c in value) and any(c.islower() for c in value)
