"""A broken or hostile broker against a real relay: it must stay alive, stay small, and show no wrong price."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from tests.hostile.conftest import FULL
from tests.hostile.innocent import Innocent, Target
from tests.hostile.pump import Pump
from tests.hostile.rig import PYTHON, Inside
from tests.support.hostile_broker import (
    ACCOUNT_ID,
    NAMES,
    Answer,
    Await,
    Drop,
    HostileBroker,
    Quote,
    Script,
    Send,
    Wait,
    frame,
    full_symbols,
    light_symbols,
)
from tests.support.processes import Twistd, free_port, relay
from tickrelay.openapi.messages_pb2 import (
    ProtoOAErrorRes,
    ProtoOASpotEvent,
    ProtoOASymbolByIdRes,
    ProtoOASymbolChangedEvent,
)

RSS_MIB = 20.0
LOG_BYTES = 200_000
TRIP_S = 1.0
"""No ping takes longer, whatever the broker does: a frozen relay takes much longer."""

LONG_TEXT = "text " * 1_000_000
SETTINGS = {
    "TICKRELAY_DATA_SILENCE": "5",
    "TICKRELAY_RETRY_LEAST": "0.1",
    "TICKRELAY_RETRY_MOST": "0.5",
    "TICKRELAY_UNSUBSCRIBE_LINGER": "0",
}


class Scene:
    """The broker, the relay, and innocent clients of each encoding."""

    def __init__(self, broker: HostileBroker, service: Twistd, port: int) -> None:
        self.broker = broker
        self.service = service
        self.inside = Inside(service.process.pid)
        self.wrong_prices: list[Message | dict[str, Any]] = []
        self._target = Target(port)
        self.clients = [self.client(dialect) for dialect in ("json", "protobuf", "basic")]
        self.pump = Pump(*self.clients)

    def client(self, dialect: str = "json") -> Innocent:
        """One more client; not in the pump yet."""
        return Innocent(self._target, "127.0.0.1", NAMES, dialect, on_tick=self._look)

    def _look(self, client: Innocent, tick: dict[str, Any]) -> None:
        # As `tests.support.hostile_broker.quote` makes them.
        least = 1 + (1 + NAMES.index(tick["symbol"])) % 100
        if not least <= tick["bid"] <= least + 0.1:
            self.wrong_prices.append(tick)

    def ticks(self) -> int:
        """That all v1 clients were sent."""
        return sum(client.checker.ticks for client in self.clients)

    def flowing(self, number: int = 30) -> None:
        """Wait for so many more."""
        target = self.ticks() + number
        self.pump.until(lambda: self.ticks() >= target)

    def ask(self, client: Innocent, kind: str, answer: str, **fields: Any) -> dict[str, Any]:
        """Make a request, and wait for its answer."""
        client.answers.pop(answer, None)
        client.say(type=kind, **fields)
        self.pump.until(lambda: answer in client.answers)
        return client.answers[answer]


@contextmanager
def scene(folder: Path, script: Script) -> Iterator[Scene]:
    """Ticks flow when it is there; when it ends, what must hold in all cases is checked."""
    port = free_port()
    with HostileBroker(folder, script) as broker, relay(PYTHON, folder, broker.port, port, **SETTINGS) as service:
        service.wait_for("status connected")
        there = Scene(broker, service, port)
        with there.pump:
            there.flowing()
            rss = there.inside.rss_mib()
            log = service.output.stat().st_size
            yield there
            assert service.process.poll() is None
            grown = there.inside.rss_mib() - rss
            faults = [fault for client in there.clients for fault in client.checker.faults + client.faults]
            assert not faults and not there.wrong_prices[:5]
            assert [close for client in there.clients for close in client.closes] == []
            assert grown <= RSS_MIB, f"{rss:.0f} MiB and {grown:.0f} more"
            assert service.output.stat().st_size - log <= LOG_BYTES
            assert there.pump.longest_trip_s <= TRIP_S
            assert "Traceback" not in service.text()


def holidays() -> ProtoOASymbolByIdRes:
    """Every symbol with holidays on days that are none: by the schema they count from 1970-01-01."""
    answer = full_symbols()
    for symbol in answer.symbol:
        for number, day in enumerate((1_764_547_200_000, 2_932_896, -719_162, 2**63 - 1, -(2**63))):
            symbol.holiday.add(
                holidayId=number,
                name="Day",
                scheduleTimeZone="UTC\0",
                holidayDate=day,
                isRecurring=False,
                startSecond=0,
            )
    return answer


def test_a_holiday_in_milliseconds_blinds_nobody(tmp_path: Path) -> None:
    """Clients get symbols, explanations and heartbeats; when ticks stop, the watchdog reconnects."""
    answers: dict[str, Message | None] = {"ProtoOASymbolByIdReq": holidays()}
    steps = [Await("silence"), Quote(0), Await("end")]
    with scene(tmp_path, Script(steps, answers)) as there:
        client = there.clients[0]
        assert len(there.ask(client, "getSymbols", "symbols")["symbols"]) == len(NAMES)
        assert there.ask(client, "explain", "explanation", symbol=NAMES[0])["subscribed"]
        client.answers.pop("heartbeat", None)
        there.pump.until(lambda: "heartbeat" in client.answers, 30)
        if not FULL:
            return
        there.broker.release("silence")
        there.pump.until(lambda: there.broker.text().count("client in") >= 2, 120)


def test_no_price_is_wrong_after_the_digits_of_a_symbol_changed(tmp_path: Path) -> None:
    """Of a client that was away meanwhile and resumes before the first tick since, whichever its encoding."""
    changed = ProtoOASymbolChangedEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=[1, 2, 3])
    steps = [Quote(0), Answer("ProtoOASymbolByIdReq", full_symbols(digits=3)), Send(frame(changed))]
    with scene(tmp_path, Script([Await("change"), *steps, Await("quotes"), Quote(10), Await("end")])) as there:
        returns = [there.client(dialect) for dialect in ("json", "protobuf")]
        there.pump.clients += returns
        there.pump.until(lambda: all(client.checker.ticks > 10 for client in returns))
        for client in returns:
            there.pump.away.add(id(client))
            client.leave()
        there.flowing()
        there.broker.release("change")
        there.pump.run(1.0)
        there.pump.away.clear()
        there.pump.until(lambda: all(client.state == "open" for client in returns))
        there.pump.run(0.2)
        there.broker.release("quotes")
        there.flowing()
        assert [client.faults + client.checker.faults for client in returns] == [[], []]


def test_the_second_of_two_outages_is_declared(tmp_path: Path) -> None:
    """The first was while no client subscribed; the second came before the first tick since, and a client waited."""
    with scene(tmp_path, Script([Await("first"), Drop(1.5), Drop(0.5), Await("end")])) as there:
        for client in there.clients:
            there.pump.away.add(id(client))
            client.leave()
        there.pump.run(0.5)  # the relay unsubscribes, without a linger
        there.broker.release("first")
        there.broker.wait_for("client gone")
        client = there.client()
        there.pump.clients = [client]
        there.pump.until(lambda: client.checker.ticks > client.checker.snapshots + 20)
        assert there.broker.text().count("client gone") == 2
        assert not client.checker.faults and not client.faults
        assert {name: len(gaps) for name, gaps in client.checker.gaps.items()} == dict.fromkeys(NAMES, 1)
        there.pump.away.clear()
        there.pump.clients += there.clients
        there.flowing()


def test_a_description_of_megabytes_stays_here(tmp_path: Path) -> None:
    """It is cut in lists of symbols, and what is asked for arrives."""
    light = light_symbols()
    light.symbol[0].description = LONG_TEXT
    with scene(tmp_path, Script([Await("end")], {"ProtoOASymbolsListReq": light})) as there:
        for client in there.clients[:2]:
            symbols = there.ask(client, "getSymbols", "symbols")["symbols"]
            assert max(len(symbol["description"]) for symbol in symbols) <= 1_000
        there.flowing()


def test_an_error_of_megabytes_stays_here(tmp_path: Path) -> None:
    """It fills neither memory nor log, and expels no client."""
    error = ProtoOAErrorRes(errorCode="CH_SERVER_NOT_REACHABLE", description=LONG_TEXT)
    with scene(tmp_path, Script([Await("error"), Send(frame(error), repeat=3), Await("end")])) as there:
        there.broker.release("error")
        there.broker.wait_for("step Await", times=2)
        there.flowing()


def test_thousands_of_errors_do_not_fill_the_log(tmp_path: Path) -> None:
    """2,000 a second, no two the same."""
    error = ProtoOAErrorRes(errorCode="WRONG", description=f"of its own kind: {Send.NUMBERED}")
    steps = [Await("errors"), Send(frame(error), repeat=8_000, rate=2_000, numbered=True), Await("end")]
    with scene(tmp_path, Script(steps)) as there:
        there.broker.release("errors")
        there.pump.until(lambda: there.broker.text().count("step Await") == 2, 60)
        there.flowing()


def test_control_characters_do_not_reach_the_log(tmp_path: Path) -> None:
    """Nor do line breaks: an operator's terminal shows what the relay wrote, and nothing else."""
    error = ProtoOAErrorRes(errorCode="X\x1b[31m", description="\x1b]0;owned\x07\x1b[2J\r\n2026 a line of its own")
    with scene(tmp_path, Script([Await("error"), Send(frame(error), repeat=3), Await("end")])) as there:
        there.broker.release("error")
        there.broker.wait_for("step Await", times=2)
        there.flowing()
        text = there.service.text()
        assert not {"\x1b", "\x07"} & set(text)
        assert not [line for line in text.splitlines() if line.startswith("2026 a line")]


def test_thousands_of_changes_of_symbols_are_one_refresh(tmp_path: Path) -> None:
    """5,000 a second, for three seconds."""
    changed = ProtoOASymbolChangedEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=[1, 2, 3])
    steps = [Await("changes"), Send(frame(changed), repeat=15_000, rate=5_000), Await("end")]
    with scene(tmp_path, Script(steps)) as there:
        there.broker.release("changes")
        there.pump.until(lambda: there.broker.text().count("step Await") == 2, 60)
        there.flowing()


def test_spots_of_unknown_symbols_are_not_kept(tmp_path: Path) -> None:
    """Of half a million ids that nobody has subscribed."""
    spots = [ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT_ID, symbolId=n, bid=1, ask=2) for n in range(9, 500_009)]
    steps = [Await("spots"), *[Send(b"".join(map(frame, spots[n::20]))) for n in range(20)], Await("end")]
    with scene(tmp_path, Script(steps)) as there:
        there.broker.release("spots")
        there.pump.until(lambda: there.broker.text().count("step Await") == 2, 60)
        there.flowing()


def test_endless_empty_frames_end_the_connection(tmp_path: Path) -> None:
    """Meanwhile clients are answered, and afterwards they have ticks."""
    steps = [Await("flood"), Send(bytes(4) * 1_000, repeat=100_000), Wait(60)]
    with scene(tmp_path, Script(steps)) as there:
        there.broker.release("flood")
        began_s = time.monotonic()
        there.pump.until(lambda: there.broker.text().count("client in") >= 2, 30)
        assert time.monotonic() - began_s < 30
