"""Requests in progress: matched to answers by clientMsgId, each with a deadline, repeated after a requested pause.

No socket here: a request leaves through *transmit* when the limiter lets it, and answers are handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tickrelay.model.clock import Clock, Timer
from tickrelay.openapi import registry
from tickrelay.openapi.registry import PayloadType
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import LinkLost, OpenApiError, RequestTimeout
from tickrelay.upstream.reactions import Reaction, reaction
from tickrelay.upstream.request_limiter import MAX_PAUSE_S, RequestLimiter, Ticket

RATE_RETRIES = 8
"""How often a request is sent again after an answer that asks for a pause."""

ANSWERS = frozenset(t.number for t in registry.all_types() if t.name.endswith("Res"))
"""Payload types that answer a request; everything else is an event, whatever message id it carries."""


@dataclass(slots=True)
class _Pending:
    """A request: queued, sent, or paused to be sent again."""

    msg_id: str
    message: Message
    row: PayloadType
    deferred: "Deferred[Any]"
    timeout_s: float
    ticket: Ticket | None = None
    deadline: Timer | None = None
    rate_answers: int = 0
    sent_s: float = 0.0


def _account_of(message: Message | None) -> int:
    """The account that *message* is about; 0 where it names none."""
    return getattr(message, "ctidTraderAccountId", 0)


class Requests:
    """The requests of one connection. *transmit* writes a message with its id."""

    _log = Logger()

    def __init__(
        self, clock: Clock, limiter: RequestLimiter, counters: Counters, transmit: Callable[[Message, str], None]
    ) -> None:
        self._clock = clock
        self._limiter = limiter
        self._counters = counters
        self._transmit = transmit
        self._pending: dict[str, _Pending] = {}
        self._last_id = 0
        self._rate_answers: dict[int, int] = {}
        """Answers in a row that asked for a pause, by the request's payload type."""
        self._over = False

    def ask(self, message: Message, timeout_s: float) -> "Deferred[Any]":
        """Send *message* as the budget allows; fires with its answer.

        Fails with OpenApiError, RequestTimeout (*timeout_s* after it left) or LinkLost.
        """
        self._last_id += 1
        msg_id = str(self._last_id)
        deferred: Deferred[Any] = Deferred(lambda _: self._forget(msg_id))
        pending = _Pending(msg_id, message, registry.lookup(message), deferred, timeout_s)
        if self._over:
            deferred.errback(Failure(LinkLost("the connection is closed")))
            return deferred
        self._pending[msg_id] = pending
        pending.ticket = self._limiter.submit(pending.row.number, lambda: self._send(pending))
        return deferred

    def waits_for(self, msg_id: str) -> bool:
        """Whether a request with this id has no answer yet."""
        return msg_id in self._pending

    def answered(self, msg_id: str, payload_type: int, message: Message | None, error: OpenApiError | None) -> bool:
        """A frame came that carries *msg_id*; False where no request waits for it."""
        pending = self._pending.pop(msg_id, None)
        if pending is None:
            return False
        self._settle(pending)
        self._counters.request_s.observe(self._clock.monotonic_s() - pending.sent_s)
        if error is not None:
            error.request = pending.row.name
            if reaction(error) is Reaction.PAUSE and pending.rate_answers < RATE_RETRIES:
                self._wait_and_repeat(pending, error)
            else:
                self._fail(pending, error)
            return True
        self._rate_answers.pop(pending.row.number, None)
        expected, said = pending.row.answer, ""
        if expected is not None and expected.number != payload_type:
            said = f"answered with payload type {payload_type}"
        elif _account_of(message) not in (0, _account_of(pending.message)):
            said = "answered for another account"
        if said:
            self._fail(pending, OpenApiError("UNEXPECTED_ANSWER", said, pending.row.name))
        else:
            pending.deferred.callback(message)
        return True

    def close(self) -> None:
        """Nothing is sent any longer; new requests fail with LinkLost."""
        self._over = True

    def lost(self) -> None:
        """The connection is gone: every request fails with LinkLost."""
        self._over = True
        pending, self._pending = self._pending, {}
        for request in pending.values():
            self._settle(request)
            lost = LinkLost(f"connection lost before {request.row.name} was answered")
            request.deferred.errback(Failure(lost))

    def _send(self, pending: _Pending) -> None:
        if self._over:
            return
        self._counters.requests += 1
        pending.sent_s = self._clock.monotonic_s()
        pending.deadline = self._clock.call_later(pending.timeout_s, lambda: self._timed_out(pending))
        self._transmit(pending.message, pending.msg_id)

    def _settle(self, pending: _Pending) -> None:
        if pending.deadline is not None and pending.deadline.active():
            pending.deadline.cancel()
        if pending.ticket is not None:
            pending.ticket.cancel()
        # Both refer to the request, and its Deferred to an answer of up to 15 MB: in a cycle it would stay until the
        # garbage collector looks at its oldest generation, which may be never.
        pending.deadline = pending.ticket = None

    def _forget(self, msg_id: str) -> None:
        pending = self._pending.pop(msg_id, None)
        if pending is not None:
            self._settle(pending)

    def _timed_out(self, pending: _Pending) -> None:
        self._forget(pending.msg_id)
        self._counters.request_timeouts += 1
        message = f"{pending.row.name} was not answered within {pending.timeout_s:g} s"
        pending.deferred.errback(Failure(RequestTimeout(message)))

    def _fail(self, pending: _Pending, error: OpenApiError) -> None:
        self._counters.request_errors += 1
        pending.deferred.errback(Failure(error))

    def _wait_and_repeat(self, pending: _Pending, error: OpenApiError) -> None:
        self._counters.rate_limited += 1
        number = pending.row.number
        in_a_row = self._rate_answers.get(number, 0)
        self._rate_answers[number] = in_a_row + 1
        pause = min(max(error.retry_after_s, 2.0 ** min(in_a_row, 30)), MAX_PAUSE_S)
        pending.rate_answers += 1
        self._log.warn("cTrader asks for a pause of {pause} s: {error}", pause=pause, error=str(error))
        # BLOCKED_PAYLOAD_TYPE blocks one payload type, REQUEST_FREQUENCY_EXCEEDED the whole connection.
        self._limiter.pause(number if error.code == "BLOCKED_PAYLOAD_TYPE" else 0, pause)
        self._pending[pending.msg_id] = pending
        pending.ticket = self._limiter.submit(number, lambda: self._send(pending), first=True)
