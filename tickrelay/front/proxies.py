"""The address of a client, where a trusted proxy tells it in X-Forwarded-For. Pure."""

import ipaddress
import re
from collections.abc import Sequence

from tickrelay.config.trusted_proxies import UNIX

LOCAL = "local"
"""Stands for the address of a peer that has none: it came by a UNIX socket."""

# 192.0.2.1, 192.0.2.1:567, 2001:db8::1, [2001:db8::1], [2001:db8::1]:567 (RFC 7239, 6, and what proxies write).
_ENTRY = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """The addresses and networks of a setting (`tickrelay.config.trusted_proxies`)."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._unix = UNIX in entries
        self._networks = [ipaddress.ip_network(entry) for entry in entries if entry != UNIX]

    def trusts(self, address: str) -> bool:
        """Whether what a peer says of its clients is believed. *address*: an IP address, or `LOCAL`."""
        if address == LOCAL:
            return self._unix
        ip = _ip(address) if self._networks else None
        return ip is not None and any(ip in network for network in self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client behind *peer*; *forwarded*: all of X-Forwarded-For, or "".

        Each proxy adds the address of who connected to it at the right end. So the entries are read from there, past
        those of trusted proxies; what is left of the first other one is the client's own claim. At an entry that is no
        address the last good one counts; so it does where all are trusted.
        """
        client = peer
        while forwarded and self.trusts(client):
            forwarded, _, entry = forwarded.rpartition(",")
            found = _ENTRY.fullmatch(entry.strip(" \t"))
            ip = _ip(found[1] or found[2] or found[3]) if found else None
            if ip is None:
                break
            client = str(ip)
        return client


def may_be_a_proxy(address: str) -> bool:
    """Whether a peer that sends X-Forwarded-For is likely a proxy of the operator's: it is near."""
    ip = _ip(address)
    return address == LOCAL or (ip is not None and (ip.is_private or ip.is_loopback))


def _ip(text: str) -> Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A listener on "::" sees clients of IPv4 as ::ffff:192.0.2.1.
    return getattr(ip, "ipv4_mapped", None) or ip
