"""The process behind `tests.support.hostile_broker`: the server that follows the script in its folder."""

import pickle
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.hostile_broker import (
    ACCOUNT_ID,
    Answer,
    Await,
    Drop,
    Quote,
    Script,
    Send,
    Step,
    Wait,
    benign,
    frame,
    quote,
)
from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOAUnsubscribeSpotsReq,
)
from tickrelay.simulator.certificates import make_certificate

HEARTBEAT_S = 10.0
BEAT_S = 0.01
MAX_CHUNK_BYTES = 65_536


def serve(folder: Path) -> None:
    """Listen on a free port until killed."""
    from twisted.internet import reactor

    script: Script = pickle.loads((folder / "script.pickle").read_bytes())
    certificate = make_certificate(["localhost", "127.0.0.1"], time.time())
    (folder / "ca.pem").write_bytes(certificate.authority_pem)
    server = Server(script, folder, reactor)
    port = reactor.listenSSL(0, server, certificate.options, interface="127.0.0.1")  # type: ignore[attr-defined]
    say(f"hostile broker on {port.getHost().port}")
    reactor.run()  # type: ignore[attr-defined]


def say(line: str) -> None:
    """Print a line for the test to wait for."""
    print(f"{time.monotonic():.3f} {line}", flush=True)


class Server(Factory):
    """The factory, and the one script of all connections."""

    noisy = False

    def __init__(self, script: Script, folder: Path, reactor: Any) -> None:
        self.script = script
        self.reactor = reactor
        self.answers = dict(script.answers)
        self.spots_per_s = script.spots_per_s
        self._folder = folder
        self._client: Client | None = None
        """Whom the script is for; None: nobody is as far, or the script is done."""
        self._steps = iter(script.steps)
        self._step: Step | None = None
        self._sending: Iterator[bytes] = iter(())
        self._sent = 0
        self._began_s = 0.0
        self._away_until_s = 0.0

    def buildProtocol(self, addr: object) -> "Client | None":
        """Accept, but not while away."""
        return Client(self) if time.monotonic() >= self._away_until_s else None

    def begin(self, client: "Client") -> None:
        """The client is as far as the script wants it."""
        if client.begun:
            return
        client.begun = True
        self._client = client
        if self.script.every_connection:
            self._steps, self._step = iter(self.script.steps), None
        say("script runs")
        self.go_on(client)

    def gone(self, client: "Client") -> None:
        """Its connection has ended."""
        if client is self._client:
            self._client = None

    def go_on(self, client: "Client") -> None:
        """Make steps until one takes time."""
        while client is self._client and not client.full:
            if self._step is None:
                self._step = next(self._steps, None)
                if self._step is None:
                    self._client = None
                    say("script done")
                    return
                say(f"step {type(self._step).__name__}")
                self._start(self._step)
            again_s = self._make(self._step, client)
            if again_s is not None:
                client.later(again_s, lambda: self.go_on(client))
                return
            self._step = None

    def _start(self, step: Step) -> None:
        self._began_s, self._sent = time.monotonic(), 0
        if isinstance(step, Send):
            self._sending = step.messages()
        elif isinstance(step, Answer):
            self.answers[step.request] = step.message
        elif isinstance(step, Quote):
            self.spots_per_s = step.spots_per_s
        elif isinstance(step, Drop):
            self._away_until_s = self._began_s + step.away_s

    def _make(self, step: Step, client: "Client") -> float | None:
        """Go on with a step; None when it is done, else how soon to ask again."""
        if isinstance(step, Send):
            done = self._send_some(step, client)
            return None if done else BEAT_S if step.rate else 0.0
        if isinstance(step, Drop):
            self._client = None
            client.end()
            return None
        if isinstance(step, Wait):
            done = time.monotonic() - self._began_s >= step.seconds
        elif isinstance(step, Await):
            done = (self._folder / f"released-{step.name}").exists()
        else:
            done = True
        return None if done else BEAT_S

    def _send_some(self, step: Send, client: "Client") -> bool:
        """Send what is due, a chunk at most; True when all is sent."""
        due = step.repeat
        if step.rate:
            due = min(due, int((time.monotonic() - self._began_s) * step.rate) + 1)
        chunk: list[bytes] = []
        size = 0
        while self._sent < due and size < MAX_CHUNK_BYTES:
            chunk.append(next(self._sending))
            size += len(chunk[-1])
            self._sent += 1
        if chunk:
            client.write(b"".join(chunk))
        return self._sent >= step.repeat


@implementer(IHandshakeListener)
class Client(frames.FrameReceiver):
    """One connection, answered as cTrader would, but for the script's answers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.begun = False
        self.full = False
        """The relay does not read as fast as the script sends."""
        self._spots: dict[int, int] = {}
        """How many spots each subscribed symbol had."""
        self._due_spots = 0.0
        self._quoted_s = time.monotonic()
        self._calls: list[Any] = []

    # The transport.

    def connectionMade(self) -> None:
        """TCP is up."""
        self._transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """TLS is complete."""
        say("client in")
        self.later(HEARTBEAT_S, self._beat)
        self.later(BEAT_S, self._quote)
        if self._server.script.begin == "secured":
            self._server.begin(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The relay, or a step, has ended it."""
        say(f"client gone: {reason.getErrorMessage()}")
        self._server.gone(self)
        self.drop_input()
        for call in self._calls:
            if call.active():
                call.cancel()

    def pauseProducing(self) -> None:
        """The relay does not read."""
        self.full = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self.full = False
        self.later(0, lambda: self._server.go_on(self))

    def stopProducing(self) -> None:
        """connectionLost follows."""
        self.full = True

    @property
    def _transport(self) -> Any:
        return self.transport

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def end(self) -> None:
        """Reset the connection."""
        self._transport.abortConnection()

    def later(self, delay_s: float, call: Any) -> None:
        """Call, if the connection is still there then."""
        self._calls = [pending for pending in self._calls if pending.active()]
        self._calls.append(self._server.reactor.callLater(delay_s, call))

    # The server.

    def _beat(self) -> None:
        self.write(frame(ProtoHeartbeatEvent()))
        self.later(HEARTBEAT_S, self._beat)

    def _quote(self) -> None:
        self.later(BEAT_S, self._quote)
        now_s = time.monotonic()
        self._due_spots += (now_s - self._quoted_s) * self._server.spots_per_s
        self._quoted_s = now_s
        while self._due_spots >= 1:
            self._due_spots -= 1
            for symbol_id in self._spots:
                self._spot(symbol_id)

    def _spot(self, symbol_id: int) -> None:
        number = self._spots[symbol_id] = self._spots[symbol_id] + 1
        bid, ask = quote(symbol_id, number)
        now_ms = int(time.time() * 1000)
        self.write(
            frame(
                ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=symbol_id, bid=bid, ask=ask, timestamp=now_ms)
            )
        )

    def stringReceived(self, string: bytes) -> None:
        """Answer a request."""
        envelope = frames.open_envelope(string)
        request = frames.open_payload(envelope)
        row = registry.find(envelope.payloadType)
        if row is None or row.answer is None or request is None:
            return
        answers = self._server.answers
        answer = answers[row.name] if row.name in answers else benign(request, row.answer.message)
        if answer is not None:
            self.write(frame(answer, envelope.clientMsgId))
        begin = self._server.script.begin
        if isinstance(request, ProtoOASubscribeSpotsReq):
            for symbol_id in request.symbolId:
                self._spots.setdefault(symbol_id, 0)
                self._spot(symbol_id)
            if begin == "subscribed":
                self._server.begin(self)
        elif isinstance(request, ProtoOAUnsubscribeSpotsReq):
            for symbol_id in request.symbolId:
                self._spots.pop(symbol_id, None)
        elif isinstance(request, ProtoOAAccountAuthReq) and begin == "authorised":
            self._server.begin(self)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
