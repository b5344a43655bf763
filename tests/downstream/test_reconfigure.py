"""The client side gets other settings while clients are connected."""

from dataclasses import replace
from typing import Any

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.downstream.tokens import Tokens, digest_of


def reconfigure(server: Server, tokens: Tokens | None = None, **settings: Any) -> None:
    """Change some settings."""
    factory = server.factory
    factory.reconfigure(replace(factory.context.settings, **settings), tokens)


def closed_with(client: Browser) -> list[int]:
    """The codes of the close frames that came."""
    return [int.from_bytes(data[:2], "big") for opcode, data in client.frames() if opcode == 8]


def pings(client: Browser) -> bool:
    """Whether the client is served."""
    return bool(client.ask({"type": "ping"})["type"] == "pong")


def test_origins_concern_new_connections(server: Server) -> None:
    """Whoever is connected stays."""
    line = b"Origin: https://a.example"
    staying = server.browser(JSON, line)
    reconfigure(server, allowed_origins=("https://b.example",))
    assert closed_with(server.browser(JSON, line)) == [4503]
    assert pings(server.browser(JSON, b"Origin: https://b.example")) and pings(staying)


def test_fewer_places_concern_new_connections(server: Server) -> None:
    """In all, and of one address, also of one that has connections; more places are there at once."""
    staying = [server.browser(JSON) for _ in range(3)]
    reconfigure(server, max_connections_per_address=2)
    assert closed_with(server.browser(JSON)) == [1013]
    reconfigure(server, max_connections_per_address=100, max_connections=3)
    assert closed_with(server.browser(JSON)) == [1013]
    reconfigure(server, max_connections=4)
    assert all(map(pings, [*staying, server.browser(JSON)]))


def test_fewer_symbols_concern_new_subscriptions(server: Server, client: Browser) -> None:
    """What is subscribed stays."""
    client.ask({"type": "subscribe", "symbols": ["EURUSD", "GBPUSD"]})
    reconfigure(server, max_symbols=2)
    answer = client.ask({"type": "subscribe", "symbols": ["GBPJPY"]})
    assert "SUBSCRIPTION_LIMIT" in str(answer)
    assert client.ask({"type": "getSubscriptions"})["symbols"] == ["EURUSD", "GBPUSD"]


def test_the_length_of_messages_concerns_new_connections(server: Server, client: Browser) -> None:
    """Autobahn has its options from the opening of a connection on."""
    reconfigure(server, max_message_bytes=128)
    long = {"type": "ping", "more": "x" * 200}
    assert client.ask(long)["type"] == "pong"
    after = server.browser(JSON)
    after.say(long)
    assert closed_with(after) == [1009]


def test_tokens_that_are_gone_close_their_clients(server: Server) -> None:
    """As when the file changes; those of clients who needed none are no matter."""
    early = server.browser(JSON)
    both = Tokens(map(digest_of, ("a", "b")))
    reconfigure(server, both)
    leaving, staying = (server.browser(JSON, b"Authorization: Bearer " + token) for token in (b"a", b"b"))
    reconfigure(server, Tokens([digest_of("b")]))
    server.clock.advance(0)
    assert closed_with(leaving) == [4501]
    assert pings(staying) and pings(early)
    reconfigure(server, None)
    assert pings(staying) and pings(server.browser(JSON)), "no token is needed any more"
