"""What the fuzzers found, each once: the bytes arrive, and are counted or ignored."""

import pytest

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.support.frames import length_prefixed
from tests.support.link import RecordingOwner
from tests.support.relay import TestClock
from tickrelay.openapi.frames import text
from tickrelay.openapi.model_pb2 import ProtoOALightSymbol, ProtoOASymbol
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.errors import OpenApiError
from tickrelay.upstream.protocol import LinkSettings, OpenApiProtocol
from tickrelay.upstream.symbol_values import DetailsMaker, make_listed, make_symbol

FINDINGS = [
    # The description of an error is not UTF-8: protobuf gives bytes where the schema says string.
    "08de10120f1a0f494e56414c49445f524551554553542202b0141a0131",
    "08de1012151a0f494e56414c49445f524551554553542202b0141a0131",
    # The message id is not UTF-8.
    "083912001a01ff",
]


@pytest.mark.parametrize("data", FINDINGS)
def test_findings(data: str) -> None:
    """No exception, no logged failure."""
    clock = Clock()
    link = OpenApiProtocol(TestClock(clock), RecordingOwner(), lambda *_: None, Counters(), LinkSettings(account_id=1))
    link.makeConnection(StringTransport())
    link.request_named("ProtoOAVersionReq").addErrback(lambda f: f.trap(OpenApiError, Exception))
    frame = bytes.fromhex(data)
    link.dataReceived(length_prefixed(frame))
    link.connectionLost()


def test_text_that_is_no_utf_8() -> None:
    """It is text all the same, with marks where it is broken; nothing downstream sees bytes."""
    light = ProtoOALightSymbol.FromString(b"\x08\x01\x12\x03A\xffB")
    assert isinstance(light.symbolName, bytes), "else `text` has become needless"
    full = ProtoOASymbol.FromString(b"\x08\x01\x10\x05\x18\x04\xd2\x01\x02\xff\xfe")
    symbol = make_symbol(make_listed([light])[1], DetailsMaker().make(full))
    assert symbol.name == "A\ufffdB"
    assert symbol.schedule.is_open(1_764_000_000)
    assert text("plain") == "plain"
