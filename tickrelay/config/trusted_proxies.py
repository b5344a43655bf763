"""The proxies whose word for a client's address is taken: addresses, networks, and UNIX sockets."""

import ipaddress
from typing import Annotated

from msgspec import Meta

UNIX = "unix"
"""Whoever connects by the UNIX socket that the relay listens on; such peers have no address."""


def trusted_proxy(text: str) -> str:
    """A network in its usual form (``10.0.0.0/8``; an address is a network of one), or `UNIX`."""
    if text == UNIX:
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(
            "the address or network of a proxy, such as 127.0.0.1 or 10.0.0.0/8 (without bits beyond its length), or "
            "unix, for those that connect by a UNIX socket"
        ) from None


TrustedProxy = Annotated[str, Meta(extra={"read": trusted_proxy})]
"""The kind of a setting."""
