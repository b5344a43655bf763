"""One connection to the cTrader Open API: frames in and out, requests and their answers, events, the way of a tick.

The wire: a 4-byte big-endian length, then a ProtoMessage {payloadType, payload, clientMsgId}. A request carries a
clientMsgId and its answer, or its error, carries it back; events carry none. A bare heartbeat goes each way.

Nothing is decided about the session here: a link reports to its `LinkOwner`.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from google.protobuf.message import DecodeError, Message

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tickrelay.model.clock import Clock
from tickrelay.openapi import registry
from tickrelay.openapi.common_pb2 import ProtoErrorRes, ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.frames import HEARTBEAT, SPOT, FrameError, FrameReceiver, encode, open_payload
from tickrelay.openapi.messages_pb2 import ProtoOAErrorRes, ProtoOASpotEvent
from tickrelay.upstream.allow_list import VIEW_ONLY
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import NotAllowed, api_error
from tickrelay.upstream.event_listeners import EventListeners
from tickrelay.upstream.flood_guard import FloodGuard
from tickrelay.upstream.request_limiter import RequestLimiter
from tickrelay.upstream.requests import ANSWERS, Requests

M = TypeVar("M", bound=Message)

MAX_EVENT_BYTES = 262_144
"""A longer frame is opened only where it answers a request: no event has so much to say."""

MAX_SPOT_TIMES = 100_000
"""More ids than any account has symbols."""


class LinkOwner(Protocol):
    """What a link reports to: the Connection, or the check of the command line."""

    def link_secured(self, link: "OpenApiProtocol") -> None:
        """TLS is complete, certificate and host name verified: secrets may be written."""

    def link_garbled(self, link: "OpenApiProtocol", reason: str) -> None:
        """Bytes came that are no frames of the protocol; the link has aborted the connection."""

    def link_lost(self, link: "OpenApiProtocol", reason: Failure) -> None:
        """The connection is gone, every request on it has failed with LinkLost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """The settings of one connection; times in seconds."""

    account_id: int
    request_timeout_s: float = 10.0
    requests_per_s: int = 45
    historical_per_s: int = 4
    allowed: frozenset[int] = VIEW_ONLY
    tcp_user_timeout_s: float = 30.0
    redact: Callable[[str], str] = str
    """Takes secrets out of the server's texts, which may quote the token that is refused."""


@implementer(IHandshakeListener)
class OpenApiProtocol(FrameReceiver):
    """The client's end of one connection; made by the factory, used by the session.

    *spot* is called for each spot event of the account after `deliver_spots`: ``spot(symbol_id, bid, ask, source_ms)``,
    in 1/100000, 0 for a side that did not change. *record* gets every incoming frame before it is read.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        owner: LinkOwner,
        spot: Callable[[int, int, int, int], None],
        counters: Counters,
        settings: LinkSettings,
        record: Callable[[bytes], None] | None = None,
    ) -> None:
        self._monotonic_s = clock.monotonic_s
        self._owner = owner
        self._deliver = spot
        self._spot: Callable[[int, int, int, int], None] = lambda *_: None
        self._counters = counters
        self._settings = settings
        self._account_id = settings.account_id
        self._record = record
        self._limiter = RequestLimiter(clock, settings.requests_per_s, settings.historical_per_s)
        self._requests = Requests(clock, self._limiter, counters, self._transmit)
        self._events = EventListeners()
        self.listen = self._events.listen
        self._spot_listeners = self._events.of(SPOT)
        self._over = False
        self.secured = False
        self.last_frame_s = clock.monotonic_s()
        """When bytes last came (monotonic seconds)."""
        self.spot_times: dict[int, float] = {}
        """When each symbol's last spot came (monotonic seconds), by symbol id.
        Forgotten when there are too many."""
        self._flood_guard = FloodGuard(self.last_frame_s)

    # The way of a tick. A try costs nothing where nothing is raised; the clock is read once a read, not once a frame.

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: any number of frames, and a part of one."""
        self.last_frame_s = self._counters.last_frame_s = self._monotonic_s()
        super().dataReceived(data)
        if len(self.spot_times) > MAX_SPOT_TIMES:
            self.spot_times.clear()  # the watchdog keeps what it knows until the next spot

    def stringReceived(self, frame: bytes) -> None:
        """One frame came."""
        counters = self._counters
        counters.frames += 1
        if self._record is not None:
            self._record(frame)
        try:
            envelope = ProtoMessage.FromString(frame)
            if envelope.payloadType == SPOT:
                event = ProtoOASpotEvent.FromString(envelope.payload)
                if event.ctidTraderAccountId == self._account_id:
                    counters.spots += 1
                    symbol_id = event.symbolId
                    self.spot_times[symbol_id] = self.last_frame_s
                    self._spot(symbol_id, event.bid, event.ask, event.timestamp)
                else:
                    counters.foreign_spots += 1
                if self._spot_listeners:
                    self._events.call(SPOT, event)
                return
        except DecodeError:
            self._garbled(f"a frame of {len(frame)} bytes is not what it announces")
            return
        self._other_frame(envelope, frame)

    def deliver_spots(self) -> None:
        """Whoever gets the spots knows this connection's ids from now on; by another's they would get a wrong name."""
        self._spot = self._deliver

    # Every other frame.

    def connectionMade(self) -> None:
        """TCP is up; TLS is not: nothing is written yet."""
        for option, value in (("setTcpNoDelay", True), ("setTcpKeepAlive", True)):
            setter = getattr(self.transport, option, None)
            if setter is not None:
                setter(value)
        self._bound_unacknowledged()

    def _bound_unacknowledged(self) -> None:
        # TCP_USER_TIMEOUT: Linux ends the connection when sent bytes, a heartbeat at the latest, are not acknowledged
        # for so long; by default it retransmits for about 15 minutes. An idle connection is probed after as long, not
        # after the default of two hours.
        tcp = getattr(self.transport, "socket", None)
        if not isinstance(tcp, socket.socket):
            return
        timeout_s = int(self._settings.tcp_user_timeout_s)
        for name, value in (
            ("TCP_USER_TIMEOUT", timeout_s * 1000),
            ("TCP_KEEPIDLE", timeout_s),
            ("TCP_KEEPINTVL", max(1, timeout_s // 3)),
            ("TCP_KEEPCNT", 3),
        ):
            option = getattr(socket, name, None)  # not every platform has each
            if option is not None:
                tcp.setsockopt(socket.IPPROTO_TCP, option, value)

    def handshakeCompleted(self) -> None:
        """TLS is complete, certificate and host name are verified."""
        self.secured = True
        self._owner.link_secured(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: every request fails with LinkLost."""
        self._over = True
        self.drop_input()
        self._limiter.stop()
        self._events.clear()
        self._requests.lost()
        self._owner.link_lost(self, reason)

    def close(self) -> None:
        """Flush, then close with TLS close_notify; no request is sent any longer."""
        self._over = True
        self._requests.close()
        if self.transport is not None:
            self.transport.loseConnection()

    def abort(self) -> None:
        """End the connection at once; nothing more is read from it."""
        self._over = True
        self._requests.close()
        self.drop_input()
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def lengthLimitExceeded(self, length: int) -> None:
        """A frame announces more than MAX_LENGTH bytes: none of them is buffered."""
        self._garbled(f"a frame of {length} bytes is announced, {self.MAX_LENGTH} are allowed")

    def _garbled(self, reason: str) -> None:
        # A stream that cannot be read may have lost a tick: only a new connection makes the prices right again.
        self._counters.protocol_errors += 1
        self.abort()
        self._owner.link_garbled(self, reason)

    def _other_frame(self, envelope: ProtoMessage, frame: bytes) -> None:
        payload_type, msg_id = envelope.payloadType, envelope.clientMsgId
        expected = self._requests.waits_for(msg_id)
        if not expected and self._flood_guard.exceeded(len(frame), self.last_frame_s):
            self._garbled("too much that is neither a tick nor an answer")
            return
        if payload_type == HEARTBEAT:
            self._counters.heartbeats += 1
            return  # never answered: two peers that echo heartbeats would not stop
        if not payload_type:
            if frame:
                self._garbled(f"a frame of {len(frame)} bytes has no payload type")
            else:
                self._counters.protocol_errors += 1  # an empty frame carries nothing that could be lost
            return
        if msg_id and not expected and payload_type in ANSWERS:
            # Our own ids only come back on answers; an order event may carry another connection's.
            self._counters.late_answers += 1
            return
        if len(frame) > MAX_EVENT_BYTES and not expected:
            self._counters.protocol_errors += 1
            return
        try:
            message = open_payload(envelope)
        except FrameError as e:
            self._garbled(str(e))
            return
        if message is None:
            self._counters.unknown_types += 1
        if expected:
            error = None
            if isinstance(message, (ProtoOAErrorRes, ProtoErrorRes)):
                error = api_error(message, self._settings.redact)
            self._requests.answered(msg_id, payload_type, message, error)
        elif message is not None:
            self._events.call(payload_type, message)

    @overload
    def request(self, message: Message, answer: type[M], timeout_s: float | None = None) -> "Deferred[M]": ...
    @overload
    def request(self, message: Message, answer: None = None, timeout_s: float | None = None) -> "Deferred[Message]": ...

    def request(
        self, message: Message, answer: type[M] | None = None, timeout_s: float | None = None
    ) -> "Deferred[M] | Deferred[Message]":
        """Send *message* and wait for its answer, of class *answer* where given.

        The deadline runs from the moment the message leaves; an answer that asks for a pause is obeyed and the message
        sent again. Fails with OpenApiError, RequestTimeout or LinkLost. Raises NotAllowed, UnknownPayloadType.
        """
        row = registry.lookup(message)
        self._check_allowed(row.number)
        if answer is not None and (row.answer is None or row.answer.message is not answer):
            raise TypeError(f"{row.name} is not answered by {answer.DESCRIPTOR.name}")
        asked: Deferred[Any] = self._requests.ask(
            message, self._settings.request_timeout_s if timeout_s is None else timeout_s
        )
        return asked

    def request_named(self, name: str, timeout_s: float | None = None, **fields: object) -> "Deferred[Message]":
        """Send the request called *name*, in either spelling, with *fields*; as `request` otherwise."""
        return self.request(registry.lookup(name).message(**fields), timeout_s=timeout_s)

    @property
    def is_paused(self) -> bool:
        """Whether a request waits because the server asked for a pause."""
        return self._limiter.paused

    def heartbeat(self) -> None:
        """Send a heartbeat, whatever waits."""
        if not self._over:
            self._limiter.spend()
            self._transmit(ProtoHeartbeatEvent(), "")

    def _check_allowed(self, payload_type: int) -> None:
        if payload_type not in self._settings.allowed:
            raise NotAllowed(f"{registry.lookup(payload_type).name} is not among the messages that are ever sent")

    def _transmit(self, message: Message, msg_id: str) -> None:
        # The one place that writes: the allow-list is asked here again.
        self._check_allowed(registry.lookup(message).number)
        self.sendString(encode(message, msg_id))
