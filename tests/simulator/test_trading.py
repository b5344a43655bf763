"""An account that never trades."""

import pytest
from google.protobuf.message import Message

from tests.support.broker import Peer
from tickrelay.openapi import registry
from tickrelay.openapi.messages_pb2 import (
    ProtoOAMarginCallListRes,
    ProtoOANewOrderReq,
    ProtoOAOrderDetailsReq,
    ProtoOAOrderErrorEvent,
)
from tickrelay.simulator.answers.trading import ANSWERS, order, order_details


def request_of(kind: type[Message]) -> Message:
    """A request with every required field."""
    request = kind(ctidTraderAccountId=1001)
    for field in request.DESCRIPTOR.fields:
        if field.is_required and not request.HasField(field.name):
            value = field.enum_type.values[0].number if field.enum_type is not None else 1
            setattr(request, field.name, value)
    return request


LISTS = [kind for kind, answer in ANSWERS.items() if answer not in (order, order_details)]
ORDERS = [kind for kind, answer in ANSWERS.items() if answer is order]


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_lists_are_empty(trader: Peer, kind: type[Message]) -> None:
    """Requests for orders, positions and the like are answered with the account id and empty lists."""
    answer = trader.ask(request_of(kind))
    assert answer.DESCRIPTOR.name == registry.lookup(kind).answer.name  # type: ignore[union-attr]
    assert not answer.FindInitializationErrors()
    assert not any(field.is_repeated for field, _ in answer.ListFields())
    assert isinstance(answer, ProtoOAMarginCallListRes) or answer.ctidTraderAccountId == 1001


@pytest.mark.parametrize("kind", ORDERS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_orders_are_refused(trader: Peer, kind: type[Message]) -> None:
    """By an OrderErrorEvent that carries the request's id."""
    answer = trader.ask(request_of(kind))
    assert isinstance(answer, ProtoOAOrderErrorEvent)
    assert answer.errorCode == "TRADING_DISABLED"


def test_there_is_no_order(trader: Peer) -> None:
    """A request for an order's details is refused as not found."""
    assert trader.ask(ProtoOAOrderDetailsReq(ctidTraderAccountId=1001, orderId=1)).errorCode == "ORDER_NOT_FOUND"


def test_the_account_must_be_open(peer: Peer) -> None:
    """Before application auth trading requests are refused, as all others."""
    assert peer.ask(request_of(ProtoOANewOrderReq)).errorCode == "CH_CLIENT_NOT_AUTHENTICATED"
