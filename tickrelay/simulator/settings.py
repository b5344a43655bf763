"""What the simulator can be told: where it listens, who may log in, what the market does, and the rules it keeps."""

from dataclasses import dataclass, field

from tickrelay.errors import SettingError
from tickrelay.simulator.instruments import chosen

DEFAULT_PORT = 5035


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of the server. The first group is documented or was measured on the real one by others; the switches
    of the second are guesses, so each can be turned.
    """

    idle_s: float = 30.0
    """Silence of the client after which the connection is closed, in order and without a word (29.8 s measured)."""
    unauthenticated_s: float = 30.0
    """A connection without application auth is closed after this time, heartbeats or not."""
    heartbeat_s: float = 30.0
    """Between the server's own heartbeats; it never answers one."""
    requests_per_s: int = 50
    historical_per_s: int = 5
    retry_after_s: int = 1
    rate_code: str = "BLOCKED_PAYLOAD_TYPE"
    """The newer answer to too many requests; REQUEST_FREQUENCY_EXCEEDED is the older one."""
    latency_s: float = 0.0
    """Between a request and its answer; 0 answers at once."""
    late_ticks_s: float = 0.2
    """How long ticks of an unsubscribed symbol may still come."""
    token_life_s: int = 2_628_000
    unknown_field_every: int = 40
    """Every so many answers one carries a field that no public schema has; 0: never."""
    full_history_s: float = 604_800.0
    """The longest span of one tick-data request."""
    stuck_s: float = 10.0
    """A client that reads nothing gets no ticks, and after this time is dropped: nothing is kept for it."""

    unknown_symbol_fails_batch: bool = True
    mixed_batch_refused: bool = True
    unsubscribe_unknown_ok: bool = True
    frame_too_long_error: bool = True
    refresh_needs_application: bool = True
    connection_limit_closes: bool = True
    live_bar_without_spots: str = "INVALID_REQUEST"
    """The code as seen; the documentation has NOT_SUBSCRIBED_TO_SPOTS."""
    depth_needs_spots: bool = True
    events_before_answer: bool = False
    """The events that a request sets off come before its answer: clients must not depend on the order."""
    slice_bytes: int = 0
    """Cut what is sent over TCP into pieces of so many bytes, a millisecond apart; 0: frames stay together."""
    max_connections: int = 25


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """A trading account of the simulated broker."""

    account_id: int
    live: bool = False
    login: int = 0
    """The number the trader sees; 0: made from the id."""


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """A grant: who holds this access token may use these accounts."""

    access_token: str
    refresh_token: str = ""
    scope: str = "trading"
    """``trading`` or ``accounts`` (view only)."""
    accounts: tuple[AccountSettings, ...] = ()
    expired: bool = False


@dataclass(frozen=True, kw_only=True)
class SimulatorSettings:
    """Everything a simulator is started with. The credentials are no secrets."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0: any free port."""
    json_port: int | None = None
    control_port: int | None = None
    ca_file: str = ""
    """Where to write the certificate authority (PEM) that a client must trust."""
    certificate_names: tuple[str, ...] = ("localhost", "127.0.0.1", "*.ctraderapi.com")
    certificate_expired: bool = False
    seed: int = 1
    rate: float = 1.0
    speed: float = 1.0
    """Seconds of market time a second."""
    schedule: str = "open"
    """``open``: every market is open all the time, so that there is something to see at a weekend; ``real``: each
    kind of instrument keeps its trading hours.
    """
    symbols: tuple[str, ...] = ()
    environment: str = "demo"
    """Which accounts this host serves: ``demo`` or ``live``."""
    client_id: str = "sim"
    client_secret: str = "sim-secret"
    access_token: str = "sim-token"
    refresh_token: str = "sim-refresh"
    account_id: int = 1001
    users: tuple[UserSettings, ...] = ()
    """Further grants, besides the one of the settings above."""
    faults: str = ""
    """A fault script (see `tickrelay.simulator.script`); its times count from the start."""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        """Raise SettingError for a value that is none of those named."""
        for name, value, allowed in (
            ("schedule", self.schedule, ("open", "real")),
            ("environment", self.environment, ("demo", "live")),
        ):
            if value not in allowed:
                raise SettingError(f"{name} must be {' or '.join(allowed)}, not {value!r}")
        for name, number in (("rate", self.rate), ("speed", self.speed)):
            if not 0 < number <= 100_000:
                raise SettingError(f"{name} must be a number over 0, not {number!r}")
        if not 0 <= self.port <= 65_535:
            raise SettingError(f"port must be a whole number from 0 to 65535, not {self.port!r}")
        try:
            chosen(self.symbols)
        except LookupError as e:
            raise SettingError(f"symbols: {e.args[0]}") from None

    def grants(self) -> tuple[UserSettings, ...]:
        """Every grant: the first user's, with its demo account (and a live one beside it), then the others'."""
        first = UserSettings(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            accounts=(
                AccountSettings(account_id=self.account_id, live=self.environment == "live"),
                AccountSettings(account_id=self.account_id + 1, live=self.environment == "live"),
                AccountSettings(account_id=self.account_id + 1000, live=self.environment != "live"),
            ),
        )
        return (first, *self.users)
