"""The registry: every payload type by number, by either name, by class; an unknown name is an error that names it."""

import pytest

from tickrelay.openapi import messages_pb2, model_pb2, registry
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent, ProtoOASymbolsListReq


def test_all_91() -> None:
    """91 messages carry a payload type."""
    assert len(registry.all_types()) == 91


@pytest.mark.parametrize("row", registry.all_types(), ids=lambda row: row.name)
def test_every_spelling_of_every_type(row: registry.PayloadType) -> None:
    """Number, PascalCase, SCREAMING_SNAKE, class and message all find the same row."""
    for key in (row.number, row.name, row.enum_name, row.message, row.message()):
        assert registry.lookup(key) is row
    assert row.message.DESCRIPTOR.name == row.name
    assert row.message().payloadType == row.number  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("number", "name", "enum_name", "expected"),
    [
        (2123, "ProtoOATraderUpdatedEvent", "PROTO_OA_TRADER_UPDATE_EVENT", "PROTO_OA_TRADER_UPDATED_EVENT"),
        (2145, "ProtoOAGetTickDataReq", "PROTO_OA_GET_TICKDATA_REQ", "PROTO_OA_GET_TICK_DATA_REQ"),
        (
            2149,
            "ProtoOAGetAccountListByAccessTokenReq",
            "PROTO_OA_GET_ACCOUNTS_BY_ACCESS_TOKEN_REQ",
            "PROTO_OA_GET_ACCOUNT_LIST_BY_ACCESS_TOKEN_REQ",
        ),
        (2160, "ProtoOASymbolCategoryListReq", "PROTO_OA_SYMBOL_CATEGORY_REQ", "PROTO_OA_SYMBOL_CATEGORY_LIST_REQ"),
        (2131, "ProtoOASpotEvent", "PROTO_OA_SPOT_EVENT", "PROTO_OA_SPOT_EVENT"),
    ],
)
def test_names_that_do_not_follow_the_pattern(number: int, name: str, enum_name: str, expected: str) -> None:
    """The enum's spelling and the one that people expect both work."""
    for key in (name, enum_name, expected):
        assert registry.lookup(key).number == number


@pytest.mark.parametrize("key", ["ProtoOANoSuchEvent", "PROTO_OA_NO_SUCH", "", "spotEvent", 5, 0, 9999, -1])
def test_an_unknown_name_is_an_error_that_names_it(key: str | int) -> None:
    """Never a silent miss."""
    with pytest.raises(registry.UnknownPayloadType, match=repr(key)):
        registry.lookup(key)


def test_find_is_silent_about_numbers_of_newer_servers() -> None:
    """None for what this schema does not know."""
    assert registry.find(2189) is None
    assert registry.find(2131) is not None


def test_answers() -> None:
    """A request's answer has the next number, but for live trendbars; events and orders have none."""
    for row in registry.all_types():
        answer = row.answer
        if answer is not None:
            assert row.name.endswith("Req") and answer.name.endswith("Res")
            assert answer.number == {2135: 2165, 2136: 2166}.get(row.number, row.number + 1)
    assert registry.lookup(ProtoOASymbolsListReq).answer is registry.lookup("ProtoOASymbolsListRes")
    assert registry.lookup(ProtoOASpotEvent).answer is None
    assert registry.lookup("ProtoOANewOrderReq").answer is None
    assert sum(row.answer is not None for row in registry.all_types()) > 25


def test_numbers_are_those_of_the_enums() -> None:
    """No row is made up."""
    values = model_pb2.DESCRIPTOR.enum_types_by_name["ProtoOAPayloadType"].values_by_number
    for row in registry.all_types():
        if row.number >= 100:
            assert values[row.number].name == row.enum_name
            assert hasattr(messages_pb2, row.name)


def test_historical_requests() -> None:
    """The requests that cTrader limits to 5 a second: those for past bars, ticks, deals, orders and cash flows."""
    assert {row.name for row in registry.all_types() if row.historical} == {
        "ProtoOAGetTrendbarsReq",
        "ProtoOAGetTickDataReq",
        "ProtoOADealListReq",
        "ProtoOADealListByPositionIdReq",
        "ProtoOAOrderListReq",
        "ProtoOAOrderListByPositionIdReq",
        "ProtoOACashFlowHistoryListReq",
    }
