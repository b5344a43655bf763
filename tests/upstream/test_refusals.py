"""Every error code at every request: the session reacts by the code's class and never retries in a tight loop."""

from collections.abc import Callable

import pytest

from twisted.logger import LogEvent

from tests.support.rig import Rig
from tickrelay.config.schema import Secret
from tickrelay.openapi import common_model_pb2, model_pb2
from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.upstream.errors import ERROR_CLASSES, ErrorClass, OpenApiError, classify

CODES = [
    value.name
    for enum in (
        common_model_pb2.DESCRIPTOR.enum_types_by_name["ProtoErrorCode"],
        model_pb2.DESCRIPTOR.enum_types_by_name["ProtoOAErrorCode"],
    )
    for value in enum.values
]
MENDING = (ErrorClass.FATAL_APPLICATION, ErrorClass.FATAL_ACCOUNT, ErrorClass.TOKEN)


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_schema_has_a_class(code: str) -> None:
    """No code of the schema is unknown."""
    assert code in ERROR_CLASSES


def test_names_that_no_schema_has_are_unknown() -> None:
    """A new code has the class UNKNOWN."""
    assert classify("SOMETHING_NEW") is ErrorClass.UNKNOWN


def test_the_text_decides_where_the_code_does_not() -> None:
    """A lost account session is answered with INVALID_REQUEST and a text."""
    assert classify("INVALID_REQUEST", "Trading account is not authorized") is ErrorClass.REAUTH_ACCOUNT
    assert classify("UNSUPPORTED_MESSAGE", "Trading account is not authorized") is ErrorClass.REAUTH_ACCOUNT
    assert classify("INVALID_REQUEST", "Malformed") is ErrorClass.CLIENT_BUG


@pytest.mark.parametrize(("given", "seconds"), [(1_764_000_000, 1_764_000_000.0), (1_764_000_000_000, 1_764_000_000.0)])
def test_maintenance_end_in_seconds_or_milliseconds(given: int, seconds: float) -> None:
    """The size tells which."""
    assert OpenApiError("SERVER_IS_UNDER_MAINTENANCE", maintenance_end=given).maintenance_end_s == seconds


STAGES = ["ProtoOAApplicationAuthReq", "ProtoOAAccountAuthReq", "ProtoOASymbolsListReq"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [*CODES, "SOMETHING_NEW"])
def test_a_code_on_the_way_to_live(make_rig: Callable[..., Rig], stage: str, code: str) -> None:
    """Refused for ten minutes, then accepted: few retries, an error where an operator must act, then live."""
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    rig.refuse(stage, code, "said the server")
    rig.service.startService()
    rig.service.want("EURUSD")
    rig.run(600, 0.25)
    kind = classify(code)
    if kind is ErrorClass.SUCCESS and stage != "ProtoOASymbolsListReq":
        # In disguise: on the way on; the simulator then misses the step that it was told to refuse.
        assert len(rig.sent(stage)) >= 1
    elif (
        kind is ErrorClass.SUCCESS
        or kind in MENDING
        or kind in (ErrorClass.UNKNOWN, ErrorClass.CLIENT_BUG, ErrorClass.TRADING, ErrorClass.SYMBOL)
    ):
        assert rig.status == "error"
        assert code in rig.message
        assert len(rig.net.attempts) <= 6
    elif code == "CONNECTIONS_LIMIT_EXCEEDED":
        assert len(rig.net.attempts) <= 6
        assert rig.status == "ctrader-connecting"
    elif code == "SERVER_IS_UNDER_MAINTENANCE":
        assert len(rig.net.attempts) <= 8
    else:
        assert rig.status == "ctrader-connecting", "passing trouble"
        assert len(rig.net.attempts) <= 60
    rig.refuse(stage, "")
    rig.until(lambda: rig.state == "live", 1200, 0.25)
    assert rig.upstream_set() == {"EURUSD"} and rig.net.most_open == 1


@pytest.mark.parametrize("code", [*CODES, "SOMETHING_NEW"])
def test_a_code_on_a_subscription(make_rig: Callable[..., Rig], code: str) -> None:
    """A refused subscription affects that symbol at most, is reported once, and is not repeated in a loop."""
    rig = make_rig(simulator={"symbols": ("EURUSD",)})
    rig.go_live()
    rig.refuse("ProtoOASubscribeSpotsReq", code, "said the server")
    rig.service.want("EURUSD")
    rig.run(600, 0.25)
    kind = classify(code)
    requests = len(rig.sent("ProtoOASubscribeSpotsReq"))
    if kind is ErrorClass.SUCCESS or code == "NO_QUOTES":
        assert rig.service.explain("EURUSD").confirmed_at_ms
        assert requests <= 12, "no spots follow, so the silent feed is asked for again, patiently"
    elif kind is ErrorClass.RATE:
        assert requests <= 12
    elif kind in (*MENDING, ErrorClass.REAUTH_APPLICATION) or code in (
        "SERVER_IS_UNDER_MAINTENANCE",
        "CONNECTIONS_LIMIT_EXCEEDED",
    ):
        assert len(rig.net.attempts) > 1, "the session's to mend"
    elif kind is ErrorClass.REAUTH_ACCOUNT:
        assert rig.counters.account_losses > 1
        assert len(rig.net.attempts) <= 60
    elif kind is ErrorClass.RETRY and code not in ("UNKNOWN_ERROR", "CONCURRENT_MODIFICATION"):
        assert requests in range(7, 20) and rig.state == "live"
    else:
        assert rig.listener.refused == {"EURUSD": code}
        assert requests <= 4 and rig.state == "live"
    rig.refuse("ProtoOASubscribeSpotsReq", "")
    if rig.listener.refused or kind is ErrorClass.SUCCESS or code == "NO_QUOTES":
        rig.connection.reset()  # what was refused is asked for again in the next session
        rig.until(lambda: rig.state == "connecting", 1000, 0.25)
    rig.until(lambda: rig.state == "live" and rig.upstream_set() == {"EURUSD"}, 2000, 0.25)
    assert rig.net.most_open == 1


def test_the_message_says_what_to_mend_application(make_rig: Callable[..., Rig]) -> None:
    """A wrong secret: the message names the application's settings."""
    rig = make_rig(client_id="nobody")
    rig.service.startService()
    rig.run(1)
    assert "CTRADER_CLIENT_ID" in rig.message


def test_the_message_says_what_to_mend_account(make_rig: Callable[..., Rig]) -> None:
    """An account that the token does not open: the message lists those that it opens."""
    rig = make_rig(account_id=4711)
    rig.service.startService()
    rig.run(1)
    assert rig.status == "error"
    assert "does not open account 4711" in rig.message and "1001" in rig.message


def test_the_message_says_what_to_mend_login_number(make_rig: Callable[..., Rig]) -> None:
    """A login number in place of the account id: the message has the id."""
    rig = make_rig(account_id=5_001_001)
    rig.service.startService()
    rig.run(1)
    assert rig.message.endswith("set CTRADER_ACCOUNT_ID=1001")


def test_the_message_says_what_to_mend_token(make_rig: Callable[..., Rig]) -> None:
    """A wrong token: the message names its setting, and does not contain the token."""
    rig = make_rig(access_token=Secret("canary-token"))
    rig.service.startService()
    rig.run(1)
    assert rig.status == "error"
    assert "CTRADER_ACCESS_TOKEN" in rig.message and "canary" not in rig.message


@pytest.mark.parametrize(
    ("unit", "ahead_s", "waits"),
    [(1, 300, (300, 303)), (1000, 300, (300, 303)), (1, 86_400, (900, 903)), (1, -50, (5, 8))],
)
def test_maintenance_is_waited_for(rig: Rig, unit: int, ahead_s: float, waits: tuple[float, float]) -> None:
    """Until its announced end, in seconds or milliseconds, at least 5 s, at most 15 min."""
    rig.go_live("EURUSD")
    end = int((rig.wall() + ahead_s) * unit)
    rig.refuse("ProtoOAApplicationAuthReq", "SERVER_IS_UNDER_MAINTENANCE", "Maintenance", maintenance_end=end)
    rig.connection.finish()
    rig.until(lambda: len(rig.net.attempts) == 2, 10)
    rig.run(0.5)
    began = rig.clock.seconds()
    assert "maintenance" in rig.message and rig.status == "ctrader-connecting"
    rig.until(lambda: len(rig.net.attempts) == 3, 1000, 0.1)
    assert waits[0] - 1 <= rig.clock.seconds() - began <= waits[1]
    rig.refuse("ProtoOAApplicationAuthReq", "")
    rig.until(lambda: rig.state == "live", 2000, 0.1)


def test_an_error_that_answers_nothing_of_either_kind(rig: Rig) -> None:
    """A maintenance event in the common error message, its end in milliseconds, ends the session until then."""
    rig.go_live("EURUSD")
    end = int((rig.wall() + 60) * 1000)
    rig.inject(ProtoErrorRes(errorCode="SERVER_IS_UNDER_MAINTENANCE", maintenanceEndTimestamp=end))
    assert rig.status == "disconnected" and "maintenance" in rig.message
    began = rig.clock.seconds()
    rig.until(lambda: rig.state == "live", 100)
    assert 59 <= rig.clock.seconds() - began <= 63


def test_an_unknown_error_that_answers_nothing_is_logged(rig: Rig, logged: list[LogEvent]) -> None:
    """It is logged and the session goes on."""
    rig.go_live("EURUSD")
    rig.inject(ProtoErrorRes(errorCode="SOMETHING_NEW", description="with a text"))
    rig.run(1)
    assert rig.state == "live"
    assert any("SOMETHING_NEW" in str(e.get("error", "")) for e in logged)


def test_connection_limit_waits_a_minute(make_rig: Callable[..., Rig]) -> None:
    """The server may still count a dead connection: the wait is a minute at least, and the message gives the reason."""
    rig = make_rig(rules={"max_connections": 0})
    rig.service.startService()
    rig.run(59, 0.1)
    assert len(rig.net.attempts) == 1
    assert "too many connections" in rig.message
    rig.dependencies.change(max_connections=25)
    rig.until(lambda: rig.state == "live", 100, 0.1)
