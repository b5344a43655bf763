"""Runs a few innocent clients in the test's own process, for as long as the test wants."""

import selectors
import time
from collections.abc import Callable

from tests.hostile.innocent import Innocent

PING_S = 0.25
RETRY_S = 0.2


class Pump:
    """Clients that ping, and come back when their connection is lost; leave the with-block and they are gone."""

    def __init__(self, *clients: Innocent) -> None:
        self.clients = list(clients)
        self.longest_trip_s = 0.0
        """Of all pings since the start, those that wait still included."""
        self.away: set[int] = set()
        """Ids of clients that shall not come back."""

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *error: object) -> None:
        for client in self.clients:
            client.leave()

    def until(self, wanted: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Run until *wanted* is true."""
        deadline = time.monotonic() + timeout_s
        while not wanted():
            state = [(client.state, client.closes, client.statuses[-3:]) for client in self.clients]
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {state}"
            self.run(0.02)

    def run(self, seconds: float) -> None:
        """Run so long."""
        end_s = time.monotonic() + seconds
        while (now := time.monotonic()) < end_s:
            with selectors.DefaultSelector() as selector:
                for client in self.clients:
                    self._keep(client, now)
                    if client.fileno() >= 0:
                        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.wants_to_write else 0)
                        selector.register(client.fileno(), events, client)
                for key, _ in selector.select(0.02) if selector.get_map() else ():
                    key.data.ready()
            for client in self.clients:
                self._time(client)

    def _keep(self, client: Innocent, now: float) -> None:
        if client.state == "closed" and id(client) not in self.away and now > client.opened_s + RETRY_S:
            client.open()
        elif client.state == "open" and now > client.pinged_s + PING_S:
            client.ping()

    def _time(self, client: Innocent) -> None:
        now = time.monotonic()
        trips = [took for _, took in client.pongs] + [now - sent for sent in client.pings.values()]
        self.longest_trip_s = max([self.longest_trip_s, *trips])
        client.pongs.clear()
