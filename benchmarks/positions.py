"""Where a client of protocol v1 stands, and what it says to resume from there."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.dialects import DIALECTS, handshake, json_requests
from benchmarks.processes import BenchError

TIMEOUT_S = 20.0

Positions = Mapping[str, Mapping[str, object]]
"""By symbol: its epoch and the number of the last tick, as ``resume`` takes them."""


def positions(port: int, symbols: Sequence[str]) -> Positions:
    """Subscribe as a client of its own, and leave after the first tick of each symbol."""
    dialect = DIALECTS["v1-json"]
    found: dict[str, Mapping[str, object]] = {}
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as sock:
        sock.sendall(handshake("127.0.0.1", port, dialect.subprotocol))
        sock.sendall(dialect.requests(symbols, 0.0))
        for text in _texts(sock):
            message = json.loads(text)
            if message["type"] == "tick":
                found[message["symbol"]] = {"epoch": message["epoch"], "seq": message["seq"]}
                if len(found) == len(symbols):
                    return found
    raise BenchError("no position of each symbol")


def resume_requests(symbols: Sequence[str], at: Positions) -> bytes:
    """Subscribe, and ask for all that was missed."""
    return json_requests(symbols, resume=at)


def _texts(sock: socket.socket) -> Iterator[bytes]:
    """What the server says, as text frames; up to 64 KiB each, and no others are looked for."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    data = data.partition(b"\r\n\r\n")[2]
    while True:
        while len(data) < 4:
            data += _some(sock)
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        while len(data) < start + size:
            data += _some(sock)
        if data[0] == 0x81:
            yield data[start : start + size]
        data = data[start + size :]


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise BenchError("a client was cut off")
    return data
