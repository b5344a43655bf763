"""The relay as a process, under a server that follows a hostile script."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.hostile_broker import (
    ACCOUNT_ID,
    Await,
    HostileBroker,
    Quote,
    Script,
    Send,
    Wait,
    frame,
    full_symbols,
    light_symbols,
    quote,
)
from tests.support.processes import Twistd, free_port, relay
from tickrelay.openapi.common_pb2 import ProtoHeartbeatEvent
from tickrelay.openapi.messages_pb2 import (
    ProtoOAErrorRes,
    ProtoOASpotEvent,
    ProtoOASymbolByIdRes,
    ProtoOASymbolChangedEvent,
    ProtoOASymbolsListRes,
)
from tickrelay.openapi.model_pb2 import ProtoOASymbol

MIB = 1024
V1: Any = ["tickrelay.v1.json"]


def memory_kib(process: Twistd, field: str = "VmRSS") -> int:
    """Memory of a process: ``VmRSS`` now, ``VmHWM`` at most so far."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field)))


def ask(client: ClientConnection, kind: str, answer: str, **fields: object) -> dict[str, Any]:
    """Send a request and wait for its answer, past ticks."""
    client.send(json.dumps({"type": kind, **fields}))
    return read_until(client, answer)


def read_until(client: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    deadline = time.monotonic() + 60
    while True:
        message: dict[str, Any] = json.loads(client.recv(timeout=max(0.01, deadline - time.monotonic())))
        if message["type"] == kind:
            return message


def ticks(client: ClientConnection, count: int) -> list[tuple[int, int]]:
    """The next ticks, in 1/100000."""
    found = (read_until(client, "tick") for _ in range(count))
    return [(round(tick["bid"] * 100_000), round(tick["ask"] * 100_000)) for tick in found]


def test_the_server_itself_serves(wheel_python: Path, tmp_path: Path) -> None:
    """Without a step that harms, a client of the relay gets the quotes that the test knows."""
    ws_port = free_port()
    with HostileBroker(tmp_path, Script([Await("go")])) as broker:
        with relay(wheel_python, tmp_path, broker.port, ws_port) as service:
            service.wait_for("status connected")
            with connect(f"ws://127.0.0.1:{ws_port}/") as client:
                client.send(json.dumps({"type": "subscribe", "symbols": ["EURUSD"]}))
                found = ticks(client, 3)
                broker.release("go")
                broker.done()
    known = [quote(1, number) for number in range(1, 1001)]
    first = known.index(found[0])
    assert found == known[first : first + 3]


def hostile_list() -> ProtoOASymbolsListRes:
    """The benign list, and what no list should have."""
    made = light_symbols()
    long = "d" * 100_000
    for symbol_id, name, description in (
        (0, "ZERO", ""), (-5, "NEGATIVE", ""), (2**62, "LARGE", ""), (10, "", ""), (11, "\x1b[2J\x07", ""),
        (12, "EURUSD", "a double"), (13, "BAD\nNAME\u202e", "\x1b[31m" + long), (14, "n" * 1_000_000, ""),
        (15, "SICK", "hours and digits are sick"),
    ):  # fmt: skip
        made.symbol.add(symbolId=symbol_id, symbolName=name, description=description, enabled=True)
    return made


def hostile_details() -> ProtoOASymbolByIdRes:
    """The benign details; and such as used to raise, once for each of a symbol's fields."""
    made = full_symbols()
    sick = ProtoOASymbol(symbolId=15, digits=-7, pipPosition=-9, scheduleTimeZone="../../etc/passwd")
    for start, end in ((0, 2**32 - 1), (2**32 - 1, 5)):
        sick.schedule.add(startSecond=start, endSecond=end)
    for number, day in enumerate((1_763_985_600_000, -(2**63), 2**63 - 1, 2_932_897)):
        for symbol in (sick, made.symbol[0]):
            symbol.holiday.add(
                holidayId=number, name="", scheduleTimeZone="Nowhere/Land", holidayDate=day, isRecurring=True,
                startSecond=-5, endSecond=2**31 - 1,
            )  # fmt: skip
    made.symbol.append(sick)
    for number in range(20):
        made.symbol.append(ProtoOASymbol(symbolId=1000 + number, digits=5, pipPosition=4))
    return made


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc for the memory of processes")
def test_hostile_symbols_texts_and_floods(wheel_python: Path, tmp_path: Path) -> None:
    """Clients stay and get right prices, memory is flat, and afterwards the watchdog still notices a silent feed."""
    error = ProtoOAErrorRes(errorCode="NEW", description=f"{Send.NUMBERED} \x1b[31m " + "x" * 400)
    huge = ProtoOAErrorRes(errorCode="NEW", description="x" * 5_000_000)
    changed = ProtoOASymbolChangedEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=[1, 2, 15, 99])
    strange = b"".join(
        frame(ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=1_000_000 + number, bid=2**63, ask=1))
        for number in range(500)
    )
    steps = [
        Await("attack"),
        Send(frame(error), repeat=6_000, rate=2_000, numbered=True),
        Send(frame(changed), repeat=15_000, rate=5_000),
        Send(strange, repeat=100, rate=100),
        Send(frame(huge), repeat=6, rate=1),
        Await("flood"),
        Send(bytes(4), repeat=400_000),
        Send(frame(ProtoHeartbeatEvent()), repeat=100_000),
        Wait(1),
        Await("silence"),
        Quote(0),
    ]
    answers = {"ProtoOASymbolsListReq": hostile_list(), "ProtoOASymbolByIdReq": hostile_details()}
    ws_port = free_port()
    with HostileBroker(tmp_path, Script(steps, answers)) as broker:
        settings = {"TICKRELAY_DATA_SILENCE": "5", "TICKRELAY_RETRY_MOST": "1"}
        with relay(wheel_python, tmp_path, broker.port, ws_port, **settings) as service:
            service.wait_for("status connected")
            with connect(f"ws://127.0.0.1:{ws_port}/", subprotocols=V1, max_size=2**24, ping_interval=None) as client:
                ask(client, "connect", "status", protocol=1, features=["gap", "marketState", "notice"])
                ask(client, "subscribe", "subscribeResponse", symbols=["EURUSD", "GBPUSD", "SICK"])
                ticks(client, 20)
                before = memory_kib(service)
                broker.release("attack")
                broker.wait_for("step Await", times=2)
                ticks(client, 20)
                attacked, most = memory_kib(service), memory_kib(service, "VmHWM")
                symbols = {item["symbol"]: item for item in ask(client, "getSymbols", "symbols")["symbols"]}
                explained = ask(client, "explain", "explanation", symbol="SICK")
                broker.release("flood")
                broker.wait_for("step Await", times=3)
                broker.release("silence")
                broker.done()
                # A symbol without a rhythm is missed soonest.
                ask(client, "subscribe", "subscribeResponse", symbols=["USDJPY"])
                service.wait_for("no ticks for")
                after = memory_kib(service)
                log = service.text()
    assert symbols.keys() == {"EURUSD", "GBPUSD", "USDJPY", "[2J", "BAD NAME", "SICK"}
    assert len(symbols["BAD NAME"]["description"]) == 300 - 1
    assert (symbols["SICK"]["digits"], symbols["SICK"]["pipPosition"], symbols["SICK"]["marketState"]) == (5, 0, "open")
    assert explained["marketState"] == "open"
    assert "Traceback" not in log and "Unhandled" not in log
    assert "too much that is neither a tick nor an answer" in log
    assert "\x1b" not in log and len(re.findall("NEW", log)) <= 30
    print(f"memory {before} KiB before, {attacked} KiB after the attack ({most} KiB at most), {after} KiB at the end")
    assert attacked - before < 20 * MIB and after - before < 20 * MIB
    assert most - before < 60 * MIB
