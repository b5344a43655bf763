"""Empty lists of orders and deals, which some clients request at start, and refused orders.

The five order requests have no answer of their own: a refusal is an OrderErrorEvent with the request's id.
"""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from tickrelay.openapi.messages_pb2 import (
    ProtoOAAmendOrderReq,
    ProtoOAAmendPositionSLTPReq,
    ProtoOACancelOrderReq,
    ProtoOACashFlowHistoryListReq,
    ProtoOACashFlowHistoryListRes,
    ProtoOAClosePositionReq,
    ProtoOADealListByPositionIdReq,
    ProtoOADealListByPositionIdRes,
    ProtoOADealListReq,
    ProtoOADealListRes,
    ProtoOADealOffsetListReq,
    ProtoOADealOffsetListRes,
    ProtoOAGetPositionUnrealizedPnLReq,
    ProtoOAGetPositionUnrealizedPnLRes,
    ProtoOAMarginCallListReq,
    ProtoOAMarginCallListRes,
    ProtoOANewOrderReq,
    ProtoOAOrderDetailsReq,
    ProtoOAOrderErrorEvent,
    ProtoOAOrderListByPositionIdReq,
    ProtoOAOrderListByPositionIdRes,
    ProtoOAOrderListReq,
    ProtoOAOrderListRes,
    ProtoOAReconcileReq,
    ProtoOAReconcileRes,
)
from tickrelay.simulator.answers.authority import check_account
from tickrelay.simulator.refusal import RequestRefused
from tickrelay.simulator.session import Session


def order(session: Session, request: Any) -> Sequence[Message]:
    """Any order: this server does not trade."""
    check_account(session, request.ctidTraderAccountId)
    return [
        ProtoOAOrderErrorEvent(
            ctidTraderAccountId=request.ctidTraderAccountId,
            errorCode="TRADING_DISABLED",
            description="This server does not trade",
        )
    ]


def order_details(session: Session, request: ProtoOAOrderDetailsReq) -> Sequence[Message]:
    """There is no order."""
    check_account(session, request.ctidTraderAccountId)
    raise RequestRefused("ORDER_NOT_FOUND", "Order is not found", account_id=request.ctidTraderAccountId)


def _nothing(answer: type[Message], **fields: Any) -> Callable[[Session, Any], Sequence[Message]]:
    """Answers with an empty list."""

    def answer_empty(session: Session, request: Any) -> Sequence[Message]:
        check_account(session, request.ctidTraderAccountId)
        if "ctidTraderAccountId" in answer.DESCRIPTOR.fields_by_name:
            return [answer(ctidTraderAccountId=request.ctidTraderAccountId, **fields)]
        return [answer(**fields)]

    return answer_empty


ANSWERS: dict[type[Message], Any] = {
    ProtoOANewOrderReq: order,
    ProtoOACancelOrderReq: order,
    ProtoOAAmendOrderReq: order,
    ProtoOAAmendPositionSLTPReq: order,
    ProtoOAClosePositionReq: order,
    ProtoOAOrderDetailsReq: order_details,
    ProtoOAReconcileReq: _nothing(ProtoOAReconcileRes),
    ProtoOADealListReq: _nothing(ProtoOADealListRes, hasMore=False),
    ProtoOAOrderListReq: _nothing(ProtoOAOrderListRes, hasMore=False),
    ProtoOADealListByPositionIdReq: _nothing(ProtoOADealListByPositionIdRes, hasMore=False),
    ProtoOAOrderListByPositionIdReq: _nothing(ProtoOAOrderListByPositionIdRes, hasMore=False),
    ProtoOADealOffsetListReq: _nothing(ProtoOADealOffsetListRes),
    ProtoOACashFlowHistoryListReq: _nothing(ProtoOACashFlowHistoryListRes),
    ProtoOAMarginCallListReq: _nothing(ProtoOAMarginCallListRes),
    ProtoOAGetPositionUnrealizedPnLReq: _nothing(ProtoOAGetPositionUnrealizedPnLRes, moneyDigits=2),
}
