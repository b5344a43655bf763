"""All that the relay assumes about Autobahn's internals: its server protocol, slimmed, behind hooks with plain names.

As shipped a connection carries 89 attributes in 8 KiB (the factory's options copied and pretty-printed for a debug
line, two Deferreds, event lists, statistics, the opening request), and taking it costs 250 µs. Here the options are
class attributes, what never changes stands once on the class, and the rest is dropped once the connection is open. The
opening request, which was read and checked before a connection is made, is not parsed a second time.

Only public API of Autobahn is used outside this file. What is assumed here is compared with the installed version by
``tests/downstream/test_autobahn_adapter.py``; setup.cfg has the newest version for which it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats, _url_to_origin
from autobahn.websocket.types import ConnectionDeny
from twisted.logger import Logger, LogLevel

from tickrelay.http_site import last_answer

MAX_CLOSING_BYTES = 131_072
"""After our close frame: what a client had sent before it read the frame, and a few frames more."""

MAX_CLOSING_STEPS = 256
"""The same in calls of `processData`: one or two a frame, and one a read."""


class QuietLogger:
    """The ``log`` of a connection, with the methods that Autobahn calls.

    At debug Autobahn formats every frame (3 µs each, shown or not) and prints tokens: dropped. Its warnings quote what
    the client sent (an origin, a key): they become one debug line without the quote.
    """

    _log = Logger(namespace="tickrelay.downstream.autobahn_adapter")

    def debug(self, *args: object, **kwargs: object) -> None:
        """Drop the line."""

    trace = debug

    def info(self, message: str, *args: object, **kwargs: object) -> None:
        """Log a failed handshake or a closed connection at debug, without what the client had sent."""
        self._log.debug("{event}", event=message.split("(")[0].split("{")[0].strip())

    warn = info

    def error(self, message: str, *args: object, **kwargs: object) -> None:
        """Log a fault inside Autobahn; a failed TLS handshake, which is the client's, at debug."""
        level = LogLevel.debug if message.startswith("SSL error") else LogLevel.error
        self._log.emit(level, "{event}", event=message)

    failure = critical = error


class _Unused:
    """Stands for the Deferreds ``is_open`` and ``is_closed``, to which the relay adds no callbacks."""

    def callback(self, result: object) -> None:
        """Do nothing."""


_UNUSED = _Unused()


class WebSocketConnection(WebSocketServerProtocol):
    """Base of `ClientProtocol`, which overrides the hooks; `with_options` makes the class that a factory serves."""

    # `log` is Autobahn's name; a class attribute of this kind replaces its logger.
    log = QuietLogger()
    transport: Any

    # What Autobahn sets on each connection and only a few connections ever change.
    is_open = is_closed = _UNUSED
    trafficStats = TrafficStats()
    send_queue: Any = ()
    _perMessageCompress: Any = None
    trackedTimings: Any = None
    send_state = 0
    data = b""
    triggered = False
    wasMaxFramePayloadSizeExceeded = wasMaxMessagePayloadSizeExceeded = False
    closedByMe = failedByMe = droppedByMe = wasClean = False
    wasNotCleanReason: Any = None
    wasServerConnectionDropTimeout = wasOpenHandshakeTimeout = wasCloseHandshakeTimeout = False
    wasServingFlashSocketPolicyFile = False
    localCloseCode = localCloseReason = remoteCloseCode = remoteCloseReason = None
    openHandshakeTimeoutCall = closeHandshakeTimeoutCall = None
    autoPingTimeoutCall = autoPingPending = autoPingPendingCall = autoPingPendingSent = None
    autoPingPendingSeq = 0
    inside_message = False
    current_frame: Any = None
    message_data: Any = None
    websocket_version = 13
    websocket_protocol_in_use = None
    websocket_extensions_in_use: Any = ()

    # What came after our close frame.
    _closing_bytes = _closing_steps = 0

    _HANDSHAKE_STATE = (
        "http_response_data",
        "send_queue",
        "trafficStats",
        "websocket_extensions",
        "websocket_extensions_in_use",
        "websocket_protocols",
        "_wskey",
    )
    """Attributes that only the opening handshake needs, or whose value on the class serves."""

    def __init__(self) -> None:
        """Autobahn's makes the Deferreds and event lists: not called."""

    @classmethod
    def with_options(cls, options: object) -> type[Self]:
        """This class with the *options* of a factory as class attributes, and none left to be copied.

        Autobahn's ``_connectionMade`` copies each name in ``CONFIG_ATTRS`` from the factory to the connection.
        """
        values = {name: getattr(options, name) for name in cls.CONFIG_ATTRS}
        # A function on a class would become a method.
        values = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
        return type(cls.__name__, (cls,), {**values, "CONFIG_ATTRS": ()})

    # Hooks: a subclass overrides them.

    def choose_subprotocol(self, offers: Sequence[str], fields: Mapping[str, str]) -> str | None:
        """One of the *offers* for the answer to an opening request with these header *fields*, or None.

        Raises ConnectionDeny: answer with its status, and close.
        """
        return None

    def may_read_frame(self) -> bool:
        """Whether to read the next frame now; False: `read_on` will be called. Only of an open connection."""
        return True

    def frame_read(self, fragments: int) -> None:
        """A frame was read; *fragments*: of the message that is not complete yet, 0 outside of one."""

    def write(self, data: bytes) -> None:
        """Send bytes of Autobahn's: handshake, pings, pongs, closes."""
        raise NotImplementedError

    def before_close_frame(self) -> None:
        """A close frame, ours or the answer to the client's, is about to be written."""

    def after_close_frame(self) -> None:
        """It was written: RFC 6455, 5.5.1: no data frame may follow."""

    def dropping(self, abort: bool) -> None:
        """The TCP connection is being closed; *abort*: without what is still to be written."""

    def pong_missing(self) -> None:
        """The client did not answer a ping in time."""

    # What the subclass and the factory's user call.

    def answer_opening(self, fields: Mapping[str, str], rest: bytes) -> None:
        """Answer the opening request; called once, when the connection is made.

        *fields*: its header, by names in lower case, of a sound head that asks for WebSocket (RFC 6455, 4.2.1), with
        no field twice that must not be. Autobahn's `processHandshake` parses and checks the head again. *rest*: what
        the client has sent after it.
        """
        asked = fields.get("sec-websocket-protocol")
        offers = [] if asked is None else [offer.strip() for offer in asked.split(",")]
        try:
            if len(set(offers)) < len(offers):
                raise ValueError("a subprotocol is there twice")
            if "origin" in fields:
                _url_to_origin(fields["origin"])  # the value does not matter: which are allowed is asked elsewhere
            chosen = self.choose_subprotocol(offers, fields)
        except ConnectionDeny as e:
            self.failHandshake(e.reason or "", e.code)
        except ValueError:
            self.failHandshake("the opening request is malformed")
        else:
            self.websocket_protocols = offers
            self.websocket_extensions = self._parseExtensionsHeader(fields.get("sec-websocket-extensions", ""))
            self._wskey = fields["sec-websocket-key"]
            self.data = rest
            self.succeedHandshake(chosen)

    @property
    def is_established(self) -> bool:
        """The handshake is done and no close frame was written."""
        return bool(self.state == self.STATE_OPEN)

    def read_on(self) -> None:
        """Read the frames that were received while `may_read_frame` was False."""
        self.consumeData()

    def start_closing(self, code: int, reason: str) -> None:
        """Write a close frame. *reason*: at most 123 bytes in UTF-8 (RFC 6455, 5.5)."""
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode())

    def ping_again(self) -> None:
        """Wait for the pong of another ping in place of the one that is missing."""
        self.autoPingPending = None
        self._sendAutoPing()

    def release_handshake_state(self) -> None:
        """Keep only what differs from the class, in a new dictionary: a dict never shrinks when keys are removed."""
        kind = type(self)
        state = vars(self)
        for name in self._HANDSHAKE_STATE:
            state.pop(name, None)
        self.__dict__ = {name: value for name, value in state.items() if value is not getattr(kind, name, self)}

    # Autobahn's methods, replaced: these leave something out.

    def connectionMade(self) -> None:
        """The opening request was received. Autobahn's makes an object of details and a dozen debug lines."""
        self._connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Bytes were received. Autobahn's formats a debug line first."""
        if self.state in (self.STATE_CLOSING, self.STATE_CLOSED):
            self._closing_bytes += len(data)
            if self._closing_bytes > MAX_CLOSING_BYTES:
                self._stop_reading()
            if self.state == self.STATE_CLOSED:
                return  # Autobahn would collect what comes until TCP or TLS has closed, too
        self._dataReceived(data)

    def _stop_reading(self) -> None:
        """Too much came after our close frame. Both kinds of close have a deadline by which they abort.

        Should something resume the reading, the next read ends it again.
        """
        self.data = b""
        self.transport.pauseProducing()

    def _onOpen(self) -> None:
        # Autobahn's asks a TLS connection for its channel id and certificate.
        self.onOpen()

    def onMessageEnd(self) -> None:
        """A message is complete. Autobahn's also fires an event, without listeners here: a Deferred per message."""
        payload = b"".join(self.message_data)
        self.message_data = None
        if not self.failedByMe:
            self.onMessage(payload, self.message_is_binary)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """Answer a request that is no handshake. The reasons of Autobahn's repeat what the client sent."""
        self.sendData(last_answer(code))

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes. Autobahn's writes to the transport; the relay asks for neither *sync* nor *chopsize*."""
        self.write(data)

    def onAutoPingTimeout(self) -> None:
        """Autobahn's drops the connection, without a close frame."""
        self.autoPingTimeoutCall = None
        self.pong_missing()

    # Autobahn's methods, extended by a hook.

    def processData(self) -> bool:
        """Read the next frame, if its bytes are all there; returns whether to call again for another."""
        if self.state != self.STATE_OPEN:
            # No hook paces these: only the answer to the close frame is waited for, behind what was on its way.
            self._closing_steps += 1
            if self._closing_steps > MAX_CLOSING_STEPS:
                self._stop_reading()
                return False
            return bool(super().processData())
        if not self.may_read_frame():
            return False
        more = bool(super().processData())
        if more:
            self.frame_read(0 if self.message_data is None else len(self.message_data))
        return more

    def onFrameEnd(self) -> bool | None:
        """A frame is complete. Its masker (some 250 bytes) is of no further use: the next frame has its own."""
        result: bool | None = super().onFrameEnd()
        self.current_frame_masker = None
        return result

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Every close frame passes here, the replies too."""
        self.before_close_frame()
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.after_close_frame()

    def dropConnection(self, abort: bool = False) -> None:
        """Close the TCP connection, at the end of the closing handshake or after its timeout."""
        super().dropConnection(abort)
        self.dropping(abort)
