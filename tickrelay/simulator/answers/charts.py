"""Live trend bars, bar and tick history, depth."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.model.quotes import ASK, BID
from tickrelay.model.ticks import PRICE_DIGITS
from tickrelay.openapi.messages_pb2 import (
    ProtoOAGetTickDataReq,
    ProtoOAGetTickDataRes,
    ProtoOAGetTrendbarsReq,
    ProtoOAGetTrendbarsRes,
    ProtoOASubscribeDepthQuotesReq,
    ProtoOASubscribeDepthQuotesRes,
    ProtoOASubscribeLiveTrendbarReq,
    ProtoOASubscribeLiveTrendbarRes,
    ProtoOAUnsubscribeDepthQuotesReq,
    ProtoOAUnsubscribeDepthQuotesRes,
    ProtoOAUnsubscribeLiveTrendbarReq,
    ProtoOAUnsubscribeLiveTrendbarRes,
)
from tickrelay.openapi.model_pb2 import ProtoOAQuoteType, ProtoOATickData
from tickrelay.simulator.answers.authority import check_account
from tickrelay.simulator.market.bars import MINUTES, start_of
from tickrelay.simulator.market.depth import DepthSubscription
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.session import Session
from tickrelay.simulator.spots import technical_event

MAX_BARS = 5000
MAX_TICKS = 5000


def subscribe_live_bars(session: Session, request: ProtoOASubscribeLiveTrendbarReq) -> Sequence[Message]:
    """Subscribe one symbol and period; a technical event with the bar follows. Spots must be subscribed."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    subscription = broker.subscription(session.number, account_id, request.symbolId)
    if subscription is None:
        # The Open API documentation has NOT_SUBSCRIBED_TO_SPOTS; the rule's default was seen on the live server.
        raise RequestRefused(broker.rules.live_bar_without_spots, "Spots are not subscribed", account_id=account_id)
    if request.period in subscription.periods:
        raise RequestRefused("ALREADY_SUBSCRIBED", account_id=account_id)
    subscription.periods = (*subscription.periods, request.period)
    answer = ProtoOASubscribeLiveTrendbarRes(ctidTraderAccountId=account_id)
    last = broker.source.technical(request.symbolId)
    if last is None:
        return [answer]
    event = technical_event(last, subscription)
    bar = broker.history.of(request.symbolId).live(request.period)
    if bar is not None:
        event.trendbar.append(bar.live(request.period))
    return [answer, event]


def unsubscribe_live_bars(session: Session, request: ProtoOAUnsubscribeLiveTrendbarReq) -> Sequence[Message]:
    """Unsubscribe one symbol and period; succeeds also where it was not subscribed."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    subscription = broker.subscription(session.number, account_id, request.symbolId)
    if subscription is not None:
        subscription.periods = tuple(period for period in subscription.periods if period != request.period)
    return [ProtoOAUnsubscribeLiveTrendbarRes(ctidTraderAccountId=account_id)]


def _check_symbol(session: Session, symbol_id: int, account_id: int) -> None:
    check_account(session, account_id)
    if not session.broker.trades(symbol_id):
        raise RequestRefused("UNKNOWN_SYMBOL", "Unknown symbol", account_id=account_id)


def trendbars(session: Session, request: ProtoOAGetTrendbarsReq) -> Sequence[Message]:
    """Bars, oldest first. With a count they are counted back from the end, and the beginning does not bound them."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    _check_symbol(session, request.symbolId, account_id)
    to_ms = request.toTimestamp or round(broker.market_now() * 1000)
    from_ms = 0 if request.count else max(0, request.fromTimestamp)
    if not request.count and not request.fromTimestamp:
        raise RequestRefused("INCORRECT_BOUNDARIES", "Neither a count nor a beginning", account_id=account_id)
    if from_ms > to_ms or to_ms < 0:
        raise RequestRefused("INCORRECT_BOUNDARIES", "The end lies before the beginning", account_id=account_id)
    most = min(request.count or MAX_BARS, MAX_BARS)
    # The future has no bars; a far end must not make the search long.
    now_ms = round(broker.market_now() * 1000)
    to_ms = min(to_ms, now_ms)
    # The bar that contains the beginning is included (seen on the live server). No calendar reaches the far future: a
    # beginning there is brought near, to a bar that is not begun yet.
    near = now_ms // 60_000 + 2 * MINUTES[request.period]
    begin = start_of(request.period, min(from_ms // 60_000, near))
    found = broker.history.bars(request.symbolId, request.period, begin, to_ms // 60_000, most + 1)
    return [
        ProtoOAGetTrendbarsRes(
            ctidTraderAccountId=account_id,
            period=request.period,
            timestamp=to_ms,
            trendbar=[bar.historical() for bar in found[-most:]],
            symbolId=request.symbolId,
            hasMore=len(found) > most,
        )
    ]


def tick_data(session: Session, request: ProtoOAGetTickDataReq) -> Sequence[Message]:
    """Changes of one side, newest first: the first absolute, the others as differences from the one before."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    _check_symbol(session, request.symbolId, account_id)
    to_ms = request.toTimestamp or round(broker.market_now() * 1000)
    from_ms = request.fromTimestamp or max(0, to_ms - round(broker.rules.full_history_s * 1000))
    if from_ms > to_ms or to_ms - from_ms > broker.rules.full_history_s * 1000:
        raise RequestRefused("INCORRECT_BOUNDARIES", "At most a week, and in order", account_id=account_id)
    side = BID if request.type == ProtoOAQuoteType.BID else ASK
    found, more = broker.history.of(request.symbolId).sides[side].newest(from_ms, to_ms, MAX_TICKS)
    ticks = []
    time_ms = price = 0
    for next_ms, next_price in found:
        ticks.append(ProtoOATickData(timestamp=next_ms - time_ms, tick=next_price - price))
        time_ms, price = next_ms, next_price
    return [ProtoOAGetTickDataRes(ctidTraderAccountId=account_id, tickData=ticks, hasMore=more)]


def subscribe_depth(session: Session, request: ProtoOASubscribeDepthQuotesReq) -> Sequence[Message]:
    """The whole book of each symbol follows, then its changes."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    key = session.number, account_id
    wanted = list(dict.fromkeys(request.symbolId))
    if any(not broker.trades(i) for i in wanted) or not wanted:
        raise RequestRefused("SYMBOL_NOT_FOUND", "Symbol is not found", account_id=account_id)
    if broker.rules.depth_needs_spots and any(broker.subscription(*key, i) is None for i in wanted):
        raise RequestRefused("NOT_SUBSCRIBED_TO_SPOTS", account_id=account_id)
    if any(broker.depth.subscribed(key, i) for i in wanted):
        raise RequestRefused("ALREADY_SUBSCRIBED", account_id=account_id)
    events: list[Message] = []
    for symbol_id in wanted:
        last = broker.source.technical(symbol_id)
        if last is None:
            continue
        full = broker.catalogue.full_symbols.get(symbol_id)
        unit = 10 ** (PRICE_DIGITS - full.digits) if full is not None else 1
        events.append(broker.depth.subscribe(DepthSubscription(session, account_id), last, unit))
    return [ProtoOASubscribeDepthQuotesRes(ctidTraderAccountId=account_id), *events]


def unsubscribe_depth(session: Session, request: ProtoOAUnsubscribeDepthQuotesReq) -> Sequence[Message]:
    """Unsubscribe the depth of symbols; succeeds also where it was not subscribed."""
    broker, account_id = session.broker, request.ctidTraderAccountId
    check_account(session, account_id)
    for symbol_id in request.symbolId:
        broker.depth.unsubscribe((session.number, account_id), symbol_id)
    return [ProtoOAUnsubscribeDepthQuotesRes(ctidTraderAccountId=account_id)]


ANSWERS: dict[type[Message], Any] = {
    ProtoOASubscribeLiveTrendbarReq: subscribe_live_bars,
    ProtoOAUnsubscribeLiveTrendbarReq: unsubscribe_live_bars,
    ProtoOAGetTrendbarsReq: trendbars,
    ProtoOAGetTickDataReq: tick_data,
    ProtoOASubscribeDepthQuotesReq: subscribe_depth,
    ProtoOAUnsubscribeDepthQuotesReq: unsubscribe_depth,
}
