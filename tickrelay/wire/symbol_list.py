"""The answer to ``getSymbols`` in pieces. The list is by far the longest, and all clients of an encoding share it."""

from collections.abc import Sequence

from msgspec import UNSET

from tickrelay.wire import frames, protobuf
from tickrelay.wire.basic import encode
from tickrelay.wire.messages import Symbols
from tickrelay.wire.parts import SymbolInfo
from tickrelay.wire.tickrelay_pb2 import ServerMessage

_FIELD = ServerMessage.DESCRIPTOR.fields_by_name["symbols"].number


def encode_list(symbols: list[SymbolInfo], binary: bool) -> bytes:
    """The list alone, in JSON or (*binary*) Protobuf."""
    if not binary:
        return encode(symbols)
    into = ServerMessage().symbols
    for symbol in symbols:
        protobuf.fill(symbol, into.symbols.add())
    return bytes(into.SerializeToString())


def pieces(message: Symbols, listed: bytes, binary: bool) -> Sequence[bytes]:
    """The frame of *message*, whose own list is empty, with the list *listed* in its place."""
    if binary:
        # Fields are written in the order of their numbers: the list is the first of its message, the id the envelope's
        # last. Any order would be understood.
        envelope = ServerMessage()
        if message.id is not UNSET:
            protobuf.set_mark(envelope, message.id)
        rest = ServerMessage(symbols={"timestamp": message.timestamp}).symbols.SerializeToString()
        size = protobuf.varint(len(listed) + len(rest))
        parts = (protobuf.varint(_FIELD << 3 | 2) + size, listed, rest + envelope.SerializeToString())
    else:
        # Nowhere else can this stand: inside of a string there is a backslash before a quote.
        head, key, tail = encode(message).partition(b'"symbols":[]')
        parts = (head + key[:-2], listed, tail)
    return (frames.header(sum(map(len, parts)), binary) + parts[0], *parts[1:])
