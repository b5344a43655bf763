"""Answers of megabytes go when they have been read, and not when the garbage collector comes by."""

import gc
import sys

import pytest

from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock

from tests.support.relay import TestClock
from tickrelay.openapi import registry
from tickrelay.openapi.messages_pb2 import ProtoOASymbolsListReq, ProtoOASymbolsListRes
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.request_limiter import RequestLimiter
from tickrelay.upstream.requests import Requests


@pytest.mark.parametrize("rate_limited", [False, True])
def test_nothing_refers_to_an_answer_that_was_read(clock: Clock, rate_limited: bool) -> None:
    """As the symbol table asks: several requests at once."""
    sent: list[str] = []
    limiter = RequestLimiter(TestClock(clock), 45 if not rate_limited else 2)
    requests = Requests(TestClock(clock), limiter, Counters(), lambda _, msg_id: sent.append(msg_id))
    answer = ProtoOASymbolsListRes(ctidTraderAccountId=1)
    number = registry.lookup(answer).number
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(answer)
        read: list[int] = []
        asked = [requests.ask(ProtoOASymbolsListReq(ctidTraderAccountId=1), 10.0) for _ in range(3)]
        gatherResults(asked, consumeErrors=True).addCallback(lambda answers: read.append(len(answers)))
        for _ in range(40):
            clock.advance(0.1)
            while sent:
                requests.answered(sent.pop(), number, answer, None)
        del asked
        assert read == [3] and sys.getrefcount(answer) == before
    finally:
        gc.enable()
        limiter.stop()
