"""A relay and a client of v1; the tests of basic have a relay of their own."""

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.model.ticks import Symbol


@pytest.fixture
def server(clock: Clock) -> Server:
    """The client side, with cTrader connected and some more symbols."""
    server = Server(clock, ping_interval_s=3600.0)
    server.symbols += [Symbol(symbol_id=2, name="GBPUSD"), Symbol(symbol_id=3, name="GBPJPY", digits=3)]
    server.go_live()
    return server


@pytest.fixture
def client(server: Server) -> Browser:
    """A client that speaks v1 JSON."""
    return server.browser(JSON)
