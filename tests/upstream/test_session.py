"""The session from start to live, after a lost connection, and after a refusal."""

from collections.abc import Callable, Sequence

import pytest

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent
from zope.interface.verify import verifyObject

from tests.support.browser import Server
from tests.support.rig import Rig
from tickrelay.model.feed import IFeed, IFeedListener
from tickrelay.model.ticks import Symbol


def test_the_seams_are_kept(rig: Rig) -> None:
    """The service provides IFeed, the fake listener IFeedListener."""
    assert verifyObject(IFeed, rig.service)
    assert verifyObject(IFeedListener, rig.listener)


def test_the_way_to_live(rig: Rig) -> None:
    """Each state is reported once; the symbols before the status ``connected``."""
    rig.go_live("EURUSD")
    assert rig.listener.events == [
        ("status", "ctrader-connecting", "connecting"),
        ("status", "ctrader-connecting", "application-auth"),
        ("status", "ctrader-connecting", "account-auth"),
        ("status", "ctrader-connecting", "symbols"),
        ("symbols", len(rig.dependencies.catalogue.light_symbols)),
        ("status", "connected", "restoring"),
        ("confirmed", "EURUSD"),
        ("status", "connected", "live"),
    ]


def test_spots_reach_the_listener(rig: Rig) -> None:
    """The first spot has both sides, later ones only what changed; all are of symbols that were asked for."""
    rig.go_live("EURUSD")
    rig.run(20)
    ids = {spot[0] for spot in rig.listener.spots}
    assert ids == {rig.symbol_id("EURUSD")}
    first, *later = rig.listener.spots
    assert first[1] and first[2]
    assert any(not bid or not ask for _, bid, ask, _ in later)
    assert rig.counters.spots == len(rig.listener.spots)


def test_full_symbols_are_known(rig: Rig) -> None:
    """Digits, pip position, category and currencies are loaded with the symbols."""
    rig.go_live()
    euro = next(s for s in rig.listener.symbols if s.name == "EURUSD")
    assert (euro.digits, euro.pip_position, euro.base, euro.quote) == (5, 4, "EUR", "USD")
    assert euro.category
    yen = next(s for s in rig.listener.symbols if s.name == "USDJPY")
    assert yen.digits == 3


def test_after_a_drop_everything_wanted_is_subscribed_again(rig: Rig) -> None:
    """A lost connection is reported at once; then all wanted symbols are subscribed without a further call."""
    rig.go_live("EURUSD", "XAUUSD")
    rig.listener.events.clear()
    rig.connection.reset()
    assert rig.listener.events[:2] == [
        ("lost", "upstream-disconnect", None),
        ("status", "disconnected", "waiting"),
    ]
    took = rig.until(lambda: rig.state == "live")
    assert took < 2
    assert ("status", "ctrader-connecting", "connecting") in rig.listener.events
    assert rig.upstream_set() == {"EURUSD", "XAUUSD"}
    assert rig.counters.reconnects == 1


def test_want_and_unwant_while_live(rig: Rig) -> None:
    """A new want is subscribed at once; the last unwant is unsubscribed after the linger."""
    rig.go_live()
    rig.service.want("EURUSD")
    rig.run(0.1)
    assert rig.upstream_set() == {"EURUSD"}
    assert rig.service.explain("EURUSD").confirmed_at_ms > 0
    rig.service.unwant("EURUSD")
    rig.run(29)
    assert rig.upstream_set() == {"EURUSD"}
    rig.run(2)
    assert rig.upstream_set() == set()


def test_a_page_reload_costs_nothing(rig: Rig) -> None:
    """Unwanted and wanted again within the linger: no request at all."""
    rig.go_live("EURUSD")
    before = rig.counters.requests
    rig.service.unwant("EURUSD")
    rig.run(5)
    rig.service.want("EURUSD")
    rig.run(60)
    assert rig.counters.requests == before


def test_an_unknown_name_is_refused_at_once(rig: Rig) -> None:
    """A name that is not in the list is reported as unknown, once."""
    rig.go_live("NOSUCH")
    assert rig.listener.refused == {"NOSUCH": "UNKNOWN_SYMBOL"}
    assert rig.service.explain("NOSUCH").refused == "UNKNOWN_SYMBOL"
    rig.service.want("NOSUCHEITHER")
    rig.run(1)
    assert rig.listener.refused["NOSUCHEITHER"] == "UNKNOWN_SYMBOL"
    assert [e for e in rig.listener.events if e[:2] == ("refused", "NOSUCH")] == [
        ("refused", "NOSUCH", "UNKNOWN_SYMBOL")
    ]


def test_refused_credentials_are_an_error_with_slow_retries(make_rig: Callable[..., Rig]) -> None:
    """A wrong secret: status error that names the application, at most one try a minute, recovery without a restart."""
    rig = make_rig(simulator={"client_secret": "another"})
    rig.service.startService()
    rig.run(3)
    assert rig.status == "error"
    assert "CTRADER_CLIENT_SECRET" in rig.message and "sim-secret" not in rig.message
    assert rig.listener.statuses[-1].upstream_code == "CH_CLIENT_AUTH_FAILURE"
    rig.run(600, 0.1)
    assert 3 <= len(rig.net.attempts) <= 6
    assert "ctrader-connecting" not in [s.status.value for s in rig.listener.statuses[6:]]
    object.__setattr__(rig.dependencies.settings, "client_secret", "sim-secret")
    rig.until(lambda: rig.state == "live", 1000, 0.1)
    assert rig.status == "connected"


def said_in_the_log(logged: list[LogEvent], words: str) -> list[tuple[str, str]]:
    """Level and text of the lines that contain *words*."""
    lines = [(event["log_level"].name, formatEvent(event) or "") for event in logged]
    return [(level, text) for level, text in lines if words in text]


def test_an_error_is_logged_once(make_rig: Callable[..., Rig], clock: Clock, logged: list[LogEvent]) -> None:
    """An error that an operator must correct is logged once at level error; each slow retry is one short line."""
    rig = make_rig(simulator={"client_secret": "another"})
    rig.listener.also = Server(clock).hub
    rig.service.startService()
    rig.run(600, 0.1)
    assert len(rig.net.attempts) > 2
    ((level, text),) = said_in_the_log(logged, "CTRADER_CLIENT_SECRET")
    assert (level, text.partition(":")[0]) == ("error", "status error (waiting)")
    retries = said_in_the_log(logged, "next try in")
    assert len(retries) == len(rig.net.attempts) and {level for level, _ in retries} == {"info"}


def test_a_loss_is_logged_once(rig: Rig, clock: Clock, logged: list[LogEvent]) -> None:
    """Temporary trouble is logged at level info, with the time of the next try."""
    rig.listener.also = Server(clock).hub
    rig.go_live("EURUSD")
    rig.connection.reset()
    rig.until(lambda: rig.state == "live")
    ((level, text),) = said_in_the_log(logged, "lost")
    assert level == "info" and "next try in" in text
    assert said_in_the_log(logged, "status disconnected") == [("info", "status disconnected (waiting)")]


def test_stopping_closes_in_order(rig: Rig) -> None:
    """The connection is closed, not reset, and the Deferred fires when it has ended."""
    rig.go_live("EURUSD")
    done: list[object] = []
    rig.service.stopService().addCallback(done.append)
    assert not done
    rig.run(0.1)
    assert done and not rig.net.open
    assert rig.status == "disconnected"
    rig.run(100, 1)
    assert len(rig.net.attempts) == 1


def test_stopping_has_a_deadline(rig: Rig) -> None:
    """A connection that does not close is reset when the deadline has passed."""
    rig.go_live()
    rig.connection.client.loseConnection = lambda: None  # type: ignore[method-assign]
    done: list[object] = []
    rig.service.stopService().addCallback(done.append)
    rig.run(2.5, 0.1)
    assert not done
    rig.run(1, 0.1)
    assert done


def test_ids_are_good_for_one_session(rig: Rig) -> None:
    """After a reconnect names are looked up anew: the server may have given the id to another symbol."""
    rig.go_live("EURUSD")
    one, two = (rig.symbol_id(name) for name in ("EURUSD", "GBPUSD"))
    for light in rig.dependencies.catalogue.light_symbols:
        light.symbolName = {"EURUSD": "GBPUSD", "GBPUSD": "EURUSD"}.get(light.symbolName, light.symbolName)
    rig.connection.reset()
    rig.until(lambda: rig.counters.reconnects == 1)
    assert (rig.symbol_id("EURUSD"), rig.symbol_id("GBPUSD")) == (two, one)
    rig.listener.spots.clear()
    rig.run(20)
    assert {spot[0] for spot in rig.listener.spots} == {two}


def test_two_symbols_of_one_name(rig: Rig, logged: list[LogEvent]) -> None:
    """The first is kept, and the other is logged."""
    lights = rig.dependencies.catalogue.light_symbols
    lights.add(symbolId=8888, symbolName="EURUSD") if hasattr(lights, "add") else lights.append(
        type(lights[0])(symbolId=8888, symbolName="EURUSD")
    )
    rig.go_live("EURUSD")
    assert rig.upstream_set() == {"EURUSD"} and rig.symbol_id("EURUSD") != 8888
    assert any("two symbols are called" in (e.get("log_format") or "") for e in logged)


def test_without_the_comforts(rig: Rig) -> None:
    """A server without assets and categories: the session becomes live with the data there is."""
    for request in ("ProtoOAAssetListReq", "ProtoOAAssetClassListReq", "ProtoOASymbolCategoryListReq"):
        rig.refuse(request, "UNSUPPORTED_MESSAGE")
    rig.go_live("EURUSD")
    euro = next(s for s in rig.listener.symbols if s.name == "EURUSD")
    assert (euro.digits, euro.base, euro.category) == (5, "", "")


def test_comforts_that_never_come_delay_but_do_not_fail(rig: Rig) -> None:
    """Without an answer to those requests the session becomes live ten seconds later."""
    rig.hang("ProtoOAAssetListReq")
    rig.service.startService()
    took = rig.until(lambda: rig.state == "live")
    assert 9 < took < 11 and len(rig.net.attempts) == 1


def test_an_error_of_our_own_is_logged_and_lived_through(rig: Rig, expected_failures: list[LogEvent]) -> None:
    """An exception in a step ends the connection, not the service."""
    real = rig.listener.symbols_loaded

    def fail(symbols: Sequence[Symbol]) -> None:
        raise ZeroDivisionError

    rig.listener.symbols_loaded = fail  # type: ignore[method-assign]
    rig.service.startService()
    rig.until(lambda: expected_failures)
    rig.run(0.1)
    assert "internal error: ZeroDivisionError" in rig.messages
    rig.listener.symbols_loaded = real  # type: ignore[method-assign]
    rig.until(lambda: rig.state == "live")
    expected_failures.clear()


def test_incoming_frames_can_be_recorded(make_rig: Callable[..., Rig], clock: Clock) -> None:
    """Each frame of the session, as it came."""
    from tickrelay.openapi.frames import open_envelope
    from tickrelay.upstream.service import UpstreamService

    rig = make_rig()
    frames: list[bytes] = []
    service = UpstreamService(
        rig.settings,
        rig.listener,
        clock,
        rig.time,
        record=frames.append,
        connect=rig.net.connect,
    )
    service.startService()
    service.want("EURUSD")
    rig.until(lambda: service.state == "live")
    types = [open_envelope(frame).payloadType for frame in frames]
    assert types[:2] == [2101, 2103] and {2115, 2117, 2128} <= set(types)
    assert len(frames) == service.counters.frames
    service.stopService()
    rig.run(4, 0.1)


def test_a_refresh_token_needs_a_file(make_rig: Callable[..., Rig]) -> None:
    """Renewed tokens must be kept: a setting error at the start, in one line."""
    from tickrelay.config.schema import Secret
    from tickrelay.model.errors import SettingError

    with pytest.raises(SettingError, match="CTRADER_TOKEN_FILE"):
        make_rig(refresh_token=Secret("x"))
