"""What each request gets: the answer first, then the events that it sets off. A request is refused by raising
RequestRefused.

``authority`` logs in and out and renews tokens; ``reference`` tells of symbols, categories, assets, the trader;
``quotes`` subscribes spots; ``charts`` has bars, history and depth; ``trading``
answers those who want to trade.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.openapi import registry
from tickrelay.openapi.messages_pb2 import ProtoOAApplicationAuthReq, ProtoOARefreshTokenReq, ProtoOAVersionReq
from tickrelay.simulator.answers import authority, charts, quotes, reference, trading

Answer = Callable[[Any, Any], Sequence[Message]]

_TABLES: tuple[Mapping[type[Message], Answer], ...] = (
    authority.ANSWERS,
    reference.ANSWERS,
    quotes.ANSWERS,
    charts.ANSWERS,
    trading.ANSWERS,
)

ANSWERS: Mapping[int, Answer] = {
    registry.lookup(request).number: answer for table in _TABLES for request, answer in table.items()
}
"""Payload type of a request -> what answers it."""

OPEN_TO_ALL = frozenset(
    registry.lookup(request).number
    for request in (ProtoOAApplicationAuthReq, ProtoOAVersionReq, ProtoOARefreshTokenReq)
)
"""Requests that are looked at before the application has logged in."""
