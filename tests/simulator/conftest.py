"""A simulated broker on a clock, and a client that talks to it without a socket."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tickrelay.openapi import frames, registry
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent, ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
)
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.settings import Rules, SimulatorSettings

START_S = 1_763_900_000.0
"""A Sunday evening of November 2025."""

M = TypeVar("M", bound=Message)


class Wire(StringTransport):
    """A transport that says how the connection ended."""

    ended = ""

    def loseConnection(self) -> None:
        """Closed in order."""
        self.ended = self.ended or "closed"
        super().loseConnection()

    def abortConnection(self) -> None:
        """Reset."""
        self.ended = self.ended or "reset"
        super().abortConnection()


@dataclass
class Peer:
    """A client of the simulator; what it was sent is in `take`."""

    protocol: Any
    wire: Wire
    envelopes: list[ProtoMessage] = field(default_factory=list)

    def send(self, message: Message, msg_id: str = "") -> None:
        """Send a request, length prefix and all."""
        frame = frames.encode(message, msg_id)
        self.protocol.dataReceived(len(frame).to_bytes(4, "big") + frame)

    def take(self) -> list[ProtoMessage]:
        """The envelopes that came since the last call."""
        data = self.wire.value()
        self.wire.clear()
        found = []
        while data:
            size = int.from_bytes(data[:4], "big")
            found.append(ProtoMessage.FromString(data[4 : 4 + size]))
            data = data[4 + size :]
        return found

    def messages(self, kind: type[M] | None = None) -> list[M]:
        """The messages that came since the last call, of one kind or all."""
        opened = [frames.open_payload(envelope) for envelope in self.take()]
        return [m for m in opened if kind is None or isinstance(m, kind)]  # type: ignore[misc]

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
        self.ask(ProtoOAApplicationAuthReq(clientId="sim", clientSecret="sim-secret"))
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


@pytest.fixture
def make_broker(clock: Clock) -> Callable[..., Broker]:
    """Makes a broker; keywords are rules, or settings in ``settings``."""

    def make(settings: dict[str, Any] | None = None, **rules: Any) -> Broker:
        rules.setdefault("unknown_field_every", 0)
        broker = SimulatedBroker(
            SimulatorSettings(rules=Rules(**rules), **(settings or {})), lambda: START_S + clock.seconds()
        )
        return Broker(clock, broker, SimulatorFactory(broker, clock))

    return make


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A broker with the usual rules."""
    return make_broker()


@pytest.fixture
def peer(broker: Broker) -> Peer:
    """A client that has just connected."""
    return broker.connect()


@pytest.fixture
def trader(peer: Peer) -> Peer:
    """A client whose account 1001 is open."""
    peer.log_in()
    return peer
