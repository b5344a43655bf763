"""Subscribing and unsubscribing spots."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.openapi.messages_pb2 import (
    ProtoOASubscribeSpotsReq,
    ProtoOASubscribeSpotsRes,
    ProtoOAUnsubscribeSpotsReq,
    ProtoOAUnsubscribeSpotsRes,
)
from tickrelay.simulator.answers.authority import check_account
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.session import Session
from tickrelay.simulator.spots import Subscription, technical_event


def subscribe_spots(session: Session, request: ProtoOASubscribeSpotsReq) -> Sequence[Message]:
    """Subscribe symbols; one technical event for each follows the answer. All or none where the batch is wrong."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    wanted = list(dict.fromkeys(request.symbolId))
    known = [i for i in wanted if broker.trades(i)]
    if len(known) < len(wanted) and (broker.rules.unknown_symbol_fails_batch or not known):
        raise RequestRefused("SYMBOL_NOT_FOUND", "Symbol is not found", account_id=account_id)
    fresh = [i for i in known if broker.subscription(session.number, account_id, i) is None]
    if len(fresh) < len(known) and (broker.rules.mixed_batch_refused or not fresh):
        raise RequestRefused("ALREADY_SUBSCRIBED", account_id=account_id)  # no description (seen on the live server)
    events: list[Message] = []
    for symbol_id in fresh:
        subscription = Subscription(session, account_id, request.subscribeToSpotTimestamp)
        broker.subscribe(subscription, symbol_id)
        last = broker.source.technical(symbol_id)
        if last is not None and not broker.active_faults.silent_ticks:
            events.append(technical_event(last, subscription))
    broker.source.subscribed(broker.market_now(), broker.settings.speed)
    broker.wake()
    return [ProtoOASubscribeSpotsRes(ctidTraderAccountId=account_id), *events]


def unsubscribe_spots(session: Session, request: ProtoOAUnsubscribeSpotsReq) -> Sequence[Message]:
    """Unsubscribe symbols; a few late events may still come."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    wanted = dict.fromkeys(request.symbolId)
    held = [i for i in wanted if broker.subscription(session.number, account_id, i) is not None]
    if len(held) < len(wanted) and not broker.rules.unsubscribe_unknown_ok:
        raise RequestRefused("NOT_SUBSCRIBED_TO_SPOTS", account_id=account_id)
    for symbol_id in held:
        broker.unsubscribe(session.number, account_id, symbol_id)
    return [ProtoOAUnsubscribeSpotsRes(ctidTraderAccountId=account_id)]


ANSWERS: dict[type[Message], Any] = {
    ProtoOASubscribeSpotsReq: subscribe_spots,
    ProtoOAUnsubscribeSpotsReq: unsubscribe_spots,
}
