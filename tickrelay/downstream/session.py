"""One client's session: admission by token, and an answer to each request. Has no socket: frames go to the outbox."""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import UNSET, UnsetType

from tickrelay.downstream import basic
from tickrelay.downstream.context import ClientContext
from tickrelay.downstream.results import Answer, Steps
from tickrelay.downstream.tokens import AUTH_TIMEOUT_S, MISSING, Shown, digest_of, in_connect
from tickrelay.downstream.v1 import V1Requests
from tickrelay.model.errors import CloseCode, ErrorCode
from tickrelay.relay.subscriber import Subscriber
from tickrelay.wire.lists import pieces_in_steps
from tickrelay.wire.messages import Error, Pong, Subscriptions, refusal
from tickrelay.wire.requests import (
    BadRequest,
    Configure,
    Connect,
    Explain,
    GetSubscriptions,
    GetSymbols,
    Id,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
)


class ClientSession:
    """Made by the connection when it is open; `closed` ends it. Provides `StatusRecipient`."""

    __slots__ = (
        "_address",
        "_closed",
        "_context",
        "_enter",
        "_fault",
        "_is_refused",
        "_v1",
        "digest",
        "is_open",
        "status_number",
        "subscriber",
    )

    def __init__(self, context: ClientContext, subscriber: Subscriber, address: str, enter: Callable[[], bool]) -> None:
        """*enter* takes a place for the client; False means that there is none, and that it is being closed."""
        self.subscriber = subscriber
        self.is_open = False
        """The client was admitted and is not being closed."""
        self.digest = b""
        """Of the token by which the client was admitted; empty: it needed none."""
        self.status_number = 0
        """Number of the newest status that the client was sent."""
        self._closed = False
        self._is_refused = False
        """Its token was refused, and the answer may be delayed: nothing else that it sends is looked at."""
        self._address = address
        self._fault = MISSING.fault
        """The close reason where no token that can be checked comes in time."""
        self._enter = enter
        self._context = context
        self._v1 = V1Requests(context, subscriber) if subscriber.encoding.version else None

    # Opening and closing.

    def opened(self, shown: Shown | None) -> None:
        """The connection has opened; *shown* is the token of its opening request (None: there was none)."""
        if self._context.tokens is None:
            self.is_open = self._enter()
        elif shown is not None:
            self._authorise(shown)
        else:
            self._context.clock.call_later(AUTH_TIMEOUT_S, self._expect_token)

    def closed(self) -> None:
        """The connection is closing or gone: end the subscriptions."""
        self.is_open = False
        self._closed = True
        self._context.notifications.discard(self.subscriber)
        self._context.hub.detach(self.subscriber)

    def _expect_token(self) -> None:
        if not (self.is_open or self._closed or self._is_refused):
            self.subscriber.outbox.close(CloseCode.BAD_TOKEN, self._fault)

    def _authorise(self, shown: Shown, request: Request | None = None) -> bool:
        tokens = self._context.tokens
        digest = digest_of(shown.token)
        fault = shown.fault
        if tokens is None or (not fault and tokens.holds(digest)):
            self.digest = digest
            self.is_open = self._enter()
            return self.is_open
        self._is_refused = True
        mark = UNSET if request is None else request.id
        delay_s = 0.0 if fault else self._context.guesses.delay_s(self._address)
        refuse = partial(self._refuse, fault or "token refused", mark)
        if delay_s:
            self._context.clock.call_later(delay_s, refuse)
        else:
            refuse()
        return False

    def _refuse(self, fault: str, mark: Id | UnsetType) -> None:
        if self._closed:
            return
        if self.subscriber.encoding.version:
            message = fault[0].upper() + fault[1:]
            self.subscriber.send(Error(id=mark, code=ErrorCode.UNAUTHORIZED, message=message, fatal=True))
        self.subscriber.outbox.close(CloseCode.BAD_TOKEN, fault)

    # Requests.

    def received(self, payload: bytes, binary: bool) -> Iterator[None]:
        """Answer one message, in steps; malformed input is answered with ``error``, and the connection stays open.

        The next message must not be passed before the last step. Once the session is closed, no step may be done.
        """
        context, subscriber = self._context, self.subscriber
        if self._is_refused:
            return
        try:
            request = subscriber.encoding.parse(payload, binary)
        except BadRequest as bad:
            encoding = context.encodings.v1_json if bad.names_version else subscriber.encoding
            if bad.field == "token":
                self._fault = f"token malformed: {bad.message.removeprefix('token: ')}"
            subscriber.outbox.write(encoding.message(refusal(bad)))
            return
        if isinstance(request, Connect) and request.protocol is not UNSET and self._v1 is None:
            context.hub.set_encoding(subscriber, context.encodings.v1_json)
            self._v1 = V1Requests(context, subscriber)
        if not self.is_open:
            token = request.token if isinstance(request, Connect) else UNSET
            if not self._authorise(MISSING if token is UNSET else in_connect(token), request):
                return
        if isinstance(request, Connect):
            self.status_number = context.statuses.number
            if self._v1 is None:
                # Not an Answer: the frame is the same for all basic clients, and encoded once.
                subscriber.outbox.write(context.statuses.frame(subscriber.encoding))
                return
        answer = self._answer(request)
        if not isinstance(answer, Answer):
            answer = yield from answer
        pieces = yield from pieces_in_steps(subscriber.encoding, answer.message, answer.items)
        subscriber.outbox.write_pieces(pieces)
        for frames in answer.frames:
            subscriber.outbox.write(frames)
            yield
        if answer.then is not None:
            answer.then()

    def _answer(self, request: Request) -> Answer | Steps[Answer]:
        v1, subscriber = self._v1, self.subscriber
        match request:
            case Ping():
                return Answer(Pong(id=request.id, timestamp=self._context.clock.wall_ms()))
            case GetSubscriptions():
                names = [channel.symbol.name for channel in subscriber.channels]
                now_ms = self._context.clock.wall_ms()
                return Answer(Subscriptions(id=request.id, symbols=names, timestamp=now_ms))
            case Subscribe() if v1 is None:
                return basic.subscribe(self._context, subscriber, request)
            case Unsubscribe() if v1 is None:
                return basic.unsubscribe(self._context, subscriber, request)
        assert v1 is not None  # basic's parser makes no other requests
        match request:
            case Connect():
                return v1.connect(request)
            case Subscribe():
                return v1.subscribe(request)
            case Unsubscribe():
                return v1.unsubscribe(request)
            case Configure():
                return v1.configure(request)
            case GetSymbols():
                return v1.get_symbols(request)
            case Explain():
                return v1.explain(request)
