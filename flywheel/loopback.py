"""Whether an address is that of this machine: what is sent there stays here, and no proxy is a way to it."""

import ipaddress
from urllib.parse import urlsplit


def is_here(endpoint: str) -> bool:
    """Whether the host of a URL is this machine; 127.0.0.1.example.org is not."""
    try:
        host = urlsplit(endpoint).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or no address at all
        return False
