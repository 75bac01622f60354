"""E-mail addresses become `[EMAIL_…]`."""

from typing import ClassVar, Literal

from flywheel.kinds import Redaction


class RedactEmail(Redaction, frozen=True):
    """Replace every e-mail address. A bare `@handle`, a decorator and `user@host` without a domain stay."""

    use: Literal["redact_email"] = "redact_email"
    label: ClassVar[str] = "EMAIL"
    pattern: ClassVar[str] = (
        r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}"
    )
    gate: ClassVar[str] = "@[A-Za-z0-9]"
    before: ClassVar[tuple[str, ...]] = ("[A-Za-z0-9._%+-]",)
