"""HTTP between the port and twisted.web: one request at a time, pages that answer later, clients that do not read."""

from collections.abc import Callable
from typing import Any

import pytest

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IConsumer, IPushProducer, ISSLTransport, ITransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.server import NOT_DONE_YET
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from tests.support.browser import Browser, Server
from tickrelay.front.head import MAX_HEAD_BYTES
from tickrelay.front.http import ChannelTransport
from tickrelay.web.page import Page

SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Slow(Page):
    """A page that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__(lambda _: (200, "", b""))
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        """Wait."""
        self.requests.append(request)
        return NOT_DONE_YET


@pytest.fixture
def slow() -> Slow:
    """The page."""
    return Slow()


@pytest.fixture
def browser(clock: Clock, slow: Slow) -> Browser:
    """A client of a server that has it."""
    server = Server(clock)
    server.front._inner[1].resource.putChild(b"slow", slow)
    return Browser(server)


def test_the_next_request_waits_for_the_answer_of_the_one_before(browser: Browser, slow: Slow, clock: Clock) -> None:
    """twisted.web would queue it, and do its work at nobody's expense."""
    browser.protocol.dataReceived(SLOW + HEALTH + SLOW)
    browser.protocol.dataReceived(HEALTH)
    clock.advance(0)
    assert (len(slow.requests), browser.transport.value()) == (1, b"")
    slow.requests[0].finish()
    clock.advance(0)
    assert browser.transport.value().count(b" 200 OK") == 2
    slow.requests[1].finish()
    clock.advance(0)
    assert browser.transport.value().count(b" 200 OK") == 4
    assert browser.transport.connected


def test_what_comes_meanwhile_is_bounded(browser: Browser, slow: Slow, clock: Clock) -> None:
    """A little is read, so that a client that leaves is noticed; with more than a head it is read no further."""
    browser.protocol.dataReceived(SLOW)
    browser.protocol.dataReceived(HEALTH * 10)
    assert browser.transport.producerState == "producing"
    browser.protocol.dataReceived(HEALTH * (MAX_HEAD_BYTES // len(HEALTH)))
    assert browser.transport.producerState == "paused"
    slow.requests[0].finish()
    clock.advance(0)
    assert browser.transport.producerState == "producing"
    assert browser.transport.value().count(b" 200 OK") == 1 + 10 + MAX_HEAD_BYTES // len(HEALTH)


def test_a_page_learns_that_its_client_left(browser: Browser, slow: Slow) -> None:
    """By the request's notifyFinish."""
    browser.protocol.dataReceived(SLOW)
    left: list[object] = []
    slow.requests[0].notifyFinish().addErrback(left.append)
    browser.vanish()
    assert len(left) == 1


def test_an_unsound_head_in_the_middle_of_an_answer_ends_it(browser: Browser, slow: Slow, clock: Clock) -> None:
    """It is found when the answer is done; too much for a head at once cuts the connection off at the end as well."""
    browser.protocol.dataReceived(SLOW + b"bad\r\n\r\n" + HEALTH)
    slow.requests[0].write(b"part")
    slow.requests[0].finish()
    clock.advance(0)
    assert browser.transport.value().count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 400 " in browser.transport.value()
    assert not browser.transport.connected


def test_a_client_that_does_not_read_is_asked_nothing_more(browser: Browser, clock: Clock) -> None:
    """While the transport holds what it does not read, no further request is answered."""
    browser.protocol.dataReceived(HEALTH)
    channel = browser.transport.producer
    assert channel is not None
    channel.pauseProducing()
    assert browser.transport.producerState == "paused"
    browser.protocol.dataReceived(HEALTH)
    assert browser.transport.value().count(b" 200 OK") == 1
    channel.resumeProducing()
    clock.advance(0)
    assert browser.transport.value().count(b" 200 OK") == 2
    assert browser.transport.producerState == "producing"


class Owner:
    """Takes note of what the channel asks."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def channel_paused(self, paused: bool) -> None:
        """Note it."""
        self.calls.append(paused)

    def channel_closed(self) -> None:
        """Note it."""
        self.calls.append("closed")


@pytest.mark.parametrize("address", ["203.0.113.5", "2001:db8::1"])
def test_the_transport_of_a_channel(address: str) -> None:
    """Has the interfaces that twisted.web asks for, and the client's address."""
    owner, real = Owner(), StringTransport()
    transport = ChannelTransport(owner, real, address)
    for interface in (ITransport, IConsumer, IPushProducer):
        assert verifyObject(interface, transport)
    kind: Callable[..., object] = IPv6Address if ":" in address else IPv4Address
    assert transport.getPeer() == kind("TCP", address, 0)
    assert transport.getHost() == real.getHost()
    transport.writeSequence([b"a", b"b"])
    assert real.value() == b"ab"
    transport.pauseProducing()
    transport.resumeProducing()
    assert not transport.disconnecting
    transport.stopProducing()
    assert transport.disconnecting
    assert owner.calls == [True, False, "closed"]
    assert not ISSLTransport.providedBy(transport)


def test_a_channel_over_tls_knows_it() -> None:
    """Pages may ask whether a request is secure."""
    real = StringTransport()
    directlyProvides(real, ISSLTransport)
    assert ISSLTransport.providedBy(ChannelTransport(Owner(), real, "203.0.113.5"))
