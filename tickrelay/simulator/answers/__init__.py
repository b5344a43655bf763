"""What each request is answered with: the answer first, then the events that it sets off.

A function takes the session and the request, and refuses by raising `tickrelay.simulator.refusal.RequestRefused`.
The table `ANSWERS` is passed to each session by the factory that makes it::

    authority    versions, application and account auth, account lists, token renewal
    reference    symbols, categories, asset classes, assets, the trader
    quotes       subscribing and unsubscribing spots
    charts       live trend bars, history of bars and ticks, depth
    trading      empty lists of orders and deals; orders are refused
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
