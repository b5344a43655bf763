"""The list in the answer to ``getSymbols``, encoded once for all clients of an encoding, in steps."""

from collections.abc import Callable, Iterator
from itertools import islice

from tickrelay.downstream.diagnostics import symbol_info
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.results import Steps
from tickrelay.wire.encodings import Encoding
from tickrelay.wire.lists import STEP_ITEMS
from tickrelay.wire.messages import Symbols

KEPT_MS = 5_000
"""How long a list is good for: market states change."""


class _Making:
    """One list of one encoding. Whoever waits for it does its next step, so it is made once, and survives each."""

    def __init__(self, encoding: Encoding, names: SymbolDirectory, wall_ms: Callable[[], int]) -> None:
        self.names = names
        self.made_ms: int | None = None
        """When the last item was made (Unix milliseconds); None: some are missing."""
        self.items: list[bytes] = []
        self.steps = self._make(encoding, wall_ms)

    def _make(self, encoding: Encoding, wall_ms: Callable[[], int]) -> Iterator[None]:
        symbols = iter(self.names.symbols.values())
        while some := list(islice(symbols, STEP_ITEMS)):
            now_ms = wall_ms()
            self.items.append(encoding.items(Symbols, [symbol_info(symbol, now_ms) for symbol in some]))
            yield
        self.made_ms = wall_ms()


class SymbolList:
    """The newest list of each encoding."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._newest: dict[Encoding, _Making] = {}

    def items(self, encoding: Encoding, names: SymbolDirectory) -> Steps[list[bytes]]:
        """Every symbol of *names*, for `Encoding.with_items`; market states may be `KEPT_MS` old."""
        making = self._newest.get(encoding)
        if making is None or making.names is not names or self._is_old(making):
            making = self._newest[encoding] = _Making(encoding, names, self._wall_ms)
        try:
            for _ in making.steps:
                yield
        except Exception:
            # It ended the generator for all who wait: their answers fail too, and the next client begins a new list.
            self._newest.pop(encoding, None)
            raise
        if making.made_ms is None:
            raise RuntimeError("the symbol list could not be encoded")
        return making.items

    def _is_old(self, making: _Making) -> bool:
        return making.made_ms is not None and self._wall_ms() - making.made_ms > KEPT_MS
