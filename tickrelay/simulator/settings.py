"""What the simulator can be told: where it listens, who may log in, what the market does, and the rules it keeps."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from tickrelay.config.conversion import check
from tickrelay.config.schema import ListeningPort, Text, setting
from tickrelay.model.errors import SettingError
from tickrelay.simulator.market.instruments import chosen

DEFAULT_PORT = 5035
MAX_ID = 2**63 - 1
"""Ids are int64 on the wire."""
MAX_RULE = 10**9
"""The most that a rule can be: timers and message fields hold it."""

Seconds = Annotated[float, Meta(ge=0, le=MAX_RULE)]
Count = Annotated[int, Meta(ge=0, le=MAX_RULE)]
Pace = Annotated[float, Meta(gt=0, le=100_000)]
"""A multiple of the usual pace."""
Scope = Literal["accounts", "trading"]
"""What a token may do: view only, or trade as well."""

CertificateName = Annotated[
    str, Meta(pattern=r"^[\x00-\x7f]{1,64}$", extra={"expected": "an ASCII name of at most 64 characters"})
]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of the server. The first group is documented or was measured on the real one by others; the switches
    of the second are guesses, so each can be turned.
    """

    idle_s: Seconds = 30.0
    """Silence of the client after which the connection is closed, in order and without a word (29.8 s measured)."""
    unauthenticated_s: Seconds = 30.0
    """A connection without application auth is closed after this time, heartbeats or not."""
    heartbeat_s: Annotated[float, Meta(ge=0.01, le=MAX_RULE)] = 30.0
    """Between the server's own heartbeats; it never answers one."""
    requests_per_s: Count = 50
    historical_per_s: Count = 5
    retry_after_s: Count = 1
    rate_code: str = "BLOCKED_PAYLOAD_TYPE"
    """The newer answer to too many requests; REQUEST_FREQUENCY_EXCEEDED is the older one."""
    latency_s: Seconds = 0.0
    """Between a request and its answer; 0 answers at once."""
    late_ticks_s: Seconds = 0.2
    """How long ticks of an unsubscribed symbol may still come."""
    token_life_s: Count = 2_628_000
    unknown_field_every: Count = 40
    """Every so many answers one carries a field that no public schema has; 0: never."""
    full_history_s: Seconds = 604_800.0
    """The longest span of one tick-data request."""
    stuck_s: Seconds = 10.0
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
    slice_bytes: Count = 0
    """Cut what is sent over TCP into pieces of so many bytes, a millisecond apart; 0: frames stay together."""
    max_connections: Count = 25
    spots_survive: bool = False
    """Spot subscriptions outlive the account's session on the same connection: they are silent until the account is
    authorized again, and subscribing them again is ALREADY_SUBSCRIBED. A logout and a client disconnect end them.
    """
    dead_token_empty_list: bool = False
    """The account list of an unknown or expired access token is empty; else it is refused."""

    def __post_init__(self) -> None:
        """Raise SettingError for a value that no timer or message can hold."""
        check(self, "rules.")


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """A trading account of the simulated broker."""

    account_id: Annotated[int, Meta(ge=1, le=MAX_ID)]
    live: bool = False
    login: Annotated[int, Meta(ge=0, le=MAX_ID)] = 0
    """The number the trader sees; 0: made from the id."""

    def __post_init__(self) -> None:
        """Raise SettingError for an id that the wire does not hold."""
        check(self)


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """A grant: who holds this access token may use these accounts."""

    access_token: Text
    refresh_token: str = ""
    scope: Scope = "trading"
    accounts: tuple[AccountSettings, ...] = ()
    expired: bool = False

    def __post_init__(self) -> None:
        """Raise SettingError for a grant that nobody can use."""
        check(self)


@dataclass(frozen=True, kw_only=True)
class SimulatorSettings:
    """Everything a simulator is started with. The credentials are no secrets."""

    host: Annotated[str, setting("address to listen on", flag="host", purpose="listening")] = "127.0.0.1"
    port: Annotated[
        ListeningPort, setting("port to listen on (TLS); 0: any free one", flag="port", purpose="listening")
    ] = DEFAULT_PORT
    json_port: Annotated[
        ListeningPort | None,
        setting("port for the JSON encoding, 5036 on the real server", flag="json-port", purpose="listening"),
    ] = None
    control_port: Annotated[
        ListeningPort | None,
        setting("port of 127.0.0.1 where faults are ordered over HTTP", flag="control", purpose="faults"),
    ] = None
    ca_file: Annotated[
        str,
        setting(
            "where to write the PEM file with the certificate authority that clients must trust",
            flag="ca-file",
            purpose="listening",
        ),
    ] = ""
    certificate_names: Annotated[
        tuple[CertificateName, ...],
        setting("host names in the certificate, between commas", flag="certificate-names", purpose="listening"),
    ] = ("localhost", "127.0.0.1", "*.ctraderapi.com")
    certificate_expired: Annotated[
        bool,
        setting("yes: the certificate has expired, to test a client", flag="certificate-expired", purpose="listening"),
    ] = False
    seed: Annotated[
        int,
        setting("seed from which the whole market follows", flag="seed", purpose="market", ge=-MAX_ID, le=MAX_ID),
    ] = 1
    rate: Annotated[
        Pace, setting("ticks per second, as a multiple of the usual 40 to 110", flag="rate", purpose="market")
    ] = 1.0
    speed: Annotated[Pace, setting("seconds of market time per second", flag="speed", purpose="market")] = 1.0
    schedule: Annotated[
        Literal["open", "real"],
        setting(
            "open: markets never close; real: each kind of instrument keeps its trading hours",
            flag="schedule",
            purpose="market",
        ),
    ] = "open"
    symbols: Annotated[
        tuple[str, ...],
        setting("symbols to trade, between commas; without it all 64", flag="symbols", purpose="market"),
    ] = ()
    environment: Annotated[
        Literal["demo", "live"],
        setting(
            "which accounts this host serves, demo or live; they are the same on either",
            flag="environment",
            purpose="accounts",
        ),
    ] = "demo"
    client_id: Annotated[str, setting("client id of the application", flag="client-id", purpose="accounts")] = "sim"
    client_secret: Annotated[
        str, setting("client secret of the application", flag="client-secret", purpose="accounts")
    ] = "sim-secret"
    access_token: Annotated[
        Text, setting("access token of the first user", flag="access-token", purpose="accounts")
    ] = "sim-token"
    refresh_token: str = "sim-refresh"
    scope: Annotated[
        Scope,
        setting(
            "what the first user's token may do: accounts (view only) or trading", flag="scope", purpose="accounts"
        ),
    ] = "accounts"
    account_id: Annotated[
        int,
        setting(
            "demo account of the first user; the next id is another one, and 1000 further is a live one",
            flag="account-id",
            purpose="accounts",
            ge=1,
            le=MAX_ID - 1000,
        ),
    ] = 1001
    users: tuple[UserSettings, ...] = ()
    """Further grants, besides the one of the settings above."""
    faults: str = ""
    """A fault script (see `tickrelay.simulator.faults.script`); its times count from the start."""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        """Raise SettingError for a value out of bounds, and for values that do not go together."""
        check(self)
        if not self.certificate_names:
            raise SettingError("certificate-names must hold a name")
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
