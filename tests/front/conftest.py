"""The fixture of a relay whose port the front guards."""

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Server


@pytest.fixture
def server(clock: Clock) -> Server:
    """The clients' side, with cTrader connected."""
    server = Server(clock)
    server.go_live()
    return server
