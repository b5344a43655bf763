"""WebSocket frames from server to client (RFC 6455): final, unmasked, not compressed.

A frame is made once, and every client is sent the same bytes: Autobahn would frame each message anew for each client.
"""

from collections.abc import Sequence

_TEXT = 0x81
_BINARY = 0x82

_SHORT_TEXT = tuple(bytes((_TEXT, n)) for n in range(126))
_SHORT_BINARY = tuple(bytes((_BINARY, n)) for n in range(126))


def text(payload: bytes) -> bytes:
    """The text frame that holds *payload* (UTF-8)."""
    n = len(payload)
    if n < 126:
        return _SHORT_TEXT[n] + payload
    return _long(_TEXT, n) + payload


def binary(payload: bytes) -> bytes:
    """The binary frame that holds *payload*."""
    n = len(payload)
    if n < 126:
        return _SHORT_BINARY[n] + payload
    return _long(_BINARY, n) + payload


def header(n: int, is_binary: bool) -> bytes:
    """The header of a frame whose payload has *n* bytes."""
    first = _BINARY if is_binary else _TEXT
    return bytes((first, n)) if n < 126 else _long(first, n)


def pieces(parts: Sequence[bytes], is_binary: bool) -> list[bytes]:
    """The frame whose payload is all *parts* in a row, not joined: they may be shared by several frames."""
    return [header(sum(map(len, parts)), is_binary), *parts]


def _long(first: int, n: int) -> bytes:
    if n < 0x10000:
        return bytes((first, 126)) + n.to_bytes(2, "big")
    return bytes((first, 127)) + n.to_bytes(8, "big")
