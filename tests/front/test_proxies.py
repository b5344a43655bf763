"""Whose address a request has, where proxies are in front."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.front.proxies import LOCAL, TrustedProxies, may_be_a_proxy

TRUSTED = TrustedProxies(["10.0.0.0/8", "2001:db8::/64", "192.0.2.7/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5", "203.0.113.5"),  # the left one is what the client said
        ("10.0.0.1", "6.6.6.6, 203.0.113.5, 10.0.0.2,192.0.2.7", "203.0.113.5"),
        ("203.0.113.9", "203.0.113.5", "203.0.113.9"),  # not trusted: what it says is ignored
        ("10.0.0.1", "203.0.113.5:567", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8:1::1]:8", "2001:db8:1::1"),
        ("10.0.0.1", "[2001:db8:1::1]", "2001:db8:1::1"),
        ("10.0.0.1", "2001:DB8:1:0::1", "2001:db8:1::1"),
        ("2001:db8::9", "203.0.113.5", "203.0.113.5"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, , 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "203.0.113.5, 010.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (LOCAL, "203.0.113.5", LOCAL),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(peer: str, forwarded: str, client: str) -> None:
    """At an entry that is no address the last good one counts, and so it does where all are trusted."""
    assert TRUSTED.client(peer, forwarded) == client


def test_the_peers_of_a_unix_socket() -> None:
    """They have no address, and a name of their own in the setting."""
    assert TrustedProxies(["unix"]).client(LOCAL, "203.0.113.5") == "203.0.113.5"
    assert not TrustedProxies(["unix"]).trusts("10.0.0.1")


@given(st.text(max_size=60), st.ip_addresses(v=4).filter(lambda ip: ip not in ipaddress.ip_network("10.0.0.0/8")))
def test_no_claim_of_a_client_makes_it_another(claim: str, ip: ipaddress.IPv4Address) -> None:
    """Whatever it sends, the proxy adds its address at the right."""
    assert TrustedProxies(["10.0.0.0/8"]).client("10.0.0.1", f"{claim}, {ip}") == str(ip)


@given(st.text(max_size=60))
def test_anything_is_read(forwarded: str) -> None:
    """And gives an address."""
    ipaddress.ip_address(TRUSTED.client("10.0.0.1", forwarded))


@pytest.mark.parametrize(
    ("address", "near"), [("127.0.0.1", True), ("192.168.1.1", True), ("::1", True), (LOCAL, True), ("8.8.8.8", False)]
)
def test_whose_header_is_worth_a_warning(address: str, near: bool) -> None:
    """That of a peer that may be the operator's own proxy; strangers may send what they like."""
    assert may_be_a_proxy(address) is near
