"""One WebSocket connection: a thin shell that Autobahn drives.

It reads the opening request strictly, turns messages over to the session at the pace that one client may have, and
owns the outbox through which every byte leaves.
"""

import random
import socket
from typing import TYPE_CHECKING, Any

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.interfaces import IPullProducer, IPushProducer, ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.downstream.admission import Slot
from tickrelay.downstream.compact_protocol import CompactServerProtocol
from tickrelay.downstream.opening import Opening, choose, head_fault, origin_refusal
from tickrelay.downstream.read_limiter import ReadLimiter
from tickrelay.downstream.refusals import BY_CODE, Refusal
from tickrelay.downstream.session import ClientSession
from tickrelay.downstream.tokens import Shown, offered
from tickrelay.model.errors import CloseCode
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber

if TYPE_CHECKING:
    from tickrelay.downstream.factory import ClientFactory

MAX_FRAGMENTS = 1_000
"""Of one message: the limit of bytes does not count fragments that are empty."""

MIN_WAIT_S = 0.01

UPGRADE_REQUIRED = 426
"""What Autobahn answers a plain HTTP request with."""

RETRY_S = (15, 45)
"""Clients that found no place are asked to come back after a random time between these."""

LINGER_S = 1.0
"""How long a connection that is over may still hold data that its client does not read."""

# Where the system can: refuse more than this many unsent bytes in the kernel, so that a slow client reads fresh prices
# and not the megabytes that an autotuned send buffer would keep for it.
_TCP_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_UNSENT_BYTES = 65_536


@implementer(IPullProducer, IPushProducer)
class ClientProtocol(CompactServerProtocol):
    """Made by `ClientFactory`, which Autobahn stores as ``factory``."""

    factory: "ClientFactory"

    outbox: Outbox | None = None
    session: ClientSession | None = None
    _subscriber: Subscriber | None = None
    address = ""
    _slot: Slot | None = None
    _shown: Shown | None = None
    _opening: Opening
    """From the opening request until the connection is open."""
    _full = False
    _read_limiter: ReadLimiter | None = None
    _paused = False
    _lost = False

    # The opening handshake.

    def connectionMade(self) -> None:
        """Count the connection; too many that are open, opening or refused already are cut off."""
        super().connectionMade()
        self.address = str(self.peer)
        slot = self.factory.admission.arrive(self.address)
        if isinstance(slot, Slot):
            self._slot = slot
        else:
            self.factory.refusals.note(slot, self.address, "too many connections are open or opening")
            self.transport.abortConnection()

    def processHandshake(self) -> None:
        """Read the request's head: bounded, and free of bytes that mean different things to different parsers."""
        fault = head_fault(self.data)
        if fault is not None:
            self.failHandshake(*fault)
        else:
            super().processHandshake()

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Answer a request that is no handshake. A page of a refused origin is told that, not how to upgrade."""
        origin = self.http_headers.get("origin", "") if code == UPGRADE_REQUIRED else ""
        if not self.factory.admission.allows_origin(origin):
            refusal, _, detail = origin_refusal(origin)
            self.factory.refusals.note(refusal, self.address, detail)
            code, reason = ConnectionDeny.FORBIDDEN, "Origin not allowed"
        super().failHandshake(reason, code, responseHeaders)

    def onConnect(self, request: ConnectionRequest) -> str | None:
        """Choose the encoding, and see what stands against the client: `onOpen` refuses it."""
        factory = self.factory
        if factory.draining:
            raise ConnectionDeny(ConnectionDeny.SERVICE_UNAVAILABLE, "Shutting down")
        if factory.tokens is not None:
            self._shown = offered(request.protocols, request.headers.get("authorization", ""))
        origin = request.origin or ""
        refusal = None if factory.admission.allows_origin(origin) else origin_refusal(origin)
        self._opening = choose(request.protocols, factory.encodings, refusal)
        return self._opening.subprotocol

    def onOpen(self) -> None:
        """The handshake is done: give the client an outbox and a session."""
        encoding, _, refusal = self._opening
        if refusal is not None:
            self.refuse(*refusal)
            return
        factory = self.factory
        del self._opening
        self.let_go()
        streaming = ISSLTransport.providedBy(self.transport)
        handle = None if streaming else getattr(self.transport, "getHandle", lambda: None)()
        if handle is not None and hasattr(handle, "send"):
            send, write = handle.send, self._write_direct
            if handle.family != socket.AF_UNIX:
                self.transport.setTcpNoDelay(True)  # Autobahn's own attempt never takes effect on Twisted
                if _TCP_NOTSENT_LOWAT is not None:
                    handle.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        else:
            streaming = True
            send, write = self._send_through, self._write_through
        outbox = Outbox(send, write, self.close, factory.hub.settings.max_queued_bytes)
        # A pull producer is asked to go on each time the transport has written everything out: that is how the
        # outbox knows. Over TLS Twisted would ask for ever, so there the transport's high-water mark must do.
        self.transport.registerProducer(self, streaming)
        outbox.blocked = not streaming  # the transport still holds the handshake's answer
        self.outbox = outbox
        self._subscriber = factory.hub.attach(outbox, encoding)
        self.session = ClientSession(factory, self._subscriber, self._enter)
        self._read_limiter = ReadLimiter(factory.settings, factory.clock.monotonic_s())
        factory.opened(self)
        shown, self._shown = self._shown, None
        self.session.opened(shown)

    def _enter(self) -> bool:
        """Take a place for the client, whose token was accepted if it needs one; or refuse it."""
        assert self._slot is not None
        full = self._slot.enter()
        if full is not None:
            self.refuse(full, f"retry in {random.randint(*RETRY_S)} s", "no place is free")
        return full is None

    # The way in.

    def processData(self) -> bool:
        """Read the next frame; a client that sends faster than it may is read more slowly, and nothing is refused."""
        if self.state != self.STATE_OPEN or self._read_limiter is None:
            return bool(super().processData())
        wait_s = self._read_limiter.wait_s(self.factory.clock.monotonic_s())
        if wait_s > 0.0:
            self._pause_reading(wait_s)
            return False
        more = bool(super().processData())
        if more:
            self._read_limiter.frame()
            if self.message_data is not None and len(self.message_data) > MAX_FRAGMENTS:
                self.close(CloseCode.TOO_BIG, "too many fragments")
        return more

    def _pause_reading(self, wait_s: float) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()
            self.factory.clock.call_later(max(wait_s, MIN_WAIT_S), self._read_on)

    def _read_on(self) -> None:
        self._paused = False
        if self._lost:
            return
        self.consumeData()
        if not (self._paused or self._lost):
            self.transport.resumeProducing()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Hand a message to the session."""
        if self.session is None or self._read_limiter is None:
            return
        try:
            self._read_limiter.message(1 + self.session.received(payload, isBinary))
        except Exception:
            # One client's request must not harm another, and a fault of ours must be seen.
            self.factory.log_failure(str(self.peer))
            self.close(CloseCode.INTERNAL, "internal error")

    # The way out.

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """All that Autobahn sends (handshake, pings, pongs, closes) leaves by the outbox once there is one."""
        if self.outbox is None:
            self.transport.write(data)
        else:
            self.outbox.write(data)

    def _write_direct(self, data: bytes) -> bool:
        self.transport.write(data)
        return True

    def _write_through(self, data: bytes) -> bool:
        self.transport.write(data)
        return self._full

    def _send_through(self, data: bytes) -> int:
        self.transport.write(data)
        return -1 if self._full else len(data)

    def pauseProducing(self) -> None:
        """The transport (TLS) holds more than its high-water mark."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport has written out all it held."""
        self._full = False
        if self.outbox is not None:
            self.outbox.drained()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost says so too."""

    # The end.

    def close(self, code: CloseCode, reason: str) -> None:
        """Start the closing handshake."""
        refusal = BY_CODE.get(code)
        if refusal is not None:
            self.refuse(refusal, reason, reason)
        elif self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=int(code), reasonUtf8=reason.encode())

    def refuse(self, refusal: Refusal, reason: str, detail: str) -> None:
        """Close with the refusal's code and *reason*; *detail* is for the log (`Refusals.note`)."""
        if self.state != self.STATE_OPEN or self._slot is None:
            return
        self.factory.refusals.note(refusal, self.address, detail)
        if self._slot.refuse():
            self.sendCloseFrame(code=int(refusal.code), reasonUtf8=reason.encode())
        else:
            self._end_session()
            self.transport.abortConnection()

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """After a close frame, ours or the answer to the client's, no tick may follow."""
        self._end_session()
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if self.outbox is not None:
            self.outbox.over = True

    def dropConnection(self, abort: bool = False) -> None:
        """The closing handshake is done; what the client does not read must not keep the connection."""
        super().dropConnection(abort)
        if not (abort or self._lost):
            self.factory.clock.call_later(LINGER_S, self._cut_off)

    def _cut_off(self) -> None:
        if not self._lost:
            self.transport.abortConnection()

    def onAutoPingTimeout(self) -> None:
        """No pong: say so in case it can still be heard, and end."""
        self.autoPingTimeoutCall = None
        if self._paused:
            # It may be among what we do not read yet, because the client sent faster than it may.
            self.autoPingPending = None
            self._sendAutoPing()
            return
        self.close(CloseCode.NO_PONG, "no pong")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """However it ended, the client's subscriptions are given back once."""
        self._lost = True
        self._end_session()
        if self._subscriber is not None:
            self.factory.hub.detach(self._subscriber)  # it may have fallen behind with its close frame
        if self._slot is not None:
            self._slot.leave()
            self._slot = None
        self.factory.closed(self)
        super().connectionLost(reason)

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.closed()
