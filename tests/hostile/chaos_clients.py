"""Innocent clients that come, go, read slowly, change their minds and resume, all under the checker; a process.

::

    python -m tests.hostile.chaos_clients --port 8080 --clients 30 --seed 1 --symbols EURUSD,XAUUSD,BTCUSD

Three *witnesses* stay and read without pause: what they hear of the connection to cTrader tells when it was away. Lines
on standard input: ``report`` prints ``REPORT {…}``; ``leave`` ends every client, for the rest of the run.
"""

import argparse
import json
import os
import random
import select
import sys
import time
from collections import Counter, OrderedDict
from typing import Any

from tests.hostile.innocent import Innocent, Message, Target

BEAT_S = 0.02
DIALECTS = ("json", "protobuf", "basic")
KEPT_PRICES = 100_000
MAX_MOVE = 0.2
"""A price that changes by more from tick to tick is wrong: the market does not."""

SHOWN = 10


class Truth:
    """What all clients together know: when the feed was away, and each tick's prices."""

    def __init__(self) -> None:
        self.outages: list[float] = []
        """When each began, wall milliseconds."""
        self.is_up = False
        self.prices: OrderedDict[tuple[str, str, int], tuple[float, float]] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def heard(self, status: str, at_ms: float) -> None:
        """A witness was sent a status."""
        if self.is_up and status != "connected":
            self.outages.append(at_ms)
        self.is_up = status == "connected"

    def priced(self, tick: Message) -> None:
        """Every client must be shown the same prices of a tick."""
        key, prices = (tick["epoch"], tick["symbol"], tick["seq"]), (tick["bid"], tick["ask"])
        if self.prices.setdefault(key, prices) != prices:
            self.faults.append(f"two prices of a tick: {self.prices[key]} and {tick}")
        if len(self.prices) > KEPT_PRICES:
            self.prices.popitem(last=False)


class Restless:
    """One client, and what it will do next."""

    def __init__(self, truth: Truth, target: Target, number: int, symbols: list[str], is_witness: bool) -> None:
        self.is_witness = is_witness
        self.dialect = DIALECTS[number % len(DIALECTS)]
        self._truth = truth
        self._symbols = symbols
        chosen = symbols if is_witness else random.sample(symbols, random.randint(1, len(symbols)))
        self.client = Innocent(target, f"127.3.0.{1 + number}", chosen, self.dialect, on_tick=self._ticked)
        self.next_s = 0.0
        self.blind_until_s = 0.0
        self._gaps: dict[str, float] = {}
        self._before: dict[str, tuple[int, float]] = {}
        """Symbol -> timestamp and bid of the tick before, for as long as the stream claims to be whole."""
        self._since_ms: dict[str, float] = {}
        """When each was subscribed afresh: what was lost before is not owed."""
        inner = self.client._take

        def take(message: Message) -> None:
            self._look(message)
            inner(message)

        self.client._take = take  # type: ignore[method-assign]

    def _look(self, message: Message) -> None:
        if message["type"] == "gap":
            self._gaps[message["symbol"]] = message["toMs"]
            self._truth.counts["gaps declared"] += 1
        elif message["type"] == "status" and self.is_witness and self.client.dialect == "json":
            self._truth.heard(message["status"], time.time() * 1000)
        elif message["type"] == "subscribeResponse":
            for result in message["results"]:
                name = result.get("name", result["symbol"])
                if result.get("recovered"):
                    self._truth.counts["resumes recovered"] += 1
                elif name not in self.client.checker.subscribed:
                    self._truth.counts["resumes not recovered"] += "recovered" in result
                    self._before.pop(name, None)
                    self._since_ms[name] = time.time() * 1000

    def _ticked(self, client: Innocent, tick: Message) -> None:
        truth, name = self._truth, tick["symbol"]
        truth.counts["ticks"] += 1
        truth.counts["ticks merged"] += tick.get("conflated", 0)
        known = self._before.get(name)
        self._before[name] = (tick["timestamp"], tick["bid"])
        if known is not None and abs(tick["bid"] / known[1] - 1) > MAX_MOVE:
            truth.faults.append(f"from {known[1]} to {tick}")
        if "seq" not in tick:
            return
        truth.priced(tick)
        if known is None or tick.get("snapshot"):
            return
        for began_ms in reversed(truth.outages):
            if began_ms < known[0]:
                break
            declared = self._gaps.get(name, 0.0) >= began_ms or self._since_ms.get(name, 0.0) >= began_ms
            if began_ms < tick["timestamp"] and not declared:
                truth.counts["gaps undeclared"] += 1
                truth.faults.append(f"{client.dialect}: no gap between {known} and {tick}, away at {began_ms:.0f}")
                return

    def act(self, now: float) -> None:
        """Do the next thing, and choose when to do another."""
        client = self.client
        self.next_s = now + random.expovariate(1 / 2.0)
        if client.state == "closed":
            return
        if client.state != "open" or self.is_witness:
            self.next_s = now + 1.0
            if client.state == "open":
                client.ping()
            return
        does = random.random()
        if does < 0.35:
            client.ping()
        elif does < 0.55:
            self.blind_until_s = now + random.uniform(0.2, 4.0)
        elif does < 0.65:
            self._truth.counts["clients gone"] += 1
            client.leave()
            self._before = {} if client.dialect == "basic" else self._before
            self.next_s = now + random.uniform(0.1, 6.0)
        elif does < 0.75:
            client.say(type="unsubscribe", symbols=random.sample(self._symbols, 2))
        elif does < 0.88:
            client.say(type="subscribe", symbols=random.sample(list(client.symbols), 1))
        elif client.dialect != "basic":
            client.say(type="configure", paused=does > 0.97, maxRate=random.choice([0, 0, 1, 10]))


class Chaos:
    """All clients under one epoll."""

    def __init__(self, target: Target, clients: int, symbols: list[str]) -> None:
        self._truth = Truth()
        self._clients = [Restless(self._truth, target, n, symbols, n < len(DIALECTS)) for n in range(clients)]
        self._epoll = select.epoll()
        self._by_fd: dict[int, Restless] = {}
        self._stays = True

    def run(self) -> None:
        """Until the input ends."""
        os.set_blocking(sys.stdin.fileno(), False)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        print("READY", flush=True)
        beat = 0.0
        while True:
            for fd, _ in self._epoll.poll(BEAT_S, 256):
                if fd == sys.stdin.fileno():
                    data = os.read(fd, 4096)
                    if not data:
                        return
                    for line in data.decode().splitlines():
                        self._order(line)
                elif fd in self._by_fd:
                    self._ready(fd)
            now = time.monotonic()
            if now > beat + BEAT_S:
                beat = now
                for one in self._clients if self._stays else ():
                    self._turn(one, now)

    def _ready(self, fd: int) -> None:
        one = self._by_fd[fd]
        one.client.ready()
        if one.client.fileno() != fd:
            del self._by_fd[fd]
        else:
            self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if one.client.wants_to_write else 0))

    def _turn(self, one: Restless, now: float) -> None:
        client = one.client
        if client.state == "closed" and now > one.next_s:
            client.open()
            one.next_s = now + random.expovariate(1 / 2.0)
            self._by_fd[client.fileno()] = one
            self._epoll.register(client.fileno(), select.EPOLLIN | select.EPOLLOUT)
        elif one.blind_until_s:
            if now > one.blind_until_s:
                one.blind_until_s = 0.0
                self._epoll.modify(client.fileno(), select.EPOLLIN | select.EPOLLOUT)
        elif now > one.next_s:
            fd = client.fileno()
            one.act(now)
            if client.fileno() != fd:
                self._by_fd.pop(fd, None)
            elif one.blind_until_s:
                self._epoll.modify(fd, 0)

    def _order(self, line: str) -> None:
        if line == "leave":
            self._stays = False
            for one in self._clients:
                self._by_fd.pop(one.client.fileno(), None)
                one.client.leave()
        elif line == "report":
            print("REPORT " + json.dumps(self._report()), flush=True)

    def _report(self) -> dict[str, Any]:
        clients = [one.client for one in self._clients]
        checkers = [client.checker for client in clients]
        jumps = [fault for checker in checkers for fault in checker.faults]
        closes = Counter(why for client in clients for why in client.closes)
        return {
            "counts": dict(self._truth.counts),
            "outages": len(self._truth.outages),
            "replayed": sum(checker.replayed for checker in checkers),
            "jumps unexplained": len(jumps),
            "other faults": len(self._truth.faults) + sum(len(client.faults) for client in clients),
            "closes": dict(closes),
            "shown": jumps[:SHOWN] + self._truth.faults[:SHOWN],
        }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--symbols", required=True)
    options = parser.parse_args()
    random.seed(options.seed)
    Chaos(Target(options.port), options.clients, options.symbols.split(",")).run()


if __name__ == "__main__":
    main()
