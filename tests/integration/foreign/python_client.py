"""A user of the PyPI package ctrader-open-api: logs in, subscribes, stays past the idle cut-off, and comes back after a
drop.

Run in the package's own environment: ``python python_client.py PORT CONTROL_PORT``. Prints a line for each step.
"""

import sys
import urllib.request

from ctrader_open_api import Client, Protobuf, TcpProtocol
from ctrader_open_api.messages.OpenApiMessages_pb2 import (
    ProtoOAAccountAuthReq,
    ProtoOAApplicationAuthReq,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
    ProtoOASymbolsListReq,
)

from twisted.internet import defer, reactor, threads

PORT, CONTROL = int(sys.argv[1]), int(sys.argv[2])
STAY_S = float(sys.argv[3])
ACCOUNT = 1001
client = Client("localhost", PORT, TcpProtocol, numberOfMessagesToSendPerSecond=20)
runs = 0


def say(*words):
    """One step, as a line."""
    print(*words, flush=True)


class Spots:
    """Events of this connection."""

    count = 0


@defer.inlineCallbacks
def ask(message):
    """Send a request; its answer, or an error."""
    answer = Protobuf.extract((yield client.send(message, responseTimeoutInSeconds=10)))
    if hasattr(answer, "errorCode"):
        raise RuntimeError(f"{answer.errorCode}: {answer.description}")
    return answer


@defer.inlineCallbacks
def session():
    """What is done on each connection."""
    global runs
    runs += 1
    yield ask(ProtoOAApplicationAuthReq(clientId="sim", clientSecret="sim-secret"))
    say("application")
    yield ask(ProtoOAAccountAuthReq(ctidTraderAccountId=ACCOUNT, accessToken="sim-token"))
    say("account")
    symbols = yield ask(ProtoOASymbolsListReq(ctidTraderAccountId=ACCOUNT))
    ids = [symbol.symbolId for symbol in symbols.symbol if symbol.symbolName in ("EURUSD", "XAUUSD", "BTCUSD")]
    say("symbols", len(symbols.symbol))
    Spots.count = 0
    yield ask(ProtoOASubscribeSpotsReq(ctidTraderAccountId=ACCOUNT, symbolId=ids))
    yield wait(STAY_S if runs == 1 else 2.0)
    say("spots", Spots.count)
    if runs == 1:
        url = f"http://127.0.0.1:{CONTROL}/faults"
        yield threads.deferToThread(urllib.request.urlopen, urllib.request.Request(url, b"drop", method="POST"))
    else:
        say("done")
        reactor.stop()


def wait(seconds):
    """A Deferred that fires later."""
    done = defer.Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


def connected(_):
    """The library has connected, for the first time or again."""
    say("connected")
    session().addErrback(failed)


def failed(failure):
    """Say why, and end."""
    say("failed", failure.getErrorMessage())
    reactor.stop()


def received(_, message):
    """Every message, answers too."""
    if message.payloadType == ProtoOASpotEvent().payloadType:
        event = Protobuf.extract(message)
        assert event.symbolId and (event.bid or event.ask)
        Spots.count += 1


client.setConnectedCallback(connected)
client.setDisconnectedCallback(lambda _, reason: say("disconnected"))
client.setMessageReceivedCallback(received)
client.startService()
reactor.callLater(60, reactor.stop)
reactor.run()
