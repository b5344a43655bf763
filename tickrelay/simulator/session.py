"""One connection to the simulator, whatever its framing: who it is, what it may ask, when it is cut off.

Frames come in through `received` and go out through a `Line`, which is the framing (TCP, WebSocket, JSON). The order
of the gates is the server's: heartbeat, rate limit, known type, application, account.
"""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.simulator.accounts import Grant
from tickrelay.simulator.answers import ANSWERS, OPEN_TO_ALL
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.delay_line import DelayLine
from tickrelay.simulator.line import Line
from tickrelay.simulator.quota import Quota
from tickrelay.simulator.refusal import RequestRefused

UNKNOWN_FIELD = b"\xc0\x3e\x01"
"""Field 1000, varint 1: the real server sends fields that no public schema has."""


class Session:
    """One connection. Its protocol calls `opened`, `received` and `closed`."""

    _log = Logger()

    def __init__(self, broker: SimulatedBroker, clock: IReactorTime, line: Line) -> None:
        self.broker = broker
        self.clock = clock
        self.line = line
        self.number = broker.admit(self)
        self.application = False
        self._no_application_s = 0.0
        self.accounts: dict[int, Grant] = {}
        """Accounts authorized on this connection, with the grant that opened each."""
        self.paused = False
        """The client reads too slowly: it gets no ticks meanwhile."""
        self._paused_s = 0.0
        self._quota = Quota(broker.rules)
        self._heard_s = clock.seconds()
        self._answers = 0
        self.ended = False
        """Nothing more is heard or said; the connection may still stand."""
        self._gone = False
        self._closing: IDelayedCall | None = None
        self._calls: set[IDelayedCall] = set()
        self._lag = DelayLine(clock, self._put)
        self._tick_lag = DelayLine(clock, self.send_frames)
        self._heartbeats = LoopingCall(self.send, ProtoHeartbeatEvent())
        self._heartbeats.clock = clock

    # what the protocol calls

    def opened(self) -> None:
        """The connection stands."""
        rules = self.broker.rules
        if self.broker.conditions.closes_at_once:
            self.close()
            return
        if len(self.broker.sessions) > rules.max_connections and rules.connection_limit_closes:
            self._refuse(RequestRefused("CONNECTIONS_LIMIT_EXCEEDED", "Connections limit exceeded", close=True))
            return
        self._heartbeats.start(rules.heartbeat_s, now=False)
        self.lose_application()
        self.later(rules.idle_s, self._check_silence)

    def received(self, frame: bytes) -> None:
        """A frame came in."""
        if self.ended or self.broker.conditions.deaf:
            return
        self._heard_s = self.clock.seconds()
        try:
            envelope = frames.open_envelope(frame)
        except frames.FrameError:
            self._refuse(RequestRefused("INVALID_REQUEST", "Malformed message", close=True))
            return
        if envelope.payloadType == frames.HEARTBEAT:
            return  # never answered: some clients echo every heartbeat, and it would go round for ever
        try:
            self._quota.spend(envelope.payloadType, self.clock.seconds())
        except RequestRefused as refusal:
            self._refuse(refusal, envelope.clientMsgId)
            return
        latency_s = self.broker.rules.latency_s
        if latency_s:
            self.later(latency_s * (0.5 + self.broker.random.random()), self._perform, envelope)
        else:
            self._perform(envelope)

    def closed(self) -> None:
        """The connection is gone."""
        self._end()
        self._gone = True
        self._stop_closing()
        self._lag.drop()
        self.broker.dismiss(self.number)

    # what answers and faults call

    def send(self, message: Message, client_msg_id: str = "") -> None:
        """Send one message."""
        frame = frames.encode(message, client_msg_id)
        every = self.broker.rules.unknown_field_every
        if client_msg_id and every:
            self._answers += 1
            if not self._answers % every:
                row = registry.lookup(message)
                payload = message.SerializePartialToString() + UNKNOWN_FIELD
                frame = ProtoMessage(
                    payloadType=row.number, payload=payload, clientMsgId=client_msg_id
                ).SerializeToString()
        self.send_frames([frame])

    def send_frames(self, batch: Sequence[bytes]) -> None:
        """Send frames as they are."""
        conditions = self.broker.conditions
        if self.ended or conditions.deaf:
            return
        self._lag.send(batch, conditions.delay_s)

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frame (faults)."""
        if not self.ended:
            self.line.write_raw(data)

    def _put(self, batch: Sequence[bytes]) -> None:
        if not self._gone:
            self.line.send(batch)

    def send_ticks(self, batch: Sequence[bytes]) -> None:
        """Send spot events, unless the client does not read: then they are lost, nothing is kept for it."""
        if self.paused:
            return
        self._tick_lag.send(batch, self.broker.conditions.late_ticks_s)

    def later(self, delay_s: float, call: Callable[..., object], *args: object) -> None:
        """Call something later, unless the connection has ended by then."""

        def run() -> None:
            self._calls.discard(delayed)
            call(*args)

        delayed = self.clock.callLater(delay_s, run)
        self._calls.add(delayed)

    def go_deaf(self) -> None:
        """From now on the connection only stands: nothing is heard, nothing said, it is never closed from here."""
        self._end()

    def close(self) -> None:
        """Close in order; nothing is heard or said any more."""
        if self._gone:
            return
        self._end()
        self._stop_closing()
        conditions = self.broker.conditions
        if lingers_s := max(conditions.lingers_s, conditions.delay_s, self._lag.rest_s):
            self._closing = self.clock.callLater(lingers_s, self._close_line)
        else:
            self._close_line()

    def _close_line(self) -> None:
        # A peer that does not read would never let an orderly close come to its end.
        self._stop_closing()
        self._closing = self.clock.callLater(self.broker.rules.stuck_s, self.line.abort)
        self.line.close()

    def _stop_closing(self) -> None:
        if self._closing is not None and self._closing.active():
            self._closing.cancel()

    def abort(self) -> None:
        """Reset the connection."""
        self._end()
        self.line.abort()

    def refuse_malformed(self, description: str) -> None:
        """The client sent what is no message."""
        if not self.ended:
            self._refuse(RequestRefused("INVALID_REQUEST", description, close=True))

    def refuse_long_frame(self) -> None:
        """The client announced a frame over the limit."""
        if self.broker.rules.frame_too_long_error:
            self._refuse(RequestRefused("FRAME_TOO_LONG", "Frame is too long", close=True))
        else:
            self.abort()

    def lose_application(self) -> None:
        """No application is logged in, yet or any more, and no account: from now on there is so long to do so."""
        self.application = False
        self.accounts.clear()
        self.broker.forget(self.number)
        self._no_application_s = self.clock.seconds()
        self.later(self.broker.rules.unauthenticated_s, self._check_application, self._no_application_s)

    def log_out(self, account_id: int) -> None:
        """The account's session is gone, with its subscriptions; the connection stands."""
        self.accounts.pop(account_id, None)
        self.broker.forget(self.number, account_id)

    def throw_out(self, account_id: int) -> None:
        """The server ends the account's session: by the rules its spots wait until it is authorized again."""
        if not self.broker.rules.spots_survive:
            self.log_out(account_id)
            return
        self.accounts.pop(account_id, None)
        self.broker.depth.forget(self.number, account_id)

    def pause(self) -> None:
        """The way out is full."""
        if not self.paused:
            self.paused = True
            self._paused_s = self.clock.seconds()
            self.later(self.broker.rules.stuck_s, self._check_stuck, self._paused_s)

    def resume(self) -> None:
        """The way out has room again. Quotes that were lost meanwhile changed sides that the client does not know."""
        self.paused = False

    # inside

    def _perform(self, envelope: ProtoMessage) -> None:
        number, msg_id = envelope.payloadType, envelope.clientMsgId
        conditions = self.broker.conditions
        if number in conditions.hung or 0 in conditions.hung:
            return
        try:
            if refusal := conditions.refusal(number):
                raise refusal
            messages = self._answer(envelope)
        except RequestRefused as refusal:
            self._refuse(refusal, msg_id)
            return
        answer, *events = messages
        if self.broker.rules.events_before_answer:
            for event in events:
                self.send(event)
        self.send(answer, msg_id)
        if not self.broker.rules.events_before_answer:
            for event in events:
                self.send(event)

    def _answer(self, envelope: ProtoMessage) -> Sequence[Message]:
        number = envelope.payloadType
        answer = ANSWERS.get(number)
        if answer is None:
            raise RequestRefused("UNSUPPORTED_MESSAGE", f"Unsupported message with payload type {number}")
        try:
            request = frames.open_payload(envelope)
        except frames.FrameError:
            raise RequestRefused("INVALID_REQUEST", "Malformed message", close=True) from None
        if missing := request.FindInitializationErrors():  # type: ignore[union-attr]
            raise RequestRefused("INVALID_REQUEST", f"Message missing required fields: {', '.join(missing)}")
        if not self.application and number not in OPEN_TO_ALL:
            raise RequestRefused("CH_CLIENT_NOT_AUTHENTICATED", "Application is not authenticated")
        return answer(self, request)

    def _refuse(self, refusal: RequestRefused, client_msg_id: str = "") -> None:
        self.send(refusal.message(), client_msg_id)
        if refusal.close:
            self.close()

    def _check_application(self, since_s: float) -> None:
        if self.broker.conditions.deaf:
            self.later(1.0, self._check_application, since_s)
        elif not self.application and self._no_application_s == since_s:
            self.close()

    def _check_silence(self) -> None:
        rest_s = self._heard_s + self.broker.rules.idle_s - self.clock.seconds()
        if rest_s > 0:
            self.later(rest_s, self._check_silence)
        elif self.broker.conditions.deaf:
            self.later(1.0, self._check_silence)
        else:
            self.close()

    def _check_stuck(self, since_s: float) -> None:
        if self.paused and self._paused_s == since_s:
            self._log.info("connection {number} reads nothing: dropped", number=self.number)
            self.abort()

    def _end(self) -> None:
        self.ended = True
        if self._heartbeats.running:
            self._heartbeats.stop()
        self._tick_lag.drop()
        for call in self._calls:
            call.cancel()
        self._calls.clear()
