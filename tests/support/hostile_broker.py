"""A cTrader server that logs a client in, quotes, and then does to it whatever a script says; in a process of its own.

::

    script = Script(steps=[Await("attack"), Send(frame(ProtoOAErrorRes(errorCode="X")), repeat=20_000, rate=2_000)])
    with HostileBroker(folder, script) as broker:       # writes its authority to ca.pem in *folder*
        with relay(wheel_python, folder, broker.port, ws_port) as service:
            service.wait_for("status connected")
            broker.release("attack")
            broker.wait_for("script done")

It answers every request of the logon with a benign default, or with what `Script.answers` has for it; each symbol that
is subscribed ticks `Script.spots_per_s` times a second with prices that `quote` tells. The steps run one after the
other, the first when a client has subscribed to spots (or is logged in: `Script.begin`), and go on across connections.
"""

import pickle
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from google.protobuf.message import Message

from tests.support.processes import PATIENCE_S, Process
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import (
    ProtoOAApplicationAuthReq,
    ProtoOASymbolByIdRes,
    ProtoOASymbolsListRes,
)
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol, ProtoOASymbol

ACCOUNT_ID = 1001
"""The account that `tests.support.processes.relay` is set up for."""

NAMES = ("EURUSD", "GBPUSD", "USDJPY")
"""The default symbols; their ids count from 1."""

ALL_WEEK = ((0, 604_800),)

_length = struct.Struct("!I")


def frame(message: Message, msg_id: str = "") -> bytes:
    """*message* as it goes over the wire, length prefix and all. Raw bytes, such as ``bytes(4)`` (an empty frame), go
    as they are.
    """
    encoded = frames.encode(message, msg_id)
    return _length.pack(len(encoded)) + encoded


def quote(symbol_id: int, number: int) -> tuple[int, int]:
    """Bid and ask (1/100000) of the *number*-th spot (from 1) of a symbol: what an innocent client must be shown."""
    bid = 100_000 * (1 + symbol_id % 100) + number % 1000 * 10
    return bid, bid + 20


def light_symbols(names: Sequence[str] = NAMES) -> ProtoOASymbolsListRes:
    """The benign symbol list, to be made hostile."""
    return ProtoOASymbolsListRes(
        ctidTraderAccountId=ACCOUNT_ID,
        symbol=[ProtoOALightSymbol(symbolId=n, symbolName=name, enabled=True) for n, name in enumerate(names, 1)],
    )


def full_symbols(names: Sequence[str] = NAMES, digits: int = 5) -> ProtoOASymbolByIdRes:
    """The benign answer with every symbol's digits and hours (open all week), to be made hostile."""
    answer = ProtoOASymbolByIdRes(ctidTraderAccountId=ACCOUNT_ID)
    for n, _ in enumerate(names, 1):
        symbol = ProtoOASymbol(symbolId=n, digits=digits, pipPosition=4, scheduleTimeZone="UTC")
        for start, end in ALL_WEEK:
            symbol.schedule.add(startSecond=start, endSecond=end)
        answer.symbol.append(symbol)
    return answer


def benign(request: Message, answer: type[Message]) -> Message:
    """What an honest server would answer."""
    if answer is ProtoOASymbolsListRes:
        return light_symbols()
    if answer is ProtoOASymbolByIdRes:
        return full_symbols()
    if isinstance(request, ProtoOAApplicationAuthReq):
        return answer()
    fields = {field.name for field in answer.DESCRIPTOR.fields}
    made = answer(**({"ctidTraderAccountId": ACCOUNT_ID} if "ctidTraderAccountId" in fields else {}))
    if "version" in fields:
        made.version = "1"  # type: ignore[attr-defined]
    if "accessToken" in fields:
        made.accessToken = request.accessToken  # type: ignore[attr-defined]
    return made


# Steps.


@dataclass(frozen=True)
class Send:
    """Send *data* (from `frame`, or any bytes) *repeat* times, *rate* times a second; 0: as fast as it is read.

    With *numbered*, eight bytes of *data* that are ``NUMBERED`` become the number of the message, so that no two are
    the same.
    """

    NUMBERED: ClassVar[str] = "#NUMBER#"

    data: bytes
    repeat: int = 1
    rate: float = 0.0
    numbered: bool = False

    def messages(self) -> Iterator[bytes]:
        """Each message."""
        for number in range(self.repeat):
            yield self.data.replace(self.NUMBERED.encode(), b"%08d" % number) if self.numbered else self.data


@dataclass(frozen=True)
class Wait:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Await:
    """Wait until the test calls `HostileBroker.release` with this name."""

    name: str


@dataclass(frozen=True)
class Answer:
    """From now on requests of this name are answered so; with None not at all."""

    request: str
    message: Message | None


@dataclass(frozen=True)
class Quote:
    """From now on subscribed symbols tick so often a second; 0: not at all."""

    spots_per_s: float


@dataclass(frozen=True)
class Drop:
    """End the connection, refuse others for *away_s*; the next step follows when a client is as far as at `begin`."""

    away_s: float = 0.0


Step = Send | Wait | Await | Answer | Quote | Drop


@dataclass
class Script:
    """What the server does. *answers*: the request's name, ``ProtoOASymbolsListReq``, -> its answer (None: none)."""

    steps: Sequence[Step] = ()
    answers: Mapping[str, Message | None] = field(default_factory=dict)
    spots_per_s: float = 10.0
    begin: str = "subscribed"
    """When the first step runs: ``subscribed``, ``authorised`` (the account) or ``secured`` (TLS)."""
    every_connection: bool = False
    """Begin from the first step with each connection."""


class HostileBroker(Process):
    """The server as a process; runs from the checkout, in the environment of the tests."""

    def __init__(self, folder: Path, script: Script) -> None:
        self._folder = folder
        (folder / "script.pickle").write_bytes(pickle.dumps(script))
        checkout = Path(__file__).parent.parent.parent
        super().__init__(
            "hostile-broker",
            [sys.executable, "-m", "tests.support.hostile_server", str(folder)],
            folder,
            env={"PYTHONPATH": str(checkout), "PYTHONUNBUFFERED": "1"},
        )

    @property
    def port(self) -> int:
        """Where it listens, on localhost; waits until it does."""
        return int(self.wait_for(r"hostile broker on (\d+)").group(1))

    def release(self, name: str) -> None:
        """Let the step ``Await(name)`` pass."""
        (self._folder / f"released-{name}").touch()

    def done(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the last step has been made."""
        self.wait_for("script done", timeout_s)
