"""WebSocket framing, on the same port as TCP: each binary message is one ProtoMessage without a length; on the JSON
port each text message is one object.
"""

from collections.abc import Sequence
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from tickrelay.openapi.frames import MAX_FRAME_BYTES
from tickrelay.simulator.framing.json_codec import Malformed, frame_of, text_of
from tickrelay.simulator.framing.protocol import OpenSession
from tickrelay.simulator.session import Session


@implementer(IPushProducer)
class WebSocketLine(WebSocketServerProtocol):
    """One client over WebSocket. Autobahn 26.10 sets ``log`` and ``factory.server`` itself: neither is used here."""

    open_session: OpenSession
    _session: Session | None = None

    @property
    def _wire(self) -> Any:
        return self.transport

    def onOpen(self) -> None:
        """Open the session, once the handshake is over."""
        self._session = self.open_session(self)
        self._wire.registerProducer(self, True)
        self._session.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Pass a message to the session, as a frame."""
        if self._session is None:
            return
        if not self.factory.json:
            self._session.received(payload)
            return
        try:
            self._session.received(frame_of(payload.decode("utf-8", "replace")))
        except Malformed as e:
            self._session.refuse_malformed(str(e))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """End the session."""
        if self._session is not None:
            self._session.closed()

    # Line

    def send(self, batch: Sequence[bytes]) -> None:
        """Send frames, each as a message."""
        for frame in batch:
            if self.factory.json:
                self.sendMessage(text_of(frame).encode(), False)
            else:
                self.sendMessage(frame, True)

    def write_raw(self, data: bytes) -> None:
        """Bytes that are no WebSocket frame either."""
        self._wire.write(data)

    def close(self) -> None:
        """Close with 1000 and the reason "Bye" (seen on the live server)."""
        self._wire.unregisterProducer()
        self.sendClose(1000, "Bye")

    def abort(self) -> None:
        """Reset the connection."""
        self._wire.abortConnection()

    # IPushProducer

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if self._session is not None:
            self._session.pause()

    def resumeProducing(self) -> None:
        """The transport takes data again."""
        if self._session is not None:
            self._session.resume()

    def stopProducing(self) -> None:
        """The transport is going; onClose follows."""


class WebSocketLines(WebSocketServerFactory):
    """Makes the WebSocket side of connections that turn out to be one."""

    protocol = WebSocketLine
    noisy = False

    def __init__(self, json: bool) -> None:
        super().__init__(server="")
        self.json = json
        self.setProtocolOptions(
            webStatus=False,
            maxFramePayloadSize=MAX_FRAME_BYTES,
            maxMessagePayloadSize=MAX_FRAME_BYTES,
            failByDrop=False,
            openHandshakeTimeout=5,
            closeHandshakeTimeout=2,
            allowNullOrigin=True,
        )

    def build(self, open_session: OpenSession) -> WebSocketLine:
        """A protocol for one client."""
        protocol = self.protocol()
        protocol.factory = self
        protocol.open_session = open_session
        return protocol
