"""What the simulator can be told: where it listens, who may log in, what the market does, and the rules it keeps."""

import dataclasses
from dataclasses import dataclass, field

from tickrelay.model.errors import SettingError
from tickrelay.simulator.market.instruments import chosen

DEFAULT_PORT = 5035
MAX_PORT = 65_535
MAX_ID = 2**63 - 1
"""Ids are int64 on the wire."""
MAX_RULE = 10**9
"""The most that a rule can be: timers and message fields hold it."""
SCOPES = ("accounts", "trading")
"""What a token may do: view only, or trade as well."""


def _whole(name: str, value: int | None, least: int, most: int) -> None:
    """Raise SettingError where *value* is out of bounds (None: not set, and good)."""
    if value is not None and not least <= value <= most:
        raise SettingError(f"{name} must be a whole number from {least} to {most}, not {value!r}")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise SettingError where *value* is none of *allowed*."""
    if value not in allowed:
        raise SettingError(f"{name} must be {' or '.join(allowed)}, not {value!r}")


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
    spots_survive: bool = False
    """Spot subscriptions outlive the account's session on the same connection: they are silent until the account is
    authorized again, and subscribing them again is ALREADY_SUBSCRIBED. A logout and a client disconnect end them.
    """
    dead_token_empty_list: bool = False
    """The account list of an unknown or expired access token is empty; else it is refused."""

    def __post_init__(self) -> None:
        """Raise SettingError for a number that no timer or message can hold."""
        for rule in dataclasses.fields(self):
            value = getattr(self, rule.name)
            if not isinstance(value, str) and not 0 <= value <= MAX_RULE:
                raise SettingError(f"rules.{rule.name} must be a number from 0 to {MAX_RULE}, not {value!r}")
        if self.heartbeat_s < 0.01:
            raise SettingError(f"rules.heartbeat_s must be at least 0.01, not {self.heartbeat_s!r}")


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """A trading account of the simulated broker."""

    account_id: int
    live: bool = False
    login: int = 0
    """The number the trader sees; 0: made from the id."""

    def __post_init__(self) -> None:
        """Raise SettingError for an id that the wire does not hold."""
        _whole("account-id", self.account_id, 1, MAX_ID)
        _whole("login", self.login, 0, MAX_ID)


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """A grant: who holds this access token may use these accounts."""

    access_token: str
    refresh_token: str = ""
    scope: str = "trading"
    """``trading`` or ``accounts`` (view only)."""
    accounts: tuple[AccountSettings, ...] = ()
    expired: bool = False

    def __post_init__(self) -> None:
        """Raise SettingError for a grant that nobody can use."""
        _one_of("scope", self.scope, SCOPES)
        if not self.access_token:
            raise SettingError("access-token must not be empty")


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
    """Which accounts this host serves: ``demo`` or ``live``. The accounts are the same on either."""
    client_id: str = "sim"
    client_secret: str = "sim-secret"
    access_token: str = "sim-token"
    refresh_token: str = "sim-refresh"
    scope: str = "accounts"
    """Of the first user's tokens. View only by default: nothing can be traded here."""
    account_id: int = 1001
    """The first user's demo account; the next id is another one, and a live one is 1000 further."""
    users: tuple[UserSettings, ...] = ()
    """Further grants, besides the one of the settings above."""
    faults: str = ""
    """A fault script (see `tickrelay.simulator.faults.script`); its times count from the start."""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        """Raise SettingError for a value that is none of those named."""
        _one_of("schedule", self.schedule, ("open", "real"))
        _one_of("environment", self.environment, ("demo", "live"))
        for name, number in (("rate", self.rate), ("speed", self.speed)):
            if not 0 < number <= 100_000:
                raise SettingError(f"{name} must be a number over 0, not {number!r}")
        _whole("port", self.port, 0, MAX_PORT)
        _whole("json-port", self.json_port, 0, MAX_PORT)
        _whole("control", self.control_port, 0, MAX_PORT)
        _whole("account-id", self.account_id, 1, MAX_ID - 1000)
        if not self.certificate_names:
            raise SettingError("certificate-names must hold a name")
        for name in self.certificate_names:
            if not name.isascii() or len(name) > 64:
                raise SettingError(f"certificate-names: {name!r} is no ASCII name of at most 64 characters")
        try:
            chosen(self.symbols)
        except LookupError as e:
            raise SettingError(f"symbols: {e.args[0]}") from None
        for kind in ("access", "refresh"):
            tokens = [token for user in self.grants() if (token := getattr(user, f"{kind}_token"))]
            for token in tokens:
                if tokens.count(token) > 1:
                    raise SettingError(f"two users have the {kind} token {token!r}")

    def grants(self) -> tuple[UserSettings, ...]:
        """Every grant: the first user's, with two demo accounts and a live one, then the others'."""
        first = UserSettings(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            scope=self.scope,
            accounts=(
                AccountSettings(account_id=self.account_id),
                AccountSettings(account_id=self.account_id + 1),
                AccountSettings(account_id=self.account_id + 1000, live=True),
            ),
        )
        return (first, *self.users)

    @property
    def is_live(self) -> bool:
        """Does this host serve live accounts?"""
        return self.environment == "live"

    @property
    def served_account_id(self) -> int:
        """The first account of the first user that this host serves."""
        return next(a.account_id for a in self.grants()[0].accounts if a.live == self.is_live)
