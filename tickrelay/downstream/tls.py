"""Sends to a TLS client without Twisted's buffers: encrypt, take the records, give them to the socket, all at once.

Twisted (26.10) gathers what is written, encrypts it in the next turn, and writes the records in the turn after that,
when epoll finds the socket writable: for every client and write. Here a write costs what encryption and ``send`` cost.
Handshake, reading, alerts and closing stay with Twisted.
"""

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

MAX_PLAIN_BYTES = 16_384
"""Of one record (RFC 8446, 5.1)."""

MAX_OVERHEAD_BYTES = 128
"""Of one record: header, nonce, tag or MAC, padding; 17 to 37 bytes with the ciphers in use."""


class TlsSender:
    """The way out of a TLS *transport* of Twisted's whose handshake is done. *send* is its TCP socket's.

    A push producer must be registered with the transport. It is paused here, and resumed when TCP has written out what
    it holds: at first the answer to the opening request, later what the socket did not take.
    """

    __slots__ = ("_connection", "_send", "_transport")

    def __init__(self, transport: Any, send: Callable[[bytes], int]) -> None:
        self._transport = transport
        self._connection: SSL.Connection = transport.getHandle()
        self._send = send
        # The answer to the opening request is among what Twisted gathers until the next turn: whatever is sent would
        # overtake it. Waiting is not enough: TCP may write out the last of the TLS handshake before, and resume the
        # producer.
        transport._aggregator.flush()
        self._hold(b"")

    def send(self, data: bytes) -> int:
        """Send *data*. Returns its length, or -1 where the transport has to send some of it later.

        Raises OSError where the TLS connection is broken; it is aborted then. What is encrypted has its place in the
        stream and cannot be taken back, so there is no number between.
        """
        records = self._encrypt(data)
        sent = 0
        # Twisted may hold records of its own, such as the answer to a key update: these come first.
        tcp = self._transport.transport
        if not (tcp.dataBuffer or tcp._tempDataLen):
            try:
                sent = self._send(records)
            except OSError:
                # The send buffer is full, or the connection is broken: then the transport finds out and ends it.
                sent = 0
            if sent == len(records):
                return len(data)
        self._hold(records[sent:] if sent else records)
        return -1

    def write(self, data: bytes) -> bool:
        """Send *data*; returns whether the transport holds some of it. Never raises."""
        try:
            return self.send(data) < 0
        except OSError:
            return True  # the connection ends

    def _hold(self, records: bytes) -> None:
        """Give *records* to TCP, which sends them when it can."""
        tcp = self._transport.transport
        tcp.write(records)
        # Twisted (26.10) pauses its producer at `bufferSize` bytes, and resumes no other than a paused one.
        if tcp.producer is not None:
            tcp.producerPaused = True
            tcp.producer.pauseProducing()

    def _encrypt(self, data: bytes) -> bytes:
        connection = self._connection
        try:
            if len(data) <= MAX_PLAIN_BYTES:
                taken = connection.send(data)
                if taken == len(data):
                    return self._records(len(data) + MAX_OVERHEAD_BYTES)
            else:
                taken = 0
            # OpenSSL takes a record at a time (SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets).
            pieces = [self._records(taken + MAX_OVERHEAD_BYTES)] if taken else []
            while taken < len(data):
                piece = data[taken : taken + MAX_PLAIN_BYTES]
                took = connection.send(piece)
                pieces.append(self._records(took + MAX_OVERHEAD_BYTES))
                taken += took
            return b"".join(pieces)
        except SSL.Error as e:
            # WantReadError too: it would mean a renegotiation, which OpenSSL 3 refuses to clients.
            self._transport.abortConnection()
            raise ConnectionAbortedError(f"TLS: {type(e).__name__}") from None

    def _records(self, most: int) -> bytes:
        """All that OpenSSL wants to be sent; usually one read of *most* bytes suffices."""
        records = self._connection.bio_read(most)
        while len(records) % most == 0:
            try:
                records += self._connection.bio_read(most)
            except SSL.WantReadError:
                break
        return records
