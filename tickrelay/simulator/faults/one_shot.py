"""One-shot faults, over at once: what the server does to the connections of this moment. Their words are the script's
arguments; each raises SettingError for a word it does not know.
"""

from collections.abc import Sequence

from tickrelay.model.errors import SettingError
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoMessage
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOASpotEvent,
)
from tickrelay.simulator.answers.authority import throw_out
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.market.source import names
from tickrelay.simulator.peer import Peer

Words = Sequence[str]


def _peers(broker: SimulatedBroker) -> list[Peer]:
    return list(broker.sessions.values())


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 20):
        raise SettingError(f"{word!r} is no whole number")
    return int(word)


def drop(broker: SimulatedBroker, words: Words) -> None:
    """Close every connection in order."""
    for peer in _peers(broker):
        peer.close()


def reset(broker: SimulatedBroker, words: Words) -> None:
    """Send half a frame on every connection, then reset it."""
    frame = frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=100_000, ask=100_001))
    for peer in _peers(broker):
        peer.write_raw(len(frame).to_bytes(4, "big") + frame[: len(frame) // 2])
        # abortConnection drops what is still buffered: what was written must leave first.
        peer.later(0.05, peer.abort)


def half_open(broker: SimulatedBroker, words: Words) -> None:
    """The connections of this moment stay open, but nothing is read or sent on them any more."""
    for peer in _peers(broker):
        peer.go_half_open()


def garbage(broker: SimulatedBroker, words: Words) -> None:
    """Send a frame that holds no message on every connection."""
    for peer in _peers(broker):
        peer.write_raw(b"\x00\x00\x00\x08\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8")


def garbage_spot(broker: SimulatedBroker, words: Words) -> None:
    """Send a spot event whose payload is broken."""
    frame = ProtoMessage(payloadType=frames.SPOT, payload=b"\x08\xff\xff").SerializeToString()
    for peer in _peers(broker):
        peer.send_frames([frame])


def overlong(broker: SimulatedBroker, words: Words) -> None:
    """Announce a frame of so many bytes (default: 2,147,483,648) and begin to send it."""
    size = _number(words[0]) if words else 2**31
    if size >= 2**32:
        raise SettingError("a frame has 0 to 4294967295 bytes")
    for peer in _peers(broker):
        peer.write_raw(size.to_bytes(4, "big") + b"\x08\xd3\x10" * 100)


def empty_frame(broker: SimulatedBroker, words: Words) -> None:
    """Send a frame of no bytes at all."""
    for peer in _peers(broker):
        peer.write_raw(b"\0\0\0\0")


def unknown_type(broker: SimulatedBroker, words: Words) -> None:
    """Send an event with a payload type that the schema does not know."""
    for peer in _peers(broker):
        peer.send_frames([ProtoMessage(payloadType=2190, payload=b"\x08\x01").SerializeToString()])


def account_disconnect(broker: SimulatedBroker, words: Words) -> None:
    """End the session of one account (default: of all) on every connection; the connections stand."""
    only = {_number(word) for word in words}
    for peer in _peers(broker):
        for account_id in [a for a in peer.accounts if not only or a in only]:
            peer.throw_out(account_id)
            peer.send(ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id))


def client_disconnect(broker: SimulatedBroker, words: Words) -> None:
    """End every application's session, with an event; connections stay open until the deadline of application auth."""
    for peer in _peers(broker):
        peer.lose_application()
        peer.send(ProtoOAClientDisconnectEvent(reason=" ".join(words) or "The session was ended by the server"))


def token_invalidated(broker: SimulatedBroker, words: Words) -> None:
    """End every account's session as if its token had been replaced; the same token is still valid."""
    for peer in _peers(broker):
        for event in throw_out(peer, None, " ".join(words) or "Access token is invalidated"):
            peer.send(event)


def token_expired(broker: SimulatedBroker, words: Words) -> None:
    """Expire every access token and end every account's session; refresh tokens stay valid."""
    broker.accounts.expire()
    token_invalidated(broker, ("Access", "token", "expired"))


def symbol_changed(broker: SimulatedBroker, words: Words) -> None:
    """Change a symbol (default EURUSD; a number after it is its new digits) and send SymbolChangedEvent."""
    name = words[0] if words else "EURUSD"
    symbol = names(broker.catalogue.light_symbols).get(name)
    if symbol is None:
        raise SettingError(f"no symbol {name!r}")
    full = broker.catalogue.full_symbols.get(symbol.symbolId)
    if full is None:
        raise SettingError(f"of symbol {name!r} the recording has no more than the name")
    if len(words) > 1:
        if words[1] not in ("0", "1", "2", "3", "4", "5"):
            raise SettingError(f"a symbol has 0 to 5 digits, not {words[1]!r}")
        full.digits = int(words[1])
    full.swapLong += 0.1
    broker.symbols_changed([symbol.symbolId])
