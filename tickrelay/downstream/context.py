"""What the sessions of all clients share; made by the factory."""

from tickrelay.admission.ledger import Ledger
from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.diagnostics import symbol_info
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.notifications import Notifications, StatusBroadcast
from tickrelay.downstream.tokens import Tokens
from tickrelay.model.clock import Clock
from tickrelay.relay.hub import Hub
from tickrelay.wire.encodings import Encodings
from tickrelay.wire.parts import SymbolInfo

_INFOS_KEPT_MS = 5_000


class ClientContext:
    """The hub, the settings and the clock, and what is made once for all clients."""

    def __init__(
        self, hub: Hub, encodings: Encodings, settings: ClientSettings, clock: Clock, tokens: Tokens | None = None
    ) -> None:
        self.hub = hub
        self.encodings = encodings
        self.settings = settings
        self.clock = clock
        self.tokens = tokens
        """The valid tokens; None: clients need none."""
        self.ledger = Ledger(clock)
        """Who used how much of the reactor's time."""
        self.statuses = StatusBroadcast(hub, clock.call_later)
        self.notifications = Notifications(hub, clock.wall_ms)
        self._names = SymbolDirectory({})
        self._infos: tuple[int, SymbolDirectory, list[SymbolInfo]] = (0, self._names, [])

    @property
    def names(self) -> SymbolDirectory:
        """The present symbol list, by the names that clients use."""
        if self._names.symbols is not self.hub.symbols:
            self._names = SymbolDirectory(self.hub.symbols)
        return self._names

    def symbol_infos(self) -> list[SymbolInfo]:
        """What is known of every symbol; made at most once in a few seconds, however many clients ask."""
        now_ms = self.clock.wall_ms()
        made_ms, names, infos = self._infos
        if names is not self.names or now_ms - made_ms > _INFOS_KEPT_MS:
            infos = [symbol_info(symbol, now_ms) for symbol in self.hub.symbols.values()]
            self._infos = (now_ms, self.names, infos)
        return infos
