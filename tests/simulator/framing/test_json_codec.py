"""The JSON encoding of the protocol."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import (
    ProtoOAApplicationAuthRes,
    ProtoOAGetTrendbarsReq,
    ProtoOANewOrderReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolByIdRes,
)
from tickrelay.openapi.model_pb2 import ProtoOASymbol
from tickrelay.simulator.framing.json_codec import Malformed, frame_of, text_of


def test_a_request() -> None:
    """Numbers, lists, booleans; 64-bit numbers may be text; the request id is kept."""
    text = (
        '{"clientMsgId":"a1","payloadType":2127,"payload":'
        '{"ctidTraderAccountId":"1001","symbolId":[1,"41"],"subscribeToSpotTimestamp":true,"new":1}}'
    )
    envelope = frames.open_envelope(frame_of(text))
    assert envelope.clientMsgId == "a1"
    assert frames.open_payload(envelope) == ProtoOASubscribeSpotsReq(
        ctidTraderAccountId=1001, symbolId=[1, 41], subscribeToSpotTimestamp=True
    )


def test_enums_by_name_or_number_and_nested_floats() -> None:
    """Both spellings mean the same."""
    for period in (9, '"H1"'):
        text = f'{{"payloadType":2137,"payload":{{"ctidTraderAccountId":1,"symbolId":1,"period":{period}}}}}'
        message = frames.open_payload(frames.open_envelope(frame_of(text)))
        assert message == ProtoOAGetTrendbarsReq(ctidTraderAccountId=1, symbolId=1, period=9)
    text = '{"payloadType":2106,"payload":{"limitPrice":1.5,"label":"x"}}'
    assert frames.open_payload(frames.open_envelope(frame_of(text))) == ProtoOANewOrderReq(limitPrice=1.5, label="x")


def test_answers() -> None:
    """An empty payload is left out; numbers are numbers; nested messages are objects."""
    assert text_of(frames.encode(ProtoOAApplicationAuthRes(), "m")) == '{"clientMsgId":"m","payloadType":2101}'
    spot = json.loads(text_of(frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=2, bid=2**40))))
    assert spot == {"payloadType": 2131, "payload": {"ctidTraderAccountId": 1, "symbolId": 2, "bid": 2**40}}
    full = ProtoOASymbolByIdRes(ctidTraderAccountId=1, symbol=[ProtoOASymbol(symbolId=3, digits=5, pipPosition=4)])
    assert json.loads(text_of(frames.encode(full)))["payload"]["symbol"][0]["digits"] == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":1x', "Malformed JSON message at 1:7"),
        ("[1]", "no payloadType"),
        ('{"payloadType":"2100"}', "no payloadType"),
        ('{"payloadType":-1}', "out of range"),
        ('{"payloadType":2100,"payload":[]}', None),
        ('{"payloadType":2100,"payload":[1]}', "no object"),
        ('{"payloadType":2127,"payload":{"symbolId":1}}', "symbolId has a wrong value"),
        ('{"payloadType":2137,"payload":{"period":"H99"}}', "period has a wrong value"),
        ("[" * 100_000, "Malformed"),
    ],
)
def test_malformed(text: str, words: str | None) -> None:
    """The error gives the place or the field; an empty list is accepted as an empty payload."""
    if words is None:
        frame_of(text)
        return
    with pytest.raises(Malformed, match=words):
        frame_of(text)


@given(st.text(max_size=60) | st.from_regex(r'\{"payloadType":21[0-9]{2},"payload":\{"[a-z]{1,8}":[0-9]{1,3}\}\}'))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No exception but Malformed is raised."""
    try:
        frames.open_envelope(frame_of(text))
    except Malformed:
        pass
