"""What the pieces on the way of a tick cost, in microseconds: decode, encode, publish, flush.

    python -m benchmarks.parts

No sockets and no reactor: what a part costs with them is for ``run.py``. Each figure is the least of several
repeats, which is what the code costs when nothing disturbs it.
"""

import time
import timeit
from collections.abc import Callable, Iterator
from itertools import count, cycle
from typing import Any

from google.protobuf.message import Message

from twisted.internet.testing import StringTransport

from benchmarks import report
from benchmarks.workloads import SYMBOLS, WORKLOADS
from tickrelay.config.settings import RelaySettings
from tickrelay.model.errors import CloseCode
from tickrelay.model.ticks import Symbol, Tick
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.frames import encode
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent
from tickrelay.relay.hub import Hub
from tickrelay.relay.outbox import Outbox
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol
from tickrelay.wire.encodings import Encoding, Encodings, make_encodings

REPEATS = 5
SECONDS = 0.15
ACCOUNT = 1001
LEVELS = 64
"""Prices a symbol comes back to; the other case is a price never seen before."""


def cost_us(call: Callable[[], object], units: int = 1) -> float:
    """Microseconds for one of the *units* that one call handles."""
    timer = timeit.Timer(call)
    number = max(1, int(SECONDS / max(timer.timeit(3) / 3, 1e-9)))
    return min(timer.repeat(REPEATS, number)) / number / units * 1e6


class Time:
    """The hub's clocks; what it wants called later is called by whoever measures."""

    monotonic_s = staticmethod(time.monotonic)

    def call_later(self, delay_s: float, call: Callable[[], object]) -> Any:
        """Nothing: a flush is part of what is measured, or it is not."""
        return None

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


class Owner:
    """An `upstream.protocol.LinkOwner` that has nothing to do."""

    def link_secured(self, link: OpenApiProtocol) -> None:
        """Not called here."""

    def link_garbled(self, link: OpenApiProtocol, reason: str) -> None:
        """Not called here."""

    def link_lost(self, link: OpenApiProtocol, reason: object) -> None:
        """Not called here."""


def symbols() -> list[Symbol]:
    """The symbols of the comparison."""
    return [Symbol(symbol_id=i, name=name) for i, name in enumerate(SYMBOLS, 1)]


def spot(symbol_id: int, bid: int) -> bytes:
    """A spot event as it comes from upstream, with its length prefix."""
    event: Message = ProtoOASpotEvent(
        ctidTraderAccountId=ACCOUNT, symbolId=symbol_id, bid=bid, ask=bid + 3, timestamp=1_701_234_567_890
    )
    frame = encode(event)
    return len(frame).to_bytes(4, "big") + frame


def decode() -> dict[str, float]:
    """Bytes from upstream to the call of the hub."""
    taken = OpenApiProtocol(Time(), Owner(), lambda *spot: None, Counters(), LinkSettings(account_id=ACCOUNT))
    taken.makeConnection(StringTransport())
    one = spot(1, 108_567)
    hundred = b"".join(spot(1 + i % len(SYMBOLS), 108_567 + i) for i in range(100))

    def parse() -> None:
        ProtoOASpotEvent.FromString(ProtoMessage.FromString(one[4:]).payload)

    return {
        "decode: envelope and spot event alone": cost_us(parse),
        "decode: link, one frame a read": cost_us(lambda: taken.dataReceived(one)),
        "decode: link, 100 frames a read": cost_us(lambda: taken.dataReceived(hundred), 100),
    }


def encoding(encodings: Encodings) -> dict[str, float]:
    """A tick to a complete frame."""
    found = {}
    symbol = symbols()[0]
    for way in encodings:
        known = cycle([Tick(symbol, 108_567 + i, 108_570 + i, 1_701_234_567_890, 0, i) for i in range(LEVELS)])
        fresh = new_prices(symbol)

        def seen_before(way: Encoding = way, known: Iterator[Tick] = known) -> None:
            way.tick(next(known))

        def never_seen(way: Encoding = way, fresh: Iterator[Tick] = fresh) -> None:
            way.tick(next(fresh))

        try:
            found[f"encode {way.name}: price seen before"] = cost_us(seen_before)
            found[f"encode {way.name}: new price"] = cost_us(never_seen)
        except NotImplementedError:
            continue
    making = new_prices(symbol)
    found["(of a new price's cost: making the tick)"] = cost_us(lambda: next(making))
    return found


def new_prices(symbol: Symbol) -> Iterator[Tick]:
    """Ticks whose price never comes back."""
    for i in count():
        yield Tick(symbol, 10_000_000 + 7 * i, 10_000_003 + 7 * i, 1_701_234_567_890, 0, i)


def hub_with(encodings: Encodings, way: Encoding, lists: list[list[str]]) -> Hub:
    """A hub whose clients have these subscriptions and a socket that takes everything."""
    hub = Hub(Time(), encodings, RelaySettings(), "bench")
    by_name = {symbol.name: symbol for symbol in symbols()}
    hub.symbols_loaded(list(by_name.values()))

    def close(code: CloseCode, reason: str) -> None:
        raise AssertionError(reason)

    for names in lists:
        outbox = Outbox(len, lambda data: False, close, hub.settings.max_queued_bytes)
        hub.subscribe(hub.attach(outbox, way), [by_name[name] for name in names])
    return hub


def publish(encodings: Encodings) -> dict[str, float]:
    """A spot into the hub, up to the end of the turn, without the sockets."""
    found = {}
    unwanted = hub_with(encodings, encodings.basic, [])
    found["publish: nobody ever asked for the symbol"] = cost_us(lambda: unwanted.spot(1, 108_567, 108_570, 0))

    left = hub_with(encodings, encodings.basic, [list(SYMBOLS)])
    for subscriber in list(left.subscribers(left.channels[SYMBOLS[0]])):
        left.detach(subscriber)

    def turn(hub: Hub, ticks: int) -> Callable[[], None]:
        prices = cycle(range(108_500, 108_500 + LEVELS))

        def run() -> None:
            for i in range(ticks):
                price = next(prices)
                hub.spot(1 + i % len(SYMBOLS), price, price + 3, 0)
            hub.fanout.flush()

        return run

    found["publish and flush: all clients have left, 100 ticks a turn"] = cost_us(turn(left, 100), 100)
    one = hub_with(encodings, encodings.basic, [list(SYMBOLS)])
    found["publish and flush: one client, 1 tick a turn"] = cost_us(turn(one, 1))
    found["publish and flush: one client, 100 ticks a turn"] = cost_us(turn(one, 100), 100)
    return found


def flush(encodings: Encodings) -> dict[str, float]:
    """What choosing, joining and calling ``send`` cost for each client and turn, the system call not counted."""
    found = {}
    for name, what in (("A", "one cohort"), ("B", "lists of one's own")):
        lists = WORKLOADS[name].subscriptions()
        hub = hub_with(encodings, encodings.basic, lists)
        for ticks in (1, 50, 500):

            def run(hub: Hub = hub, ticks: int = ticks) -> None:
                for i in range(ticks):
                    hub.spot(1 + i % len(SYMBOLS), 108_567, 108_570, 0)
                hub.fanout.flush()

            before = hub.fanout.groups[encodings.basic].sends
            run()
            sends = hub.fanout.groups[encodings.basic].sends - before
            found[f"flush, per send: 1,000 clients, {what}, {ticks} ticks a turn"] = cost_us(run, sends)
    return found


def main() -> None:
    """Measure and print."""
    encodings = make_encodings("bench")
    print("| part | µs |\n|---|---|")
    for group in (decode(), encoding(encodings), publish(encodings), flush(encodings)):
        for part, cost in group.items():
            print(f"| {part} | {cost:.2f} |")
    print("\n" + report.machine({}))


if __name__ == "__main__":
    main()
