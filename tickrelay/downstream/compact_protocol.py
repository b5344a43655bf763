"""Autobahn's server protocol without what it makes for every connection and nobody here reads.

As shipped a connection carries 89 attributes in 8 KiB (the factory's options copied and pretty-printed for a debug
line, two Deferreds, event lists, statistics, the opening request), and taking it costs 250 µs. Here the options are
class attributes, what never changes stands once on the class, and the rest is let go once the connection is open.
"""

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats

from tickrelay.downstream.quiet import QUIET


class _Nobody:
    """Stands for the Deferreds of a connection's opening and closing, which nobody waits for."""

    def callback(self, result: object) -> None:
        """Nobody listens."""


_NOBODY = _Nobody()


class CompactServerProtocol(WebSocketServerProtocol):
    """Base of `ClientProtocol`; `with_options` makes the class that a factory serves."""

    # Autobahn owns the name `log`: at debug it formats every frame (3 µs each, shown or not) and prints tokens.
    log = QUIET
    transport: Any

    # What Autobahn sets on each connection and only a few ever change.
    is_open = is_closed = _NOBODY
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

    _OPENING = (
        "http_headers",
        "http_request_data",
        "http_request_host",
        "http_request_params",
        "http_request_path",
        "http_request_uri",
        "http_response_data",
        "http_status_line",
        "send_queue",
        "trafficStats",
        "websocket_extensions",
        "websocket_extensions_in_use",
        "websocket_origin",
        "websocket_protocols",
        "websocket_version",
        "_wskey",
    )
    """What belongs to the opening handshake, or stands on the class."""

    def __init__(self) -> None:
        """Autobahn's makes the Deferreds and event lists."""

    @classmethod
    def with_options(cls, options: object) -> type["CompactServerProtocol"]:
        """This class with the *options* of a factory as class attributes, and none left to be copied."""
        values = {name: getattr(options, name) for name in cls.CONFIG_ATTRS}
        # A function on a class would become a method.
        values = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
        return type(cls.__name__, (cls,), {**values, "CONFIG_ATTRS": ()})

    def connectionMade(self) -> None:
        """A TCP connection was accepted. Autobahn would make an object of details and a dozen debug lines."""
        self.peer = getattr(self.transport.getPeer(), "host", "local")
        self._connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Autobahn would format a debug line first."""
        self._dataReceived(data)

    def _onOpen(self) -> None:
        # Autobahn would ask a TLS connection for its channel id and certificate.
        self.onOpen()

    def onMessageEnd(self) -> None:
        """Autobahn would also fire an event at listeners, of which there are none: a Deferred a message."""
        payload = b"".join(self.message_data)
        self.message_data = None
        if not self.failedByMe:
            self.onMessage(payload, self.message_is_binary)

    def let_go(self) -> None:
        """The connection is open: keep only what differs from the class, in a dictionary of the right size."""
        kind = type(self)
        state = vars(self)
        for name in self._OPENING:
            state.pop(name, None)
        self.__dict__ = {name: value for name, value in state.items() if value is not getattr(kind, name, self)}
