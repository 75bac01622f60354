"""Whether an address is that of this machine: what is sent there stays here, and no proxy is a way to it."""

from urllib.parse import urlsplit


def is_here(endpoint: str) -> bool:
    """Whether the host of a URL is this machine."""
    host = urlsplit(endpoint).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
