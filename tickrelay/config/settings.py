"""Every setting of the relay: one frozen, typed `Config`, made once from flags, environment, ``.env`` and secret files.

A setting is one field: its type, default, environment name, flag and bounds stand together, and the command line, the
documentation and the error messages are made from it. A missing or malformed setting is a SettingError that names it.
Secrets have no flag (argv is public) and can come from a file: ``CTRADER_CLIENT_SECRET_FILE``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from tickrelay.config.host_and_port import DEFAULT_CTRADER_PORT, clients_port, ctraders_from_dotenv, doubts
from tickrelay.config.log_levels import LogLevels
from tickrelay.config.origins import Origin
from tickrelay.config.places import Places, read_section
from tickrelay.config.schema import FilePath, HostName, Port, Secret, Setting, Text, setting, settings_of
from tickrelay.config.spelling import unknown_names
from tickrelay.config.trusted_proxies import TrustedProxy
from tickrelay.model.errors import Problems, SettingError

DEFAULT_HOST = "demo.ctraderapi.com"


@dataclass(frozen=True, kw_only=True)
class CTraderSettings:
    """The cTrader connection."""

    purpose: ClassVar[str] = "cTrader"

    client_id: Annotated[Text, setting("client id of the Open API application", env="CTRADER_CLIENT_ID")]
    client_secret: Annotated[Secret, setting("client secret of the Open API application", env="CTRADER_CLIENT_SECRET")]
    access_token: Annotated[Secret, setting("access token of the account's owner", env="CTRADER_ACCESS_TOKEN")]
    account_id: Annotated[
        int, setting("ctidTraderAccountId (not the login number)", env="CTRADER_ACCOUNT_ID", ge=1, le=2**63 - 1)
    ]
    host: Annotated[
        HostName,
        setting(
            "host of the cTrader Open API: demo.ctraderapi.com or live.ctraderapi.com",
            env="CTRADER_HOST",
            flag="ctrader-host",
        ),
    ] = DEFAULT_HOST
    port: Annotated[
        Port, setting("port of the cTrader Open API (Protobuf over TLS)", env="CTRADER_PORT", flag="ctrader-port")
    ] = DEFAULT_CTRADER_PORT
    ca_file: Annotated[
        FilePath,
        setting(
            "PEM file with a certificate authority to trust besides the system's",
            env="CTRADER_CA_FILE",
            flag="ctrader-ca",
        ),
    ] = ""
    refresh_token: Annotated[
        Secret,
        setting("refresh token, with which the access token is renewed before it expires", env="CTRADER_REFRESH_TOKEN"),
    ] = Secret("")
    token_file: Annotated[
        FilePath,
        setting("file in which renewed tokens are kept (mode 0600)", env="CTRADER_TOKEN_FILE", flag="token-file"),
    ] = ""
    heartbeat_s: Annotated[
        float,
        setting(
            "interval of heartbeats to cTrader", env="TICKRELAY_HEARTBEAT", flag="heartbeat", ge=1, le=25, unit="s"
        ),
    ] = 10.0
    connect_timeout_s: Annotated[
        float,
        setting(
            "deadline for name look-up, TCP and TLS handshake together",
            env="TICKRELAY_CONNECT_TIMEOUT",
            flag="connect-timeout",
            ge=0.1,
            le=300,
            unit="s",
        ),
    ] = 15.0
    request_timeout_s: Annotated[
        float,
        setting(
            "deadline for the answer to each request to cTrader",
            env="TICKRELAY_REQUEST_TIMEOUT",
            flag="request-timeout",
            ge=0.1,
            le=300,
            unit="s",
        ),
    ] = 10.0
    requests_per_s: Annotated[
        int,
        setting(
            "requests to cTrader per second (cTrader allows 50)",
            env="TICKRELAY_REQUESTS",
            flag="requests",
            ge=5,
            le=50,
            unit="per second",
        ),
    ] = 45
    historical_per_s: Annotated[
        int,
        setting(
            "historical requests per second (cTrader allows 5)",
            env="TICKRELAY_HISTORICAL_REQUESTS",
            flag="historical-requests",
            ge=2,
            le=5,
            unit="per second",
        ),
    ] = 4
    retry_least_s: Annotated[
        float,
        setting(
            "first reconnect delay after a lost connection, doubled after each failure",
            env="TICKRELAY_RETRY_LEAST",
            flag="retry-least",
            ge=0.05,
            le=3600,
            unit="s",
        ),
    ] = 0.5
    retry_most_s: Annotated[
        float,
        setting(
            "longest reconnect delay after a lost connection",
            env="TICKRELAY_RETRY_MOST",
            flag="retry-most",
            ge=0.05,
            le=86_400,
            unit="s",
        ),
    ] = 60.0
    refused_least_s: Annotated[
        float,
        setting(
            "first reconnect delay after refused credentials, doubled after each failure",
            env="TICKRELAY_REFUSED_LEAST",
            flag="refused-least",
            ge=1,
            le=86_400,
            unit="s",
        ),
    ] = 60.0
    refused_most_s: Annotated[
        float,
        setting(
            "longest reconnect delay after refused credentials",
            env="TICKRELAY_REFUSED_MOST",
            flag="refused-most",
            ge=1,
            le=86_400,
            unit="s",
        ),
    ] = 900.0
    link_silence_s: Annotated[
        float,
        setting(
            "time without a byte from cTrader after which the connection counts as dead",
            env="TICKRELAY_LINK_SILENCE",
            flag="link-silence",
            ge=30,
            le=3600,
            unit="s",
        ),
    ] = 90.0
    data_silence_s: Annotated[
        float,
        setting(
            "time without a tick of an open market after which the feed counts as dead",
            env="TICKRELAY_DATA_SILENCE",
            flag="data-silence",
            ge=5,
            le=86_400,
            unit="s",
        ),
    ] = 60.0
    symbol_silence_s: Annotated[
        float,
        setting(
            "time without a tick of a symbol whose market is open after which it is subscribed again",
            env="TICKRELAY_SYMBOL_SILENCE",
            flag="symbol-silence",
            ge=5,
            le=86_400,
            unit="s",
        ),
    ] = 600.0
    live_timeout_s: Annotated[
        float,
        setting(
            "deadline from connecting to live",
            env="TICKRELAY_LIVE_TIMEOUT",
            flag="live-timeout",
            ge=1,
            le=3600,
            unit="s",
        ),
    ] = 60.0
    stable_s: Annotated[
        float,
        setting(
            "live time after which the reconnect backoff is reset",
            env="TICKRELAY_STABLE",
            flag="stable",
            ge=0,
            le=3600,
            unit="s",
        ),
    ] = 30.0
    stop_timeout_s: Annotated[
        float,
        setting(
            "deadline for closing the cTrader connection in order when the service stops",
            env="TICKRELAY_STOP_TIMEOUT",
            flag="stop-timeout",
            ge=0.1,
            le=60,
            unit="s",
        ),
    ] = 3.0
    unsubscribe_linger_s: Annotated[
        float,
        setting(
            "time from a symbol's last client unsubscribing to the unsubscription at cTrader",
            env="TICKRELAY_UNSUBSCRIBE_LINGER",
            flag="unsubscribe-linger",
            ge=0,
            le=3600,
            unit="s",
        ),
    ] = 30.0


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The WebSocket side."""

    purpose: ClassVar[str] = "clients"

    listen: Annotated[
        Text,
        setting(
            "Twisted endpoint for clients, such as tcp:8080, ssl:... or systemd:...; without it port WS_PORT or 8080",
            env="TICKRELAY_LISTEN",
            flag="listen",
        ),
    ] = ""
    admin: Annotated[
        Text,
        setting(
            "Twisted endpoint for /healthz, /readyz and /metrics, such as tcp:9090:interface=127.0.0.1",
            env="TICKRELAY_ADMIN",
            flag="admin",
            purpose="operators",
        ),
    ] = ""
    max_message_bytes: Annotated[
        int,
        setting(
            "longest message accepted from a client",
            env="TICKRELAY_MAX_MESSAGE",
            flag="max-message",
            ge=128,
            le=16_777_216,
            unit="bytes",
        ),
    ] = 65_536
    ping_interval_s: Annotated[
        float,
        setting(
            "interval of pings to a silent client",
            env="TICKRELAY_PING_INTERVAL",
            flag="ping-interval",
            ge=1,
            le=3600,
            unit="s",
        ),
    ] = 20.0
    ping_timeout_s: Annotated[
        float,
        setting(
            "deadline for a client's pong", env="TICKRELAY_PING_TIMEOUT", flag="ping-timeout", ge=1, le=3600, unit="s"
        ),
    ] = 20.0
    handshake_timeout_s: Annotated[
        float,
        setting(
            "deadline for a client's whole opening handshake",
            env="TICKRELAY_HANDSHAKE_TIMEOUT",
            flag="handshake-timeout",
            ge=0.5,
            le=60,
            unit="s",
        ),
    ] = 5.0
    max_connections: Annotated[
        int,
        setting(
            "limit of client connections", env="TICKRELAY_MAX_CONNECTIONS", flag="max-connections", ge=1, le=1_000_000
        ),
    ] = 10_000
    max_connections_per_address: Annotated[
        int,
        setting(
            "limit of client connections from one address",
            env="TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS",
            flag="max-connections-per-address",
            ge=1,
            le=1_000_000,
        ),
    ] = 100
    trusted_proxies: Annotated[
        tuple[TrustedProxy, ...],
        setting(
            "addresses or networks of proxies whose X-Forwarded-For tells a client's address, such as 10.0.0.0/8; "
            "unix stands for the peers of a UNIX socket",
            env="TICKRELAY_TRUSTED_PROXIES",
            flag="trusted-proxies",
        ),
    ] = ()
    max_symbols: Annotated[
        int,
        setting(
            "limit of symbols that one client may subscribe",
            env="TICKRELAY_MAX_SYMBOLS",
            flag="max-symbols",
            ge=1,
            le=100_000,
        ),
    ] = 200
    messages_per_s: Annotated[
        float,
        setting(
            "messages read from one client per second",
            env="TICKRELAY_MESSAGES_PER_SECOND",
            flag="messages-per-second",
            ge=0.1,
            le=100_000,
            unit="per second",
        ),
    ] = 20.0
    messages_burst: Annotated[
        int,
        setting(
            "messages that one client may send at once before that rate applies",
            env="TICKRELAY_MESSAGES_BURST",
            flag="messages-burst",
            ge=1,
            le=1_000_000,
        ),
    ] = 200
    allowed_origins: Annotated[
        tuple[Origin, ...],
        setting(
            "origins of browser pages that may connect, such as https://app.example.com; * allows every page",
            env="TICKRELAY_ALLOWED_ORIGINS",
            flag="allowed-origins",
        ),
    ] = ("*",)
    tokens_file: Annotated[
        FilePath,
        setting(
            "file with the SHA-256 digests of the tokens that clients need, one a line, re-read when it changes; "
            "without it no token is needed",
            env="TICKRELAY_TOKENS_FILE",
            flag="tokens-file",
        ),
    ] = ""
    drain_s: Annotated[
        float,
        setting(
            "longest time over which the closing of clients is spread when the service stops",
            env="TICKRELAY_DRAIN",
            flag="drain",
            ge=0,
            le=300,
            unit="s",
        ),
    ] = 8.0


@dataclass(frozen=True, kw_only=True)
class RelaySettings:
    """The fan-out: the flush, slow clients, what is kept for those who come back."""

    purpose: ClassVar[str] = "relay"

    flush_window_s: Annotated[
        float,
        setting(
            "shortest time between two writes to a client; more costs latency and saves CPU",
            env="TICKRELAY_FLUSH_WINDOW",
            flag="flush-window",
            ge=0,
            le=10,
            unit="s",
        ),
    ] = 0.0
    stuck_timeout_s: Annotated[
        float,
        setting(
            "time after which a client that reads nothing is closed",
            env="TICKRELAY_STUCK_TIMEOUT",
            flag="stuck-timeout",
            ge=1,
            le=3600,
            unit="s",
        ),
    ] = 30.0
    max_queued_bytes: Annotated[
        int,
        setting(
            "limit of answers queued for a client that does not read; ticks are never queued",
            env="TICKRELAY_MAX_QUEUED",
            flag="max-queued",
            ge=65_536,
            le=1_073_741_824,
            unit="bytes",
        ),
    ] = 4_194_304
    history_ticks: Annotated[
        int,
        setting(
            "newest ticks kept of each symbol for clients that resume; at most twice as many as are replayed",
            env="TICKRELAY_HISTORY",
            flag="history",
            ge=0,
            le=1_000_000,
        ),
    ] = 5_000
    history_s: Annotated[
        float,
        setting(
            "greatest age of a tick that is replayed",
            env="TICKRELAY_HISTORY_AGE",
            flag="history-age",
            ge=0,
            le=86_400,
            unit="s",
        ),
    ] = 300.0
    replay_ticks: Annotated[
        int,
        setting(
            "limit of ticks of a symbol replayed to a client that resumes; one that missed more gets a snapshot",
            env="TICKRELAY_REPLAY",
            flag="replay",
            ge=0,
            le=1_000_000,
        ),
    ] = 1_000


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What is logged."""

    purpose: ClassVar[str] = "operators"

    levels: Annotated[
        LogLevels,
        setting(
            "least level that is logged, and NAMESPACE=LEVEL for parts, such as info,tickrelay.upstream=debug",
            env="TICKRELAY_LOG_LEVEL",
            flag="log-level",
        ),
    ] = "info"


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, and where each that was set came from (its name -> ``flag``, ``environment``, ``.env``, a file)."""

    ctrader: CTraderSettings
    clients: ClientSettings
    relay: RelaySettings
    log: LogSettings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    """What is probably a mistake, a line each; the relay starts nevertheless."""


def settings() -> Iterator[Setting]:
    """Every setting, in the order of the documentation."""
    for group in (CTraderSettings, ClientSettings, RelaySettings, LogSettings):
        yield from settings_of(group)


def load(places: Places, *, ctrader: Mapping[str, Any] | None = None) -> Config:
    """Make the Config; *ctrader* presets fields that are not to be looked for (the simulator's). Raises SettingError
    with everything that is wrong.
    """
    sources: dict[str, str] = {}
    problems = Problems()
    preset = ctraders_from_dotenv(places, sources, dict(ctrader or {}), problems)
    ctrader_values = read_section(CTraderSettings, places, sources, preset, problems)
    client_values = read_section(ClientSettings, places, sources, {}, problems)
    relay_values = read_section(RelaySettings, places, sources, {}, problems)
    log_values = read_section(LogSettings, places, sources, {}, problems)
    if not client_values.get("listen"):
        with problems:
            port, sources["listen"] = clients_port(places)
            client_values["listen"] = f"tcp:{port}:backlog=1024"
    mistaken, warnings = unknown_names(places, [s.env for s in settings()])
    problems += mistaken
    problems += _reversed(ctrader_values, sources)
    if problems:
        raise SettingError(*problems, *warnings)  # a misspelt name may be why another is missing
    made = CTraderSettings(**ctrader_values)
    return Config(
        ctrader=made,
        clients=ClientSettings(**client_values),
        relay=RelaySettings(**relay_values),
        log=LogSettings(**log_values),
        sources=sources,
        warnings=(*warnings, *doubts(made.host, made.port, sources, places)),
    )


def _reversed(values: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[str]:
    """A line for each least wait that is above its most."""
    fields = {s.name: s for s in settings_of(CTraderSettings)}
    for kind in ("retry", "refused"):
        pair = [fields[f"{kind}_{end}_s"] for end in ("least", "most")]
        least, most = (values.get(f.name, f.default) for f in pair)
        if least > most:
            names = [sources.get(f.name, f.env) for f in pair]
            yield f"{names[0]} must not be above {names[1]}: {least:g} s and {most:g} s"
