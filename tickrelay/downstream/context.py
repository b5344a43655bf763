"""What the sessions of all clients share; made by the factory."""

from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.diagnostics import symbol_info
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.notifications import Notifications, StatusBroadcast
from tickrelay.downstream.tokens import Tokens
from tickrelay.model.clock import Clock
from tickrelay.relay.hub import Hub
from tickrelay.wire.encodings import Encodings
from tickrelay.wire.symbol_list import encode_list

_LIST_KEPT_MS = 5_000


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
        self.statuses = StatusBroadcast(hub, clock.call_later)
        self.notifications = Notifications(hub, clock.wall_ms)
        self._names = SymbolDirectory({})
        self._listed: dict[bool, tuple[int, SymbolDirectory, bytes]] = {}

    @property
    def names(self) -> SymbolDirectory:
        """The present symbol list, by the names that clients use."""
        if self._names.symbols is not self.hub.symbols:
            self._names = SymbolDirectory(self.hub.symbols)
        return self._names

    def symbol_list(self, binary: bool) -> bytes:
        """What is known of every symbol, as `encode_list` has it; made once in a few seconds for all clients."""
        now_ms = self.clock.wall_ms()
        made_ms, names, listed = self._listed.get(binary, (0, None, b""))
        if names is not self.names or now_ms - made_ms > _LIST_KEPT_MS:
            listed = encode_list([symbol_info(symbol, now_ms) for symbol in self.hub.symbols.values()], binary)
            self._listed[binary] = (now_ms, self.names, listed)
        return listed
