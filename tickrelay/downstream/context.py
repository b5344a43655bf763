"""What the sessions of all clients share; made by the factory."""

from tickrelay.admission.guesses import Guesses
from tickrelay.admission.ledger import Ledger
from tickrelay.config.settings import ClientSettings
from tickrelay.downstream.broadcasts import Broadcasts
from tickrelay.downstream.directory import SymbolDirectory
from tickrelay.downstream.notifications import Notifications, StatusBroadcast
from tickrelay.downstream.symbol_list import SymbolList
from tickrelay.downstream.tokens import Tokens
from tickrelay.model.clock import Clock
from tickrelay.relay.hub import Hub
from tickrelay.relay.replay_cache import ReplayCache
from tickrelay.wire.encodings import Encodings


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
        self.guesses = Guesses(clock.monotonic_s)
        """Wrong tokens by address."""
        self.broadcasts = Broadcasts(clock)
        self.statuses = StatusBroadcast(hub, self.broadcasts)
        self.notifications = Notifications(hub, self.broadcasts, clock.wall_ms)
        self.replay_cache = ReplayCache(clock.monotonic_s)
        self._names = SymbolDirectory({})
        self.symbol_list = SymbolList(clock.wall_ms)

    @property
    def names(self) -> SymbolDirectory:
        """The present symbol list, by the names that clients use."""
        if self._names.symbols is not self.hub.symbols:
            self._names = SymbolDirectory(self.hub.symbols)
        return self._names
