"""What thousands of clients ask for when they join is made once, and each is put into a cohort once."""

from collections.abc import Iterator, ValuesView
from typing import Any

import pytest

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON
from tickrelay.model.ticks import Symbol
from tickrelay.relay.cohort import EncodingGroup

LINES = {"basic": [], "v1": [JSON]}


class Symbols(dict[str, Symbol]):
    """A symbol list that counts how often all of it is walked through."""

    walks = 0

    def values(self) -> ValuesView[str, Symbol]:  # type: ignore[override]
        """All symbols."""
        self.walks += 1
        return super().values()  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        """All names."""
        self.walks += 1
        return super().__iter__()


def joined(server: Server, lines: list[bytes]) -> tuple[Browser, dict[str, Any]]:
    """A client that has connected, and its status."""
    browser = Browser(server)
    browser.open(*lines)
    return browser, browser.ask({"type": "connect"})


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_the_symbol_list_is_walked_through_once(server: Server, lines: list[bytes]) -> None:
    """However many clients are sent it; another list is sent to those who connect after it came."""
    server.hub.symbols = symbols = Symbols(server.hub.symbols)
    server.hub.observer.symbols_changed()  # type: ignore[union-attr]
    lists = [joined(server, lines)[1]["availableSymbols"] for _ in range(20)]
    assert lists == [["EURUSD", "XAUUSD", "GBPUSD", "GBPJPY"]] * 20
    assert symbols.walks == 1
    server.hub.symbols_loaded([Symbol(symbol_id=7, name="USDJPY")])
    assert joined(server, lines)[1]["availableSymbols"] == ["USDJPY"]


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_a_subscription_moves_a_client_once(
    server: Server, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of its cohort and into another, however many symbols it names."""
    moves: list[str] = []
    for name in ("join", "leave"):
        move = getattr(EncodingGroup, name)

        def moved(*args: object, name: str = name, move: Any = move) -> object:
            moves.append(name)
            return move(*args)

        monkeypatch.setattr(EncodingGroup, name, moved)
    browser, _ = joined(server, lines)
    browser.ask({"type": "subscribe", "symbols": ["EURUSD"]})
    assert moves == ["join"]
    browser.ask({"type": "subscribe", "symbols": ["GBPUSD", "GBPJPY", "XAUUSD"]})
    assert moves == ["join", "leave", "join"]
    browser.vanish()
    assert moves == ["join", "leave", "join", "leave"]
