"""A simulated broker on a clock, and a client that is connected to it without a socket."""

from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from google.protobuf.message import Message

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.support.frames import length_prefixed, take_length_prefixed
from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolsListReq,
)
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory

START_S = 1_763_900_000.0
"""A Sunday evening of November 2025."""

APPLICATION = ProtoOAApplicationAuthReq(clientId="sim", clientSecret="sim-secret")
ACCOUNT = ProtoOAAccountAuthReq(ctidTraderAccountId=1001, accessToken="sim-token")
SYMBOLS = ProtoOASymbolsListReq(ctidTraderAccountId=1001)

M = TypeVar("M", bound=Message)


class Wire(StringTransport):
    """A transport that records how the connection ended."""

    _ended = ""

    def ended(self) -> str:
        """How the server ended the connection: "closed" (in order) or "reset"; "" while it is open."""
        return self._ended

    def loseConnection(self) -> None:
        """Closed in order."""
        self._ended = self._ended or "closed"
        super().loseConnection()

    def abortConnection(self) -> None:
        """Reset."""
        self._ended = self._ended or "reset"
        super().abortConnection()


@dataclass
class Peer:
    """A client of the simulator; `take` returns what was sent to it."""

    protocol: Any
    wire: Wire
    envelopes: list[ProtoMessage] = field(default_factory=list)

    def send(self, message: Message, msg_id: str = "") -> None:
        """Send a request, length prefix and all."""
        frame = frames.encode(message, msg_id)
        self.protocol.dataReceived(length_prefixed(frame))

    def take(self) -> list[ProtoMessage]:
        """The envelopes that came since the last call."""
        data = bytearray(self.wire.value())
        self.wire.clear()
        found = [ProtoMessage.FromString(frame) for frame in take_length_prefixed(data)]
        assert not data, "a cut frame"
        return found

    @overload
    def messages(self) -> list[Any]: ...

    @overload
    def messages(self, kind: type[M]) -> list[M]: ...

    def messages(self, kind: type[M] | None = None) -> list[Any]:
        """The messages that came since the last call, of one kind or all."""
        opened = [frames.open_payload(envelope) for envelope in self.take()]
        return [message for message in opened if kind is None or isinstance(message, kind)]

    def ask(self, message: Message) -> Any:
        """Send a request and return its answer; it must come at once. Events that came with it are dropped."""
        self.take()
        self.send(message, "m")
        for envelope in self.take():
            if envelope.clientMsgId == "m":
                return frames.open_payload(envelope)
        raise AssertionError(f"no answer to {registry.lookup(message).name}")

    def log_in(self, account_id: int = 1001, token: str = "sim-token") -> None:
        """Application and account auth."""
        self.ask(APPLICATION)
        self.ask(ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=token))

    def subscribe(self, *symbol_ids: int, account_id: int = 1001, timestamps: bool = True) -> Any:
        """Subscribe spots."""
        return self.ask(
            ProtoOASubscribeSpotsReq(
                ctidTraderAccountId=account_id, symbolId=symbol_ids, subscribeToSpotTimestamp=timestamps
            )
        )

    def spots(self) -> list[ProtoOASpotEvent]:
        """The spot events since the last call."""
        return self.messages(ProtoOASpotEvent)

    def heartbeat(self) -> None:
        """Show that the client lives."""
        self.send(ProtoHeartbeatEvent())


@dataclass
class Broker:
    """The server side: a broker on a clock."""

    clock: Clock
    broker: SimulatedBroker
    factory: SimulatorFactory

    def connect(self) -> Peer:
        """A new connection."""
        protocol = self.factory.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        return Peer(protocol, wire)

    def run(self, seconds: float, step_s: float = 0.05) -> None:
        """Let time pass in small steps."""
        self.clock.pump([step_s] * round(seconds / step_s))
