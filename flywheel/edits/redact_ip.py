"""Internet addresses become `[IP_…]`."""

import ipaddress
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_V4 = r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_HEX = "[0-9A-Fa-f]{1,4}"
_V6 = rf"{_HEX}(?::{_HEX}){{7}}|[0-9A-Fa-f]{{3,4}}:(?:{_HEX}:){{0,6}}:(?:{_HEX}(?::{_HEX}){{0,5}})?"
"""Eight groups, or a gap after at least one. The first group of addresses in use has three or four digits; `a::b` is C++."""
_NUMBERED = (
    "[Vv]ersion ", "[Vv]ersion: ", "[Vv]ersion=", "[Vv]ersions ", "[Vv]ersion is ", "[Vv]er ", r"[Vv]er\. ", r"[Vv]\. ", "[Rr]elease ",
    "[Bb]uild ", "[Ff]irmware ", "[Ss]ection ", "[Cc]hapter ", "[Cc]lause ", "버전 ", "버전은 ", "버전: ", "절 ", "장 ", "==", ">=", "<=", "~=",
    "[A-Za-z0-9]/", "[A-Za-z0-9]-", "[A-Za-z0-9]@",
)  # fmt: skip
"""What stands before a number of four parts that is a version or a section."""


class RedactIp(Redaction, frozen=True):
    """Replace IPv4 and IPv6 addresses. Version and section numbers, times and hardware addresses stay, and so do addresses that
    mean no particular machine: loopback, unspecified, multicast, netmasks."""

    use: Literal["redact_ip"] = "redact_ip"
    label: ClassVar[str] = "IP"
    pattern: ClassVar[str] = f"{_V4}|{_V6}"
    gate: ClassVar[str] = r"[0-9]\.[0-9]{1,3}\.[0-9]|:[0-9A-Fa-f]{0,4}:"
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_.]", "::", *_NUMBERED, "§")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_]|\.[0-9])"
    public_only: bool = False
    """Leave addresses of private networks (192.168.…, 10.…, fd…) and of documentation alone."""

    def valid(self, value: str) -> bool:
        """Whether it is the address of some machine and, where that is asked, one of the public internet."""
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        nobody = address.is_loopback or address.is_unspecified or address.is_multicast or value.startswith("255.")
        fingerprint = address.version == 6 and {len(group) for group in value.split(":")} == {2}
        return not nobody and not fingerprint and (address.is_global or not self.public_only)
