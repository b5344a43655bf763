"""One WebSocket connection, between Autobahn, the transport and the session.

Checks the opening request, passes messages to the session, and owns the outbox through which every byte is sent.
"""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IPullProducer, IPushProducer, ISSLTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.admission.ledger import Payer
from tickrelay.admission.places import Admission, Slot
from tickrelay.admission.refusals import BY_CODE, Refusal, Refusals, origin_refusal
from tickrelay.downstream.autobahn_adapter import WebSocketConnection
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.opening import Opening, choose
from tickrelay.downstream.reader import Reader
from tickrelay.downstream.session import ClientSession
from tickrelay.downstream.tcp import has_left, is_slow, own_socket, reading, set_options
from tickrelay.downstream.tls import TlsSender
from tickrelay.downstream.tokens import Shown, offered
from tickrelay.model.errors import CloseCode
from tickrelay.relay.outbox import Outbox
from tickrelay.relay.subscriber import Subscriber

MAX_FRAGMENTS = 1_000
"""Of one message: the limit of bytes does not bound empty fragments."""

MAX_UNREAD_BYTES = 65_536
"""Of answers that a client has still to read; with more, or with a large one, no further request of it is read."""

UNREAD_WAIT_S = 0.1
"""How often to look whether it has read them."""

RETRY_S = (15, 45)
"""Clients beyond a limit are asked to reconnect after a random time between these."""

LINGER_S = 3.0
"""How long after the closing handshake a connection may still hold data that its client does not read."""


class ConnectionOwner(Protocol):
    """What a connection needs of the factory that made it."""

    context: ClientContext
    admission: Admission
    refusals: Refusals
    draining: bool

    def opened(self, client: "ClientProtocol") -> None:
        """The connection has a session now."""

    def closed(self, client: "ClientProtocol") -> None:
        """The connection is gone, whether it had a session or not."""


@implementer(IPullProducer, IPushProducer)
class ClientProtocol(WebSocketConnection):
    """Made by `ClientFactory.connection` when the opening request was received."""

    # In slots, so that the dictionary, which Autobahn needs, holds less than the 22 names that would double its size.
    __slots__ = (
        "_full", "_lost", "_opening", "_reader", "_shown", "_subscriber",
        "address", "outbox", "payer", "session", "slot",
    )  # fmt: skip

    factory: ConnectionOwner
    _log = Logger()

    def __init__(self, address: str, slot: Slot, payer: Payer) -> None:
        """*payer* pays for what the connection makes the reactor do."""
        super().__init__()
        self.address = self.peer = address
        self.slot: Slot | None = slot
        self.payer = payer
        self.outbox: Outbox | None = None
        self.session: ClientSession | None = None
        self._subscriber: Subscriber | None = None
        self._reader: Reader | None = None
        self._shown: Shown | None = None
        self._opening: Opening
        """From the opening request until the connection is open."""
        self._full = False
        self._lost = False

    # The opening handshake.

    def choose_subprotocol(self, offers: Sequence[str], fields: Mapping[str, str]) -> str | None:
        """Choose the encoding, and whether `onOpen` refuses the client."""
        factory = self.factory
        if factory.draining:
            raise ConnectionDeny(ConnectionDeny.SERVICE_UNAVAILABLE, "Shutting down")
        if factory.context.tokens is not None:
            self._shown = offered(offers, fields.get("authorization", ""))
        origin = fields.get("origin", "")
        refusal = None if factory.admission.allows_origin(origin) else origin_refusal(origin)
        self._opening = choose(offers, factory.context.encodings, refusal)
        return self._opening.subprotocol

    def onOpen(self) -> None:
        """The handshake is done: give the client an outbox and a session."""
        encoding, _, refusal = self._opening
        if refusal is not None:
            self.refuse(*refusal)
            return
        context = self.factory.context
        del self._opening
        self.release_handshake_state()
        socket = own_socket(self.transport)
        if socket is not None:
            set_options(socket)
        is_tls = ISSLTransport.providedBy(self.transport)
        # Twisted calls a pull producer's resumeProducing each time the transport has written everything out: that is
        # how the outbox learns it. Over TLS Twisted (26.10) wraps a pull producer in a loop that calls it endlessly, so
        # there it is a push producer, which is paused while the transport holds something.
        self.transport.registerProducer(self, is_tls or socket is None)
        if socket is None:
            send, write = self._send_through, self._write_through
        elif is_tls:
            sender = TlsSender(self.transport, socket.send)
            send, write = sender.send, sender.write
        else:
            send, write = socket.send, self._write_direct
        outbox = Outbox(send, write, self.close, context.hub.settings.max_queued_bytes, self._reading)
        outbox.blocked = socket is not None  # the transport still holds the handshake's answer
        self.outbox = outbox
        self._subscriber = context.hub.attach(outbox, encoding)
        self.session = ClientSession(context, self._subscriber, self.address, self._enter)
        self._reader = Reader(self, self.payer, context.settings, context.clock)
        self.factory.opened(self)
        shown, self._shown = self._shown, None
        self.session.opened(shown)

    def _enter(self) -> bool:
        """Take a place for the client, whose token was accepted if one is required; or refuse it."""
        assert self.slot is not None
        full = self.slot.enter()
        if full is not None:
            self.refuse(full, f"retry in {random.randint(*RETRY_S)} s", "no place is free")
        return full is None

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        """Bytes were received: what is done about them at once is charged to the client."""
        self.payer.do(partial(super().dataReceived, data))

    def may_read_frame(self) -> bool:
        """Whether the reader allows a frame; none while many answers are on their way."""
        if self._reader is None:
            return True
        if self.outbox is not None and (self.outbox.large_bytes or self.outbox.queued_bytes > MAX_UNREAD_BYTES):
            self._reader.pause_for(UNREAD_WAIT_S)
            return False
        return self._reader.may_read_frame()

    def frame_read(self, fragments: int) -> None:
        """Count the frame, and close on a message of too many *fragments*."""
        if self._reader is not None:
            self._reader.frame_read()
            if fragments > MAX_FRAGMENTS:
                self.close(CloseCode.TOO_BIG, "too many fragments")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Have a message answered by the session."""
        if self.session is not None and self._reader is not None:
            self._reader.answer(partial(self.session.received, payload, isBinary))

    def has_left(self) -> bool:
        """Whether the client has closed its end, as far as the kernel tells; bytes of it may still be there to read."""
        return has_left(own_socket(self.transport))

    def failed(self) -> None:
        """A bug that one client's request meets closes that client alone, and is logged with its traceback."""
        self._log.failure("request of {peer} failed", peer=self.address)
        self.close(CloseCode.INTERNAL, "internal error")

    # Writing.

    def write(self, data: bytes) -> None:
        """All that Autobahn sends passes through the outbox once there is one, so that the order is kept."""
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

    def _reading(self) -> int:
        return reading(own_socket(self.transport))

    def pauseProducing(self) -> None:
        """The transport (TLS) holds more than its high-water mark."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport has written out all it held."""
        self._full = False
        if self.outbox is not None:
            self.outbox.drained()

    def stopProducing(self) -> None:
        """The transport is gone: `connectionLost` does the work."""

    # Closing.

    def close(self, code: CloseCode, reason: str) -> None:
        """Start the closing handshake; does nothing on a connection that is closing. *reason*: at most 123 bytes."""
        refusal = BY_CODE.get(code)
        if refusal is not None:
            self.refuse(refusal, reason, reason)
        elif self.is_established:
            self.start_closing(int(code), reason)

    def refuse(self, refusal: Refusal, reason: str, detail: str) -> None:
        """Close with the refusal's code and *reason*; *detail* is for the log (`Refusals.note`)."""
        if not self.is_established or self.slot is None:
            return
        self.factory.refusals.note(refusal, self.address, detail)
        if self.slot.refuse():
            self.start_closing(int(refusal.code), reason)
        else:
            self._end_session()
            self.transport.abortConnection()

    def before_close_frame(self) -> None:
        """End the session: no tick may follow the close frame."""
        self._end_session()

    def after_close_frame(self) -> None:
        """Nothing else may follow it either, such as the answer that is being made."""
        if self.outbox is not None:
            self.outbox.over = True

    def dropping(self, abort: bool) -> None:
        """Abort after `LINGER_S`: Twisted's loseConnection waits until the client has read all that is buffered."""
        if not (abort or self._lost):
            self.factory.context.clock.call_later(LINGER_S, self._abort)

    def _abort(self) -> None:
        if not self._lost:
            self.transport.abortConnection()

    def pong_missing(self) -> None:
        """Close with a code, which a client behind a dead network path will not receive, but one that hangs may."""
        # The pong may be among the bytes that are not read yet.
        is_paused = self._reader is not None and self._reader.paused
        if is_paused or (self.outbox is not None and is_slow(self.outbox, self.transport)):
            self.ping_again()
        else:
            self.close(CloseCode.NO_PONG, "no pong")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """End the session, if it has not ended yet, and give up the place."""
        self._lost = True
        self.after_close_frame()
        self.payer.do(self._end_session)
        self.payer.leave()
        if self._reader is not None:
            self._reader.lost()
            self._reader = None
        if self._subscriber is not None:
            # Again, after the session did: its close frame may have blocked the outbox since.
            self.factory.context.hub.detach(self._subscriber)
        if self.outbox is not None:
            self.outbox.lost()
        self.outbox = self._subscriber = None
        if self.slot is not None:
            self.slot.leave()
            self.slot = None
        self.factory.closed(self)
        super().connectionLost(reason)

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if self._reader is not None:
            self._reader.drop_answer()
        if session is not None:
            session.closed()
