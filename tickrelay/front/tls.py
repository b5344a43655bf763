"""TLS handshakes: a millisecond of the reactor each, before the first byte of a request. Measured, and done in turn.

And what comes after: few messages that are no data of the client's, and an end at which OpenSSL's state is freed.
"""

from collections.abc import Callable
from functools import partial
from traceback import clear_frames
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

MAX_STEPS_AFTER = 64
"""Steps of OpenSSL's state machine after the handshake. A key update (RFC 8446, 4.6.3) takes two or three, and a client
needs one in 300 GB; the answer to a renegotiation and an alert are one each."""

READ_BYTES = 4_096
"""Read of a TLS client in one turn, after the handshake: 150 key updates, 1.5 ms."""

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


def bound_messages(transport: Any) -> None:
    """Abort the connection once its client has sent too many messages that are neither data nor the handshake's; to be
    called after the handshake, without effect where *transport* is not TLS.

    OpenSSL reads on until there is data: 64 KiB of key updates would take some 25 ms, and the ledger knows of none.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        # TCP's abort, which waits for the next turn: OpenSSL must not be called again from within a call of it.
        tcp: Any = transport.transport
        # Also the number of bytes at which Twisted (26.10) pauses the connection's producer.
        tcp.bufferSize = READ_BYTES
        transport.getHandle().set_info_callback(_Steps(tcp.abortConnection))


class _Steps:
    """Called by OpenSSL at each step of a connection's state machine."""

    __slots__ = ("_abort", "_left")

    def __init__(self, abort: Callable[[], object]) -> None:
        self._abort = abort
        self._left = MAX_STEPS_AFTER

    def __call__(self, *step: object) -> None:
        self._left -= 1
        if not self._left:
            self._abort()


def free_when_lost(transport: Any) -> None:
    """Let OpenSSL's state of the connection, some 60 KiB, be freed when it ends; no effect where it is not TLS.

    Twisted (26.10) keeps the error of a connection that ends without close_notify in a local variable: failure,
    traceback and frame are a reference cycle, in which the state would stay until Python collects its oldest
    generation, perhaps thousands of connections later. `Failure.cleanFailure` keeps the traceback.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        finish = transport._tlsShutdownFinished

        def finished(reason: Failure | None) -> None:
            vars(transport).pop("_tlsShutdownFinished", None)
            finish(reason)
            if reason is not None:
                clear_frames(reason.getTracebackObject())

        transport._tlsShutdownFinished = finished  # type: ignore[method-assign]
