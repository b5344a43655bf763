"""Opening requests and encoding answers."""

import pytest

from tests.support.broker import APPLICATION, SYMBOLS
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import ProtoOAApplicationAuthReq, ProtoOAApplicationAuthRes
from tickrelay.simulator.envelopes import UNKNOWN_FIELD, encode_with_unknown_field, open_request
from tickrelay.simulator.refusal import RequestRefused


@pytest.mark.parametrize(("request_", "application"), [(APPLICATION, False), (APPLICATION, True), (SYMBOLS, True)])
def test_a_good_request_is_opened(request_: ProtoOAApplicationAuthReq, application: bool) -> None:
    """Application auth is served before itself, all else after it."""
    assert open_request(frames.open_envelope(frames.encode(request_)), application) == request_


@pytest.mark.parametrize(
    ("envelope", "code", "closes"),
    [
        (ProtoMessage(payloadType=2114, payload=b"\x08\xff\xff"), "INVALID_REQUEST", True),
        (ProtoMessage(payloadType=2114, payload=b""), "INVALID_REQUEST", False),
        (frames.open_envelope(frames.encode(SYMBOLS)), "CH_CLIENT_NOT_AUTHENTICATED", False),
    ],
)
def test_what_is_refused(envelope: ProtoMessage, code: str, closes: bool) -> None:
    """A broken payload closes the connection too; a missing field and a missing application auth do not."""
    with pytest.raises(RequestRefused) as raised:
        open_request(envelope, application=False)
    assert (raised.value.code, raised.value.close) == (code, closes)


def test_an_unknown_field_does_no_harm() -> None:
    """The answer is the same message, with the id of its request."""
    envelope = frames.open_envelope(encode_with_unknown_field(ProtoOAApplicationAuthRes(), "m"))
    assert envelope.payload.endswith(UNKNOWN_FIELD)
    assert envelope.clientMsgId == "m"
    assert isinstance(frames.open_payload(envelope), ProtoOAApplicationAuthRes)
