"""One connection to the simulator, whatever its framing: what it has authorized, its limits and its deadlines.

Frames come in through `Session.received` and go out through a `Line`, which is the framing (TCP, WebSocket, JSON).
A request is checked in this order: heartbeat, rate limit, known type, application auth, account auth. The deadlines
(30 s without a message, 30 s without application auth) were measured on the live server.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tickrelay.model.periodic import PeriodicJobs
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.simulator.accounts import Grant
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.delay_line import DelayLine
from tickrelay.simulator.envelopes import encode_with_unknown_field, open_request
from tickrelay.simulator.line import Line
from tickrelay.simulator.quota import Quota
from tickrelay.simulator.refusal import RequestRefused

Answer = Callable[["Session", Any], Sequence[Message]]
"""Answers a request: the answer, then the events that it sets off. Raises RequestRefused."""


class Session:
    """One connection; implements `tickrelay.simulator.peer.Peer`. Its protocol calls `opened`, `received`, `closed`.

    *answers* maps payload types to the functions that answer them. The deadline of application auth counts from
    *connected_s* (seconds of *clock*; None: now), so that time spent on choosing a protocol and on a WebSocket
    handshake is not granted twice.
    """

    _log = Logger()

    def __init__(
        self,
        broker: SimulatedBroker,
        clock: IReactorTime,
        answers: Mapping[int, Answer],
        line: Line,
        connected_s: float | None = None,
    ) -> None:
        self.broker = broker
        self.clock = clock
        self.line = line
        self.number = broker.admit(self)
        self.application = False
        self._no_application_s = clock.seconds() if connected_s is None else connected_s
        self.accounts: dict[int, Grant] = {}
        """Accounts authorized on this connection -> the grant that authorized each."""
        self.paused = False
        """The transport's buffer is full: ticks are skipped, not buffered."""
        self._paused_s = 0.0
        self._quota = Quota(broker.rules)
        self._received_s = clock.seconds()
        self._answers = answers
        self._answered = 0
        self.ended = False
        """Nothing is read or sent any more; the connection may still be open."""
        self._gone = False
        self._closing: IDelayedCall | None = None
        self._calls: set[IDelayedCall] = set()
        self._delay_line = DelayLine(clock, self._put)
        self._tick_delay_line = DelayLine(clock, self.send_frames)
        beat = {"heartbeats": lambda: self.send(ProtoHeartbeatEvent())}
        self._heartbeats = PeriodicJobs(clock.seconds, clock.callLater, broker.rules.heartbeat_s, beat)

    # what the protocol calls

    def opened(self) -> None:
        """Start the deadlines and heartbeats; refuse a connection over the limit."""
        rules = self.broker.rules
        if self.broker.active_faults.closes_at_once:
            self.close()
            return
        if len(self.broker.sessions) > rules.max_connections and rules.connection_limit_closes:
            self._refuse(RequestRefused("CONNECTIONS_LIMIT_EXCEEDED", "Connections limit exceeded", close=True))
            return
        self._heartbeats.start()
        self._await_application(self._no_application_s)
        self.later(rules.idle_s, self._check_silence)

    def received(self, frame: bytes) -> None:
        """Handle a serialized envelope. A malformed one is refused and the connection closed."""
        if self.ended or self.broker.active_faults.half_open:
            return
        self._received_s = self.clock.seconds()
        try:
            envelope = frames.open_envelope(frame)
        except frames.FrameError:
            self._refuse(RequestRefused("INVALID_REQUEST", "Malformed message", close=True))
            return
        if envelope.payloadType == frames.HEARTBEAT:
            return  # Never answered: OpenApiPy echoes each heartbeat of the server, which would never end.
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
        """Release everything; called when the transport is closed."""
        self._end()
        self._gone = True
        self._stop_closing()
        self._delay_line.drop()
        self.broker.dismiss(self.number)

    # what answers and faults call

    def send(self, message: Message, client_msg_id: str = "") -> None:
        """Send one message; every so many answers (a rule) carry an unknown field."""
        frame = frames.encode(message, client_msg_id)
        every = self.broker.rules.unknown_field_every
        if client_msg_id and every:
            self._answered += 1
            if not self._answered % every:
                frame = encode_with_unknown_field(message, client_msg_id)
        self.send_frames([frame])

    def send_frames(self, batch: Sequence[bytes]) -> None:
        """Send serialized envelopes as they are."""
        active = self.broker.active_faults
        if self.ended or active.half_open:
            return
        self._delay_line.send(batch, active.delay_s)

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frame (faults)."""
        if not self.ended:
            self.line.write_raw(data)

    def _put(self, batch: Sequence[bytes]) -> None:
        if not self._gone:
            self.line.send(batch)

    def send_ticks(self, batch: Sequence[bytes]) -> None:
        """Send spot and depth events. While the transport's buffer is full they are dropped."""
        if self.paused:
            return
        self._tick_delay_line.send(batch, self.broker.active_faults.late_ticks_s)

    def later(self, delay_s: float, call: Callable[..., object], *args: object) -> None:
        """Call *call* after *delay_s* seconds, unless the session has ended by then."""

        def run() -> None:
            self._calls.discard(delayed)
            call(*args)

        delayed = self.clock.callLater(delay_s, run)
        self._calls.add(delayed)

    def go_half_open(self) -> None:
        """Stop reading and sending, and never close: as a peer that vanished without FIN."""
        self._end()

    def close(self) -> None:
        """Flush, then close in order (TLS close_notify, WebSocket 1000); nothing is read or sent meanwhile."""
        if self._gone:
            return
        self._end()
        self._stop_closing()
        active = self.broker.active_faults
        if lingers_s := max(active.lingers_s, active.delay_s, self._delay_line.rest_s):
            self._closing = self.clock.callLater(lingers_s, self._close_line)
        else:
            self._close_line()

    def _close_line(self) -> None:
        # loseConnection flushes first: with a peer that does not read it would never end (Twisted 26.10).
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
        """Answer malformed input with INVALID_REQUEST, then close."""
        if not self.ended:
            self._refuse(RequestRefused("INVALID_REQUEST", description, close=True))

    def refuse_long_frame(self) -> None:
        """Answer a length over the limit with FRAME_TOO_LONG and close, or (a rule) reset at once."""
        if self.broker.rules.frame_too_long_error:
            self._refuse(RequestRefused("FRAME_TOO_LONG", "Frame is too long", close=True))
        else:
            self.abort()

    def lose_application(self) -> None:
        """End the application's session and all accounts; the deadline of application auth starts anew."""
        self.application = False
        self.accounts.clear()
        self.broker.forget(self.number)
        self._await_application(self.clock.seconds())

    def log_out(self, account_id: int) -> None:
        """End the account's session and its subscriptions; the connection stays open."""
        self.accounts.pop(account_id, None)
        self.broker.forget(self.number, account_id)

    def throw_out(self, account_id: int) -> None:
        """End the account's session; by the rule ``spots_survive`` its spots wait until it is authorized again."""
        if not self.broker.rules.spots_survive:
            self.log_out(account_id)
            return
        self.accounts.pop(account_id, None)
        self.broker.depth.forget(self.number, account_id)

    def pause(self) -> None:
        """The transport's buffer is full: drop ticks, and after ``stuck_s`` the connection."""
        if not self.paused:
            self.paused = True
            self._paused_s = self.clock.seconds()
            self.later(self.broker.rules.stuck_s, self._check_stuck, self._paused_s)

    def resume(self) -> None:
        """The transport takes data again. The next event of a symbol that was skipped carries both sides."""
        self.paused = False

    def _perform(self, envelope: ProtoMessage) -> None:
        number, msg_id = envelope.payloadType, envelope.clientMsgId
        active = self.broker.active_faults
        if number in active.hung or 0 in active.hung:
            return
        try:
            if refusal := active.refusal(number):
                raise refusal
            messages = self._answer(envelope)
        except RequestRefused as refusal:
            self._refuse(refusal, msg_id)
            return
        ordered = [(message, "" if number else msg_id) for number, message in enumerate(messages)]
        if self.broker.rules.events_before_answer:
            ordered.append(ordered.pop(0))
        for message, own_id in ordered:
            self.send(message, own_id)

    def _answer(self, envelope: ProtoMessage) -> Sequence[Message]:
        number = envelope.payloadType
        answer = self._answers.get(number)
        if answer is None:
            raise RequestRefused("UNSUPPORTED_MESSAGE", f"Unsupported message with payload type {number}")
        return answer(self, open_request(envelope, self.application))

    def _refuse(self, refusal: RequestRefused, client_msg_id: str = "") -> None:
        self.send(refusal.message(), client_msg_id)
        if refusal.close:
            self.close()

    def _await_application(self, since_s: float) -> None:
        self._no_application_s = since_s
        wait_s = since_s + self.broker.rules.unauthenticated_s - self.clock.seconds()
        self.later(max(0.0, wait_s), self._check_application, since_s)

    def _check_application(self, since_s: float) -> None:
        if self.broker.active_faults.half_open:
            self.later(1.0, self._check_application, since_s)
        elif not self.application and self._no_application_s == since_s:
            self.close()

    def _check_silence(self) -> None:
        rest_s = self._received_s + self.broker.rules.idle_s - self.clock.seconds()
        if rest_s > 0:
            self.later(rest_s, self._check_silence)
        elif self.broker.active_faults.half_open:
            self.later(1.0, self._check_silence)
        else:
            self.close()

    def _check_stuck(self, since_s: float) -> None:
        if self.paused and self._paused_s == since_s:
            self._log.info("connection {number} was reset: its client reads nothing", number=self.number)
            self.abort()

    def _end(self) -> None:
        self.ended = True
        self._heartbeats.stop()
        self._tick_delay_line.drop()
        for call in self._calls:
            call.cancel()
        self._calls.clear()
