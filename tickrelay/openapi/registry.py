"""Every payload type of the cTrader Open API, found by number, by either name, or by message class.

Built from the descriptors (the default of a message's ``payloadType`` field), never by turning one spelling into
the other: several names do not follow the pattern, such as ``ProtoOATraderUpdatedEvent``, which is
``PROTO_OA_TRADER_UPDATE_EVENT``.
"""

import re
from dataclasses import dataclass

from google.protobuf.message import Message

from tickrelay.openapi import common_model_pb2, common_pb2, messages_pb2, model_pb2

# SubscribeLiveTrendbar and its opposite are the two requests whose answer is not the next number.
_ANSWERS_ELSEWHERE = {2135: 2165, 2136: 2166}

_HISTORICAL = frozenset(
    {
        "ProtoOAGetTrendbarsReq",
        "ProtoOAGetTickDataReq",
        "ProtoOADealListReq",
        "ProtoOADealListByPositionIdReq",
        "ProtoOAOrderListReq",
        "ProtoOAOrderListByPositionIdReq",
        "ProtoOACashFlowHistoryListReq",
    }
)


class UnknownPayloadType(LookupError):
    """No payload type of the schema has this number, name or class."""


@dataclass(frozen=True, slots=True)
class PayloadType:
    """One row of the registry: ``2131``, ``ProtoOASpotEvent``, ``PROTO_OA_SPOT_EVENT`` and the message class."""

    number: int
    name: str
    enum_name: str
    message: type[Message]
    historical: bool
    """A request for history, of which cTrader allows a connection 5 a second (Open API documentation), not 50."""

    @property
    def answer(self) -> "PayloadType | None":
        """What answers this request; None for an event, an answer, or an order (which has no answer of its own)."""
        if not self.name.endswith("Req"):
            return None
        found = _BY_NUMBER.get(_ANSWERS_ELSEWHERE.get(self.number, self.number + 1))
        return found if found is not None and found.name.endswith("Res") else None


def lookup(key: "int | str | type[Message] | Message") -> PayloadType:
    """Find a payload type by number, ``PascalCase`` name, ``SCREAMING_SNAKE`` name, message class or message.

    Raises UnknownPayloadType, which names what was asked for.
    """
    found: PayloadType | None
    if isinstance(key, int):
        found = _BY_NUMBER.get(key)
    elif isinstance(key, str):
        found = _BY_NAME.get(key)
    else:
        found = _BY_NAME.get(key.DESCRIPTOR.name)
    if found is None:
        raise UnknownPayloadType(f"no payload type {key!r} in the cTrader Open API schema")
    return found


def find(number: int) -> PayloadType | None:
    """The payload type with this number, or None: newer servers send numbers this schema does not know."""
    return _BY_NUMBER.get(number)


def all_types() -> list[PayloadType]:
    """Every payload type that has a message, by ascending number."""
    return sorted(_BY_NUMBER.values(), key=lambda t: t.number)


def _screaming(name: str) -> str:
    """``ProtoOASpotEvent`` -> ``PROTO_OA_SPOT_EVENT``: the spelling that people expect, where the enum has another."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()


def _collect() -> tuple[dict[int, PayloadType], dict[str, PayloadType]]:
    by_number: dict[int, PayloadType] = {}
    by_name: dict[str, PayloadType] = {}
    enums = (
        common_model_pb2.DESCRIPTOR.enum_types_by_name["ProtoPayloadType"],
        model_pb2.DESCRIPTOR.enum_types_by_name["ProtoOAPayloadType"],
    )
    enum_names = {value.number: value.name for enum in enums for value in enum.values}
    for module in (common_pb2, messages_pb2):
        for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
            field = descriptor.fields_by_name.get("payloadType")
            if field is None or field.enum_type is None:
                continue  # the envelope, whose payloadType is a plain number
            number = field.default_value
            row = PayloadType(number, name, enum_names[number], getattr(module, name), name in _HISTORICAL)
            by_number[number] = row
            for spelling in (name, row.enum_name, _screaming(name)):
                by_name[spelling] = row
    return by_number, by_name


_BY_NUMBER, _BY_NAME = _collect()
