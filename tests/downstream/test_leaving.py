"""A client that has left is gone: no object of it waits for Python's collector of cyclic garbage."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.frames import frame
from tests.support.v1 import JSON
from tickrelay.model.errors import CloseCode


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """References alone count."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("lines", [[], [JSON]], ids=["basic", "v1"])
@pytest.mark.parametrize("ending", ["lost", "closed by the client", "closed by the relay"])
def test_it_is_freed_with_its_connection(server: Server, clock: Clock, lines: list[bytes], ending: str) -> None:
    """However the connection ended, with ticks on their way or not."""
    browser = Browser(server)
    browser.open(*lines)
    browser.say({"type": "connect"}, {"type": "subscribe", "symbols": ["EURUSD", "GBPUSD"]})
    server.spot(1, 108_000, 108_010)
    protocol = weakref.ref(browser.protocol)
    if ending == "closed by the client":
        browser.protocol.dataReceived(frame(b"\x03\xe8", opcode=8))
    elif ending == "closed by the relay":
        browser.protocol.close(CloseCode.NO_PONG, "no pong")
    browser.vanish()
    server.hub.spot(1, 108_001, 108_011, 0)
    browser.transport.protocol = browser.transport.producer = None
    clock.advance(60)
    assert protocol() is None
    assert not server.hub.subscribers(server.hub.channels["EURUSD"])
