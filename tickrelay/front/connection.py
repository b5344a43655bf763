"""One connection of the clients' port, until it is handed to the WebSocket protocol; of HTTP, to its end.

Reads one head after the other, and each is handled in turn: whoever used much of the reactor's time waits
(`tickrelay.admission.ledger`) and is not read meanwhile. Bytes that follow a WebSocket handshake before its answer was
sent, which a client must not send, are kept, at most one read, and passed on after the answer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.front.head import Fault, Head
from tickrelay.front.http import ChannelTransport
from tickrelay.front.peer import Peer
from tickrelay.front.reader import HeadReader
from tickrelay.front.shared import Shared
from tickrelay.front.tls import bound_messages, end_meter, free_when_lost, meter_handshake
from tickrelay.front.upgrade import asks_for_websocket, upgrade_fault
from tickrelay.http_site import last_answer
from tickrelay.model.clock import Timer

LINGER_S = 3.0
"""How long a refused client may take to read why. A reset while it still sends would make its kernel drop the answer,
so what it sends is read and dropped.
"""

MAX_LINGER_BYTES = 262_144

CLOSE_S = 30.0
"""How long a client may take to read the last answer of HTTP."""


@implementer(IHandshakeListener)
class FrontConnection(Protocol):
    """Made at the accept; *accepted_s*: when, in monotonic seconds."""

    transport: Any
    _peer: Peer
    _deadline: Timer | None = None
    """Of the first head, counted from the accept; then of the close."""
    _channel: Any = None
    _channel_paused = False
    _waits = False
    """For its turn."""
    _paused = False
    _reads = False
    """`_read` is running: what it calls may call it."""
    _done = False
    """No further head is read: refused, handed on, or closed."""
    _lingered_bytes = 0

    def __init__(self, shared: Shared, accepted_s: float) -> None:
        self._shared = shared
        self._accepted_s = accepted_s
        self._heads = HeadReader()

    def connectionMade(self) -> None:
        """Count the connection; it is aborted if too many are open already. Start the one deadline of its head."""
        self._peer = Peer(self._shared, self.transport, self._accepted_s)
        free_when_lost(self.transport)
        if self._peer.arrive():
            self._deadline = self._shared.clock.call_later(self._shared.head_timeout_s, self._late)
            if self._peer.payer is not None:
                meter_handshake(self.transport, self._in_turn)
        else:
            self._done = True
            self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        """Called by Twisted at the end of a TLS handshake."""
        end_meter(self.transport)
        bound_messages(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Bytes were received."""
        if self._done:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > MAX_LINGER_BYTES:
                self.transport.abortConnection()
            return
        self._heads.feed(data)
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give up what the connection has. Not called after it was handed on."""
        self._done = True
        self._end_deadline()
        end_meter(self.transport)
        if self._channel is not None:
            self._channel.connectionLost(reason)
        self._peer.leave()

    # Reading, in turn.

    def _go_on(self) -> None:
        if self._peer.payer is None:
            self._read()
        else:
            self._peer.payer.do(self._read)

    def _read(self) -> None:
        """Handle the heads that were received, until one has to wait."""
        if self._reads:
            return
        self._reads = True
        try:
            while not (self._done or self._waits or self._channel_paused or self._is_answering):
                head = self._heads.take()
                if head is None:
                    break
                if isinstance(head, Fault):
                    self._refuse(head)
                elif self._peer.locate(head.fields.get("x-forwarded-for", "")):
                    self._in_turn(partial(self._handle, head))
                else:
                    # Not aborted, as at the accept: a proxy may take that for a fault of the relay, and stop using it.
                    self._refuse(Fault(429, "too many connections of this address are open"))
        finally:
            self._reads = False
        self._set_reading()

    def _in_turn(self, work: Callable[[], object]) -> None:
        """Do *work*, now or when it is due; nothing is read meanwhile."""
        assert self._peer.payer is not None
        if not self._peer.payer.when_due(partial(self._take_turn, work)):
            self._waits = True
            self._set_reading()

    def _take_turn(self, work: Callable[[], object]) -> None:
        had_to_wait, self._waits = self._waits, False
        self._set_reading()
        work()
        if had_to_wait and not self._done:
            self._read()

    def _set_reading(self) -> None:
        """Pause or resume the transport. Never touch one that was handed on, or that only reads to linger."""
        paused = self._waits or self._channel_paused or (self._is_answering and self._heads.is_full)
        if paused is not self._paused and not self._done:
            self._paused = paused
            (self.transport.pauseProducing if paused else self.transport.resumeProducing)()

    # What a head asks for.

    def _handle(self, head: Head) -> None:
        self._end_deadline()
        if asks_for_websocket(head):
            fault = upgrade_fault(head)
            if self._channel is not None:
                fault = Fault(400, "a WebSocket handshake must be the first request of its connection")
            if fault is None:
                self._hand_on(head)
            else:
                self._refuse(fault)
            return
        if self._channel is None:
            self._channel = self._shared.make_channel()
            self._channel.makeConnection(ChannelTransport(self, self.transport, self._peer.address))
        self._channel.dataReceived(head.raw)

    def _hand_on(self, head: Head) -> None:
        """Put the WebSocket protocol in our place."""
        self._done = True
        protocol = self._shared.make_websocket(*self._peer.hand_on())
        # TCP and UNIX transports call their `protocol`; TLS, and whatever else wraps them, the `wrappedProtocol`.
        is_wrapped = getattr(self.transport, "wrappedProtocol", None) is self
        setattr(self.transport, "wrappedProtocol" if is_wrapped else "protocol", protocol)
        protocol.makeConnection(self.transport)
        protocol.answer_opening(head.fields, self._heads.take_rest())

    # HTTP: the channel's owner.

    @property
    def _is_answering(self) -> bool:
        """A page has not answered its request yet. The channel would queue further ones, uncharged."""
        return self._channel is not None and bool(self._channel.requests)

    def channel_paused(self, paused: bool) -> None:
        """Whether the channel wants no further request now."""
        self._channel_paused = paused
        self._set_reading()
        if not (paused or self._reads or self._heads.is_empty):
            # Later: the channel calls this in the middle of the end of a request.
            self._shared.clock.call_later(0, self._go_on)

    def channel_closed(self) -> None:
        """The channel has closed the connection: no further request is to be read."""
        self._done = True
        self._end_deadline()
        self._deadline = self._shared.clock.call_later(CLOSE_S, self.transport.abortConnection)

    # The end.

    def _refuse(self, fault: Fault) -> None:
        """Answer and close. A client that still sends has `LINGER_S` to read the answer."""
        self._done = True
        self._end_deadline()
        if self._is_answering:
            self.transport.abortConnection()  # in the middle of another answer
            return
        self._deadline = self._shared.clock.call_later(LINGER_S, self.transport.abortConnection)
        if self._channel is not None:
            self.transport.unregisterProducer()  # TLS waits with its close for as long as there is one
        self.transport.write(last_answer(*fault))
        close_half = getattr(self.transport, "loseWriteConnection", None)
        if close_half is None or ISSLTransport.providedBy(self.transport):
            self.transport.loseConnection()
        else:
            close_half()

    def _late(self) -> None:
        """The head is not there in time."""
        self._deadline = None
        if self._waits:  # not the client's fault
            self._deadline = self._shared.clock.call_later(self._shared.head_timeout_s, self._late)
        elif self._heads.is_empty:
            self.transport.abortConnection()
        else:
            self._refuse(Fault(408, "the head of the request took too long"))

    def _end_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()
