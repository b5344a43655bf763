"""A property of any sequence of clients, connection losses, refusals, hangs and clock steps: the state converges."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from twisted.internet.task import Clock
from zope.interface import implementer

from tests.support.relay import FakeClient, TestClock
from tests.support.rig import Rig
from tickrelay.config.settings import RelaySettings
from tickrelay.model.feed import IFeed, SymbolFeed
from tickrelay.relay.hub import Hub
from tickrelay.wire.encodings import make_encodings

NAMES = ["EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSD"]
BAD = "USDRUB"
"""In the list, but not to be subscribed."""
REQUESTS = [
    "ProtoOAApplicationAuthReq",
    "ProtoOAAccountAuthReq",
    "ProtoOASymbolsListReq",
    "ProtoOASymbolByIdReq",
    "ProtoOASubscribeSpotsReq",
    "ProtoOAUnsubscribeSpotsReq",
]
CODES = [
    "BLOCKED_PAYLOAD_TYPE",
    "REQUEST_FREQUENCY_EXCEEDED",
    "CH_CLIENT_AUTH_FAILURE",
    "CH_ACCESS_TOKEN_INVALID",
    "SERVER_IS_UNDER_MAINTENANCE",
    "UNKNOWN_ERROR",
    "TIMEOUT_ERROR",
    "CANT_ROUTE_REQUEST",
    "CH_CLIENT_NOT_AUTHENTICATED",
    "SOMETHING_NEW",
]

symbols = st.sampled_from([*NAMES, BAD])


@implementer(IFeed)
class Watched:
    """The feed as the hub uses it; raises where a want or an unwant comes twice in a row."""

    def __init__(self, feed: IFeed) -> None:
        self.feed = feed
        self.wanted: set[str] = set()

    def explain(self, name: str) -> SymbolFeed:
        """As the feed says."""
        return self.feed.explain(name)

    def want(self, name: str) -> None:
        """The first interest."""
        assert name not in self.wanted
        self.wanted.add(name)
        self.feed.want(name)

    def unwant(self, name: str) -> None:
        """The last interest is gone."""
        self.wanted.remove(name)
        self.feed.unwant(name)


class History(RuleBasedStateMachine):
    """Any events in any order, with the real hub between the clients and the session."""

    make_rig: Callable[..., Rig]

    def __init__(self) -> None:
        super().__init__()
        self.rig = type(self).make_rig(
            clock=Clock(),
            simulator={"symbols": (*NAMES, BAD)},
            rules={"latency_s": 0.01},
            unsubscribe_linger_s=0.5,
        )
        self.encodings = make_encodings("e")
        self.hub = Hub(TestClock(self.rig.clock), self.encodings, RelaySettings(), "e")
        self.hub.feed = Watched(self.rig.service)
        self.rig.listener.also = self.hub
        self.clients: list[tuple[FakeClient, set[str]]] = []
        self.rig.service.startService()
        self.rig.run(0.2)

    def wanted(self) -> set[str]:
        """The union of what the clients want."""
        return set().union(*(names for _, names in self.clients))

    @rule(wanted=st.sets(symbols, max_size=4))
    def client_comes(self, wanted: set[str]) -> None:
        """A client connects and subscribes."""
        client = FakeClient(self.hub, self.encodings.basic)
        self.hub.subscribe(client.subscriber, [self.hub.symbols[name] for name in wanted])
        self.clients.append((client, set(wanted)))

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), wanted=st.sets(symbols, max_size=4), off=st.booleans())
    def client_changes(self, data: st.DataObject, wanted: set[str], off: bool) -> None:
        """A client subscribes more, or unsubscribes what it may not even have."""
        client, names = data.draw(st.sampled_from(self.clients))
        if off:
            self.hub.unsubscribe(client.subscriber, wanted)
            names -= wanted
        else:
            self.hub.subscribe(client.subscriber, [self.hub.symbols[name] for name in wanted])
            names |= wanted

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), again=st.booleans())
    def client_goes(self, data: st.DataObject, again: bool) -> None:
        """A client closes, in whatever way; told twice, it counts once."""
        client, _ = self.clients.pop(data.draw(st.integers(0, len(self.clients) - 1)))
        self.hub.detach(client.subscriber)
        if again:
            self.hub.detach(client.subscriber)

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.02, 0.3, 1.0, 12.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        """A moment or a minute."""
        self.rig.run(seconds, max(seconds / 50, 0.005))

    @precondition(lambda self: self.rig.net.open)
    @rule(how=st.sampled_from(["reset", "finish", "garbage", "black hole", "account", "client"]))
    def upstream_drops(self, how: str) -> None:
        """The connection, or the account's session on it, ends in some way."""
        connection = self.rig.connection
        if how == "reset":
            connection.reset()
        elif how == "finish":
            connection.finish()
        elif how == "garbage":
            connection.inject(b"\x00\x00\x00\x02\xff\xff")
        elif how == "black hole":
            connection.black_hole = True
        elif how == "client":
            for session in list(self.rig.dependencies.sessions.values()):
                session.close()
        else:
            self.rig.log_out()

    @rule(name=st.sampled_from(REQUESTS), code=st.sampled_from(CODES))
    def upstream_refuses(self, name: str, code: str) -> None:
        """From now on a kind of request is refused."""
        self.rig.refuse(name, code, "refused")

    @rule(name=st.sampled_from(REQUESTS))
    def upstream_hangs(self, name: str) -> None:
        """From now on a kind of request is not answered."""
        self.rig.hang(name)

    @rule()
    def upstream_heals(self) -> None:
        """Everything is answered again."""
        self.rig.dependencies.active_faults.hung.clear()
        self.rig.dependencies.active_faults.refused.clear()

    @rule(refuses=st.booleans())
    def network_changes(self, refuses: bool) -> None:
        """Connections are refused, or not."""
        self.rig.net.refuses = refuses

    @rule(step_s=st.sampled_from([-3600.0, 3600.0, 0.5]))
    def wall_clock_steps(self, step_s: float) -> None:
        """Somebody sets the clock."""
        self.rig.wall_offset_s += step_s

    @invariant()
    def one_connection(self) -> None:
        """Never two at once."""
        assert self.rig.net.most_open <= 1

    @invariant()
    def within_the_budget(self) -> None:
        """Never more requests in any second than allowed."""
        assert self.rig.most_requests_in_a_second() <= 45

    @invariant()
    def wanted_is_the_union(self) -> None:
        """What the session wants is what the clients want."""
        assert self.rig.session.subscriptions.wanted == self.wanted()
        held = {
            name: len(self.hub.subscribers(channel))
            for name, channel in self.hub.channels.items()
            if self.hub.subscribers(channel)
        }
        assert held == {name: sum(name in names for _, names in self.clients) for name in self.wanted()}

    def teardown(self) -> None:
        """All faults end: within a while the upstream set is exactly the union of wants."""
        rig = self.rig
        self.upstream_heals()
        rig.net.refuses = False
        want = self.wanted() - {BAD}
        rig.run(2, 0.02)  # what was lost a moment ago is noticed
        rig.until(lambda: rig.state == "live" and rig.upstream_set() == want, 3000, 0.25)
        rig.run(2, 0.02)
        assert rig.upstream_set() == want
        assert rig.status == "connected"
        rig.service.stopService()
        rig.run(4, 0.1)
        assert not rig.net.open


def test_any_history_converges(make_rig: Callable[..., Rig]) -> None:
    """Wants, closes, drops, refusals, hangs and clock steps in any order."""
    machine = type("AnyHistory", (History,), {"make_rig": staticmethod(make_rig)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
