"""Desired against confirmed subscriptions: batches, bad symbols, races with losses. The sets are equal in the end."""

import random
from collections.abc import Callable

import pytest

from tests.support.rig import Rig
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol
from tickrelay.upstream.symbol_table import batches


def add_bad_symbols(rig: Rig, *names: str) -> None:
    """Symbols that are in the list, and whose subscription the server refuses as unknown."""
    lights = rig.dependencies.catalogue.light_symbols
    rig.dependencies.catalogue.light_symbols = [
        *lights,
        *(ProtoOALightSymbol(symbolId=9000 + n, symbolName=name, enabled=False) for n, name in enumerate(names)),
    ]


def test_batches_of_a_hundred() -> None:
    """Ids in lists of at most 100."""
    assert [len(batch) for batch in batches(range(250))] == [100, 100, 50]
    assert batches([]) == []


def test_what_is_wanted_in_one_turn_leaves_in_one_request(rig: Rig) -> None:
    """60 symbols: one subscribe request."""
    rig.go_live()
    for symbol in rig.listener.symbols[:60]:
        rig.service.want(symbol.name)
    rig.run(1)
    assert len(rig.upstream_set()) == 60
    assert len(rig.sent("ProtoOASubscribeSpotsReq")) == 1


def test_one_bad_symbol_does_not_hurt_the_others(rig: Rig) -> None:
    """A batch refused for one id is halved until that id is found: only it is reported."""
    add_bad_symbols(rig, "BAD")
    rig.go_live("BAD", *[light.symbolName for light in rig.dependencies.catalogue.light_symbols[:30]])
    assert rig.listener.refused == {"BAD": "SYMBOL_NOT_FOUND"}
    assert len(rig.upstream_set()) == 30 and "BAD" not in rig.upstream_set()
    assert len(rig.sent("ProtoOASubscribeSpotsReq")) <= 12
    assert rig.service.explain("BAD").refused == "SYMBOL_NOT_FOUND"
    requests = rig.counters.requests
    rig.service.unwant("BAD")
    rig.service.want("BAD")
    rig.run(60)
    assert rig.counters.requests == requests, "the bad one is not asked for again in this session"


def test_several_bad_symbols(rig: Rig) -> None:
    """Every bad one is found, every good one subscribed."""
    names = [light.symbolName for light in rig.dependencies.catalogue.light_symbols[:50]]
    add_bad_symbols(rig, "BAD1", "BAD2", "BAD3")
    rig.go_live("BAD1", "BAD2", "BAD3", *names)
    assert set(rig.listener.refused) == {"BAD1", "BAD2", "BAD3"}
    assert rig.upstream_set() == set(names)


def test_a_batch_with_some_already_subscribed(rig: Rig) -> None:
    """The server refuses the mixed batch whole: the others are sent one by one, and all are confirmed."""
    rig.go_live()
    from tickrelay.openapi.messages_pb2 import ProtoOASubscribeSpotsReq

    ids = [symbol.symbol_id for symbol in rig.listener.symbols[:4]]
    rig.connection.client.protocol.request(ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=ids))
    rig.run(0.1)
    names = [symbol.name for symbol in rig.listener.symbols[:10]]
    for name in names:
        rig.service.want(name)
    rig.run(1)
    assert rig.upstream_set() == set(names)
    assert set(rig.listener.confirmed) == set(names) and not rig.listener.refused


@pytest.mark.parametrize("fine", [True, False])
def test_unsubscribing_what_is_not_subscribed(make_rig: Callable[..., Rig], fine: bool) -> None:
    """Silent success or NOT_SUBSCRIBED_TO_SPOTS: the symbol is gone either way, and so are the others of the batch."""
    rig = make_rig(rules={"unsubscribe_unknown_ok": fine}, unsubscribe_linger_s=1.0)
    rig.go_live("EURUSD", "GBPUSD", "XAUUSD")
    number = next(iter(rig.dependencies.sessions))
    rig.dependencies.unsubscribe(number, 1001, rig.symbol_id("GBPUSD"))
    rig.run(1)
    for name in ("EURUSD", "GBPUSD", "XAUUSD"):
        rig.service.unwant(name)
    rig.run(3)
    assert rig.upstream_set() == set()
    assert rig.service.explain("EURUSD").confirmed_at_ms == 0


def test_unwant_without_want(rig: Rig) -> None:
    """Nothing happens, and nothing breaks."""
    rig.go_live()
    rig.service.unwant("EURUSD")
    rig.run(60, 0.1)
    assert rig.sent("ProtoOAUnsubscribeSpotsReq") == []
    rig.service.want("EURUSD")
    rig.run(1)
    assert rig.upstream_set() == {"EURUSD"}


def test_wants_before_the_start_are_kept(rig: Rig) -> None:
    """The relay may want symbols before there is any session."""
    rig.service.want("EURUSD")
    rig.service.want("GBPUSD")
    rig.service.unwant("GBPUSD")
    rig.service.startService()
    rig.until(lambda: rig.state == "live")
    rig.run(1)
    assert rig.upstream_set() == {"EURUSD"}, "what only lingers is not subscribed anew"


def test_a_linger_that_ends_during_an_outage(rig: Rig) -> None:
    """Symbols that are no longer wanted are not subscribed in the next session."""
    rig.go_live("EURUSD", "GBPUSD")
    rig.service.unwant("GBPUSD")
    rig.net.refuses = True
    rig.connection.reset()
    rig.run(40, 0.1)
    rig.net.refuses = False
    rig.until(lambda: rig.state == "live", 200)
    rig.run(1)
    assert rig.upstream_set() == {"EURUSD"}


def test_wanted_again_while_the_unsubscription_is_on_its_way(make_rig: Callable[..., Rig]) -> None:
    """After its answer the symbol is subscribed again."""
    rig = make_rig(rules={"latency_s": 0.5}, unsubscribe_linger_s=0.0)
    rig.go_live("EURUSD")
    rig.service.unwant("EURUSD")
    rig.until(lambda: rig.sent("ProtoOAUnsubscribeSpotsReq"), 2)
    rig.service.want("EURUSD")
    rig.run(5)
    assert rig.upstream_set() == {"EURUSD"} and rig.service.explain("EURUSD").confirmed_at_ms


def test_at_most_one_request_for_a_symbol_in_a_quarter_second(make_rig: Callable[..., Rig]) -> None:
    """Many changes of one symbol's wants give few requests."""
    rig = make_rig(unsubscribe_linger_s=0.0)
    rig.go_live()
    for n in range(1000):
        (rig.service.want if n % 2 == 0 else rig.service.unwant)("EURUSD")
        rig.clock.advance(0.005)
    rig.service.want("EURUSD")
    rig.run(2)
    asked = len(rig.sent("ProtoOASubscribeSpotsReq")) + len(rig.sent("ProtoOAUnsubscribeSpotsReq"))
    assert asked <= 5 / 0.25 + 2
    assert rig.upstream_set() == {"EURUSD"}


@pytest.mark.parametrize("seed", range(8))
def test_a_storm_that_races_reconnects(make_rig: Callable[..., Rig], seed: int) -> None:
    """Subscribes, unsubscribes, losses of both kinds, all at random: the end is exactly what is wanted."""
    rig = make_rig(rules={"latency_s": 0.02}, unsubscribe_linger_s=0.3)
    rng = random.Random(seed)
    add_bad_symbols(rig, "BAD")
    rig.go_live()
    names = [symbol.name for symbol in rig.listener.symbols]
    wanted: set[str] = set()
    for _ in range(600):
        name = rng.choice([*names[:20], "BAD", "NOSUCH"])
        if rng.random() < 0.5:
            wanted.add(name)
            rig.service.want(name)
        else:
            wanted.discard(name)
            rig.service.unwant(name)
        rig.clock.advance(rng.choice((0, 0.001, 0.02, 0.1)))
        if rng.random() < 0.02 and rig.net.open:
            rng.choice((rig.connection.reset, rig.connection.finish))()
        if rng.random() < 0.02:
            rig.log_out()
    rig.service.want("EURUSD")
    wanted.add("EURUSD")
    rig.until(lambda: rig.state == "live" and rig.upstream_set() == wanted - {"BAD", "NOSUCH"}, 200)
    rig.run(5)
    assert rig.upstream_set() == wanted - {"BAD", "NOSUCH"}
    assert rig.net.most_open == 1 and rig.most_requests_in_a_second() <= 45
