"""What the adapter assumes about Autobahn's internals, compared with the installed version."""

import hashlib
import inspect
from collections import deque
from typing import Any

import pytest

import txaio
from autobahn import __version__ as VERSION
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel

from tests.support.browser import KEY, Transport, frame
from tickrelay.downstream.autobahn_adapter import QuietLogger, WebSocketConnection
from tickrelay.downstream.connection import ClientProtocol

ADAPTER = "tickrelay/downstream/autobahn_adapter.py"

OPTIONS = set(
    """allowNullOrigin allowedOrigins allowedOriginsPatterns applyMask autoFragmentSize autoPingInterval
    autoPingRestartOnAnyTraffic autoPingSize autoPingTimeout closeHandshakeTimeout echoCloseCodeReason
    failByDrop flashSocketPolicy logFrames logOctets maskServerFrames maxConnections maxFramePayloadSize
    maxMessagePayloadSize openHandshakeTimeout perMessageCompressionAccept requireMaskedClientFrames
    serveFlashSocketPolicy tcpNoDelay trackTimings trustXForwardedFor utf8validateIncoming versions
    webStatus""".split()
)
"""``CONFIG_ATTRS``: what `with_options` puts on the class."""

ATTRIBUTES = set(
    """_isMessageCompressed _perMessageCompress _results _transport_details _valid_events _wskey autoPingPending
    autoPingPendingCall autoPingPendingSent autoPingPendingSeq autoPingTimeoutCall closeHandshakeTimeoutCall
    closedByMe connected current_frame current_frame_masker data droppedByMe factory failedByMe frame_data
    frame_length http_headers http_request_data http_request_host http_request_params http_request_path
    http_request_uri http_response_data http_status_line inside_message is_closed is_open localCloseCode
    localCloseReason message_data message_data_total_length message_is_binary openHandshakeTimeoutCall peer
    remoteCloseCode remoteCloseReason send_queue send_state state trackedTimings trafficStats transport
    triggered utf8validateIncomingCurrentMessage utf8validateLast utf8validator wasClean
    wasCloseHandshakeTimeout wasMaxFramePayloadSizeExceeded wasMaxMessagePayloadSizeExceeded
    wasNotCleanReason wasOpenHandshakeTimeout wasServerConnectionDropTimeout wasServingFlashSocketPolicyFile
    websocket_extensions websocket_extensions_in_use websocket_origin websocket_protocol_in_use
    websocket_protocols websocket_version""".split()
)
"""What a connection of Autobahn's own class carries besides, in the middle of its first message."""

STATES = {"CLOSED": 0, "CONNECTING": 1, "CLOSING": 2, "OPEN": 3, "PROXY_CONNECTING": 4}

PARAMETERS: dict[str, tuple[str, ...]] = {
    "_connectionMade": (),
    "_dataReceived": ("data",),
    "sendHttpErrorResponse": ("code", "reason", "responseHeaders"),
    "processData": (),
    "consumeData": (),
    "sendCloseFrame": ("code", "reasonUtf8", "isReply"),
    "dropConnection": ("abort",),
    "_sendAutoPing": (),
    "sendData": ("data", "sync", "chopsize"),
    "onAutoPingTimeout": (),
    "onMessageEnd": (),
    "onFrameEnd": (),
    "connectionMade": (),
    "dataReceived": ("data",),
    "connectionLost": ("reason",),
    "failHandshake": ("reason", "code", "responseHeaders"),
    "succeedHandshake": ("res",),
    "_parseExtensionsHeader": ("header", "removeQuotes"),
    "onOpen": (),
    "_onOpen": (),
    "onMessage": ("payload", "isBinary"),
}
"""Of the methods that are called, extended or replaced."""

SOURCES = {
    "__init__": "29655ac3c50223a3",
    "connectionMade": "63ceb64088e44552",
    "dataReceived": "7997f762de218433",
    "_onOpen": "6cfc286602a22405",
    "processHandshake": "0055f4d349937673",
    "onMessageEnd": "efff2a43ca8540d0",
    "sendData": "5dcca425b048b07e",
    "onAutoPingTimeout": "5de3ae0af03e5bd3",
}
"""SHA-256, its first 16 digits, of the source of each method that is replaced."""


def connected(factory: WebSocketServerFactory) -> Any:
    """A connection of a factory of Autobahn's own."""
    factory.doStart()
    protocol = factory.buildProtocol(None)
    transport = Transport(peerAddress=IPv4Address("TCP", "10.0.0.1", 1234))
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return protocol


@pytest.fixture
def stock(clock: Clock) -> Any:
    """An open connection of Autobahn's own class."""
    txaio.config.loop = clock
    factory = WebSocketServerFactory(server="")
    factory.protocol = WebSocketServerProtocol
    protocol = connected(factory)
    head = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    protocol.dataReceived(head + b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n")
    return protocol


def moved(what: str, assumed: set[str], found: set[str]) -> str:
    """A sentence on the difference; empty: none."""
    parts = [f"{name} is new" for name in sorted(found - assumed)]
    parts += [f"{name} is gone" for name in sorted(assumed - found)]
    return f"Autobahn {VERSION}, {what}: {', '.join(parts)}: adapt {ADAPTER}" if parts else ""


def test_the_sentence_names_what_moved() -> None:
    """Who reads a failure of this file learns where to look."""
    said = moved("options", {"a", "b"}, {"b", "c"})
    assert said == f"Autobahn {VERSION}, options: c is new, a is gone: adapt tickrelay/downstream/autobahn_adapter.py"
    assert moved("options", {"a"}, {"a"}) == ""


def test_the_options_are_those_assumed() -> None:
    """Each is copied onto the class, and none onto a connection."""
    assert not (said := moved("options", OPTIONS, set(WebSocketServerProtocol.CONFIG_ATTRS))), said


def test_a_connection_has_the_attributes_assumed(stock: Any) -> None:
    """One that is new would be missing on ours, since Autobahn's ``__init__`` and ``connectionMade`` are replaced."""
    stock.dataReceived(frame(b"a", fin=False))
    assert not (said := moved("attributes", ATTRIBUTES | OPTIONS, set(vars(stock)))), said


def test_what_stands_on_the_class_is_what_autobahn_sets(stock: Any) -> None:
    """The defaults of our class are the values of an open connection; an empty tuple stands for any empty sequence."""
    own = {"is_open", "is_closed", "trafficStats", "transport", "message_data", "factory"}
    different = []
    for name in set(vars(WebSocketConnection)) & set(vars(stock)) - own:
        ours, theirs = getattr(WebSocketConnection, name), getattr(stock, name)
        if ours != (tuple(theirs) if isinstance(theirs, list | deque) else theirs):
            different.append(f"{name} is {theirs!r}, not {ours!r}")
    assert not different, f"Autobahn {VERSION}, values of an open connection: {'; '.join(different)}"


def test_the_states_are_those_assumed() -> None:
    """`is_established` compares with one of them."""
    found = {name.removeprefix("STATE_"): value for name, value in inspect.getmembers(WebSocketServerProtocol)
             if name.startswith("STATE_")}  # fmt: skip
    assert found == STATES, f"Autobahn {VERSION}: the states moved"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_method_has_the_parameters_assumed(name: str) -> None:
    """Of the methods that are called, extended or replaced."""
    method = getattr(WebSocketServerProtocol, name, None)
    assert method is not None, f"Autobahn {VERSION}: {name} is gone"
    found = tuple(inspect.signature(method).parameters)[1:]
    assert found == PARAMETERS[name], f"Autobahn {VERSION}: {name} takes {found}, not {PARAMETERS[name]}"


@pytest.mark.parametrize("name", SOURCES)
def test_a_replaced_method_does_what_it_did(name: str) -> None:
    """Ours leaves something out of it on purpose; what it has gained since is left out by accident."""
    source = inspect.getsource(getattr(WebSocketServerProtocol, name))
    found = hashlib.sha256(source.encode()).hexdigest()[:16]
    assert found == SOURCES[name], (
        f"Autobahn {VERSION}: {name} was rewritten ({found}): compare it with ours in {ADAPTER}"
    )


def test_our_names_are_not_autobahns(stock: Any) -> None:
    """A hook or attribute of ours that Autobahn also uses would be called or overwritten by it."""
    overridden = {*PARAMETERS, *SOURCES, *ATTRIBUTES, *OPTIONS, "CONFIG_ATTRS", "log"}
    producer = {"pauseProducing", "resumeProducing", "stopProducing"}
    ours = {name for cls in (WebSocketConnection, ClientProtocol) for name in vars(cls) if not name.startswith("__")}
    clashes = {name for name in ours - overridden - producer if hasattr(stock, name)}
    assert not clashes, f"Autobahn {VERSION} has names of ours: {', '.join(sorted(clashes))}"


def test_the_logger_has_the_methods_that_autobahn_calls(stock: Any) -> None:
    """A txaio logger has a method a level; one that is missing would end a connection with AttributeError."""
    for level in txaio.log_levels if hasattr(txaio, "log_levels") else ("critical", "error", "warn", "info", "debug"):
        if level != "none":
            assert callable(getattr(QuietLogger, level, None)), f"Autobahn {VERSION}: log.{level}"


def test_a_failed_tls_handshake_is_no_error_of_the_relays(logged: list[LogEvent]) -> None:
    """Autobahn logs it as one; anybody with a port scanner can cause it."""
    QuietLogger().error("SSL error: http request (in )")
    QuietLogger().error("onConnect raised")
    assert [event["log_level"] for event in logged] == [LogLevel.debug, LogLevel.error]
