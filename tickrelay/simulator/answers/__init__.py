"""What each request gets: the answer first, then the events that it sets off. A request is refused by raising
RequestRefused.

``authority`` logs in and out and renews tokens; ``reference`` tells of symbols, categories, assets, the trader;
``quotes`` subscribes spots; ``charts`` has bars, history and depth; ``trading``
answers those who want to trade.
"""

from collections.abc import Mapping

from google.protobuf.message import Message

from tickrelay.openapi import registry
from tickrelay.simulator.answers import authority, charts, quotes, reference, trading
from tickrelay.simulator.session import Answer

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
"""Payload type of a request -> the function that answers it."""
