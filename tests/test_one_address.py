"""The start warns where the limit of connections of one address is one of all clients."""

from pathlib import Path

import pytest

from twisted.logger import LogEvent

from tests.test_service import HostReactor, relay, warnings


@pytest.mark.parametrize(
    ("listen", "environ", "warned"),
    [
        ("unix:{folder}/socket", {}, True),
        ("unix:{folder}/socket", {"TICKRELAY_TRUSTED_PROXIES": "10.0.0.0/8"}, True),
        ("unix:{folder}/socket", {"TICKRELAY_TRUSTED_PROXIES": "unix"}, False),
        ("unix:{folder}/socket", {"TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS": "10000"}, False),
        ("tcp:8080:interface=127.0.0.1", {}, False),
    ],
)
def test_the_peers_of_a_unix_socket_are_one_address(
    tmp_path: Path, logged: list[LogEvent], listen: str, environ: dict[str, str], warned: bool
) -> None:
    """They have none. On loopback clients may be programs of this machine: there the first header of a proxy tells."""
    relay(HostReactor(), TICKRELAY_LISTEN=listen.format(folder=tmp_path), **environ).privilegedStartService()
    found = [line for line in warnings(logged) if "TICKRELAY_TRUSTED_PROXIES" in line]
    assert len(found) == warned
