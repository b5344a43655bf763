"""TLS handshakes: a millisecond of the reactor each, before the first byte of a request. Measured, and done in turn."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOProtocol

InTurn = Callable[[Callable[[], object]], None]


def meter_handshake(transport: Any, in_turn: InTurn) -> None:
    """Let *in_turn* do each part of the handshake; without effect where *transport* is not TLS.

    Twisted (26.10) has no hook for a part, only for the end (IHandshakeListener). The TCP transport looks
    ``dataReceived`` up for each part, so one on the instance takes the place of the class' until `end_meter`.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        receive = transport.dataReceived
        transport.dataReceived = lambda data: in_turn(partial(receive, data))  # type: ignore[method-assign]


def end_meter(transport: Any) -> None:
    """The handshake is done, or the connection is gone."""
    if isinstance(transport, TLSMemoryBIOProtocol):
        vars(transport).pop("dataReceived", None)
