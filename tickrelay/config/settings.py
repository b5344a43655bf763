"""Every setting of the relay: one frozen, typed `Config`, made once from flags, environment, ``.env`` and secret files.

A setting is one field: its type, default, environment name, flag and bounds stand together, and the command line,
the documentation and the error messages are made from it. What is wrong with a setting is a SettingError that names
it. Secrets have no flag (argv is public) and can come from a file: ``CTRADER_CLIENT_SECRET_FILE``.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tickrelay.config.host_and_port import DEFAULT_CTRADER_PORT, clients_port, ctraders_from_dotenv, doubts
from tickrelay.config.origins import origins
from tickrelay.config.schema import (
    Places,
    Secret,
    file_path,
    host_name,
    integer,
    nonempty,
    number,
    port_number,
    read_section,
    secret,
    setting,
)
from tickrelay.config.spelling import unknown_names
from tickrelay.model.errors import Problems, SettingError

DEFAULT_HOST = "demo.ctraderapi.com"


@dataclass(frozen=True, kw_only=True)
class CTraderSettings:
    """The cTrader connection."""

    client_id: str = setting("CTRADER_CLIENT_ID", "client id of the Open API application", nonempty)
    client_secret: Secret = secret("CTRADER_CLIENT_SECRET", "client secret of the Open API application")
    access_token: Secret = secret("CTRADER_ACCESS_TOKEN", "access token of the account's owner")
    account_id: int = setting("CTRADER_ACCOUNT_ID", "ctidTraderAccountId (not the login number)", integer(1, 2**63 - 1))
    host: str = setting("CTRADER_HOST", "cTrader host", host_name, flag="ctrader-host", default=DEFAULT_HOST)
    port: int = setting("CTRADER_PORT", "cTrader port", port_number, flag="ctrader-port", default=DEFAULT_CTRADER_PORT)
    ca_file: str = setting(
        "CTRADER_CA_FILE",
        "PEM file with a certificate authority to trust besides the system's",
        file_path,
        flag="ctrader-ca",
        default="",
    )
    refresh_token: Secret = secret(
        "CTRADER_REFRESH_TOKEN", "refresh token: renews the access token before it ends", default=Secret("")
    )
    token_file: str = setting(
        "CTRADER_TOKEN_FILE",
        "file that keeps renewed tokens (mode 0600)",
        file_path,
        flag="token-file",
        default="",
    )
    heartbeat_s: float = setting(
        "TICKRELAY_HEARTBEAT", "between heartbeats to cTrader", number(1, 25), flag="heartbeat", default=10.0, unit="s"
    )
    connect_timeout_s: float = setting(
        "TICKRELAY_CONNECT_TIMEOUT",
        "for name look-up, TCP and TLS together",
        number(0.1, 300),
        flag="connect-timeout",
        default=15.0,
        unit="s",
    )
    request_timeout_s: float = setting(
        "TICKRELAY_REQUEST_TIMEOUT",
        "for the answer to each request",
        number(0.1, 300),
        flag="request-timeout",
        default=10.0,
        unit="s",
    )
    requests_per_s: int = setting(
        "TICKRELAY_REQUESTS",
        "requests to cTrader in any second (it allows 50)",
        integer(5, 50),
        flag="requests",
        default=45,
        unit="1/s",
    )
    historical_per_s: int = setting(
        "TICKRELAY_HISTORICAL_REQUESTS",
        "of these, requests for history (it allows 5)",
        integer(2, 5),
        flag="historical-requests",
        default=4,
        unit="1/s",
    )
    retry_least_s: float = setting(
        "TICKRELAY_RETRY_LEAST",
        "first wait after a lost connection, doubled after each failure",
        number(0.05, 3600),
        flag="retry-least",
        default=0.5,
        unit="s",
    )
    retry_most_s: float = setting(
        "TICKRELAY_RETRY_MOST",
        "longest wait after a lost connection",
        number(0.05, 86_400),
        flag="retry-most",
        default=60.0,
        unit="s",
    )
    refused_least_s: float = setting(
        "TICKRELAY_REFUSED_LEAST",
        "first wait after refused credentials, doubled after each failure",
        number(1, 86_400),
        flag="refused-least",
        default=60.0,
        unit="s",
    )
    refused_most_s: float = setting(
        "TICKRELAY_REFUSED_MOST",
        "longest wait after refused credentials",
        number(1, 86_400),
        flag="refused-most",
        default=900.0,
        unit="s",
    )
    link_silence_s: float = setting(
        "TICKRELAY_LINK_SILENCE",
        "without a byte from cTrader after which a connection is dead",
        number(30, 3600),
        flag="link-silence",
        default=90.0,
        unit="s",
    )
    data_silence_s: float = setting(
        "TICKRELAY_DATA_SILENCE",
        "without a tick of an open market after which the feed is dead",
        number(5, 86_400),
        flag="data-silence",
        default=60.0,
        unit="s",
    )
    symbol_silence_s: float = setting(
        "TICKRELAY_SYMBOL_SILENCE",
        "without a tick of one symbol of an open market after which it is subscribed again",
        number(5, 86_400),
        flag="symbol-silence",
        default=600.0,
        unit="s",
    )
    live_timeout_s: float = setting(
        "TICKRELAY_LIVE_TIMEOUT",
        "for the whole way from connecting to live",
        number(1, 3600),
        flag="live-timeout",
        default=60.0,
        unit="s",
    )
    stable_s: float = setting(
        "TICKRELAY_STABLE",
        "live until the waits between tries begin small again",
        number(0, 3600),
        flag="stable",
        default=30.0,
        unit="s",
    )
    stop_timeout_s: float = setting(
        "TICKRELAY_STOP_TIMEOUT",
        "for the orderly end of the cTrader connection",
        number(0.1, 60),
        flag="stop-timeout",
        default=3.0,
        unit="s",
    )
    unsubscribe_linger_s: float = setting(
        "TICKRELAY_UNSUBSCRIBE_LINGER",
        "from the last client's leaving to the unsubscription upstream",
        number(0, 3600),
        flag="unsubscribe-linger",
        default=30.0,
        unit="s",
    )


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The WebSocket side."""

    listen: str = setting(
        "TICKRELAY_LISTEN",
        "where clients connect: a Twisted endpoint such as tcp:8080, ssl:… or systemd:…",
        nonempty,
        flag="listen",
        default="",
    )
    admin: str = setting(
        "TICKRELAY_ADMIN",
        "where operators look (/healthz, /readyz, /metrics): a Twisted endpoint such as tcp:9090:interface=127.0.0.1",
        nonempty,
        flag="admin",
        default="",
    )
    max_message_bytes: int = setting(
        "TICKRELAY_MAX_MESSAGE",
        "longest message taken from a client",
        integer(128, 16_777_216),
        flag="max-message",
        default=65_536,
        unit="bytes",
    )
    ping_interval_s: float = setting(
        "TICKRELAY_PING_INTERVAL",
        "between pings to a silent client",
        number(1, 3600),
        flag="ping-interval",
        default=20.0,
        unit="s",
    )
    ping_timeout_s: float = setting(
        "TICKRELAY_PING_TIMEOUT",
        "for a client's pong",
        number(1, 3600),
        flag="ping-timeout",
        default=20.0,
        unit="s",
    )
    handshake_timeout_s: float = setting(
        "TICKRELAY_HANDSHAKE_TIMEOUT",
        "for a client's whole opening handshake",
        number(0.5, 60),
        flag="handshake-timeout",
        default=5.0,
        unit="s",
    )
    max_connections: int = setting(
        "TICKRELAY_MAX_CONNECTIONS",
        "clients in all",
        integer(1, 1_000_000),
        flag="max-connections",
        default=10_000,
    )
    max_connections_per_address: int = setting(
        "TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS",
        "clients from one address",
        integer(1, 1_000_000),
        flag="max-connections-per-address",
        default=100,
    )
    max_symbols: int = setting(
        "TICKRELAY_MAX_SYMBOLS",
        "symbols that one client may subscribe",
        integer(1, 100_000),
        flag="max-symbols",
        default=200,
    )
    messages_per_s: float = setting(
        "TICKRELAY_MESSAGES_PER_SECOND",
        "messages read from one client",
        number(0.1, 100_000),
        flag="messages-per-second",
        default=20.0,
        unit="1/s",
    )
    messages_burst: int = setting(
        "TICKRELAY_MESSAGES_BURST",
        "messages that a client may send at once",
        integer(1, 1_000_000),
        flag="messages-burst",
        default=200,
    )
    allowed_origins: tuple[str, ...] = setting(
        "TICKRELAY_ALLOWED_ORIGINS",
        "origins of browser pages that may connect, such as https://app.example.com; * allows every page",
        origins,
        flag="allowed-origins",
        default=("*",),
    )
    tokens_file: str = setting(
        "TICKRELAY_TOKENS_FILE",
        "file with the SHA-256 digests of the tokens that clients need, one a line; without it no token is needed",
        file_path,
        flag="tokens-file",
        default="",
    )
    drain_s: float = setting(
        "TICKRELAY_DRAIN",
        "over which clients are closed when the service stops",
        number(0, 300),
        flag="drain",
        default=8.0,
        unit="s",
    )


@dataclass(frozen=True, kw_only=True)
class RelaySettings:
    """The fan-out: the flush, slow clients, what is kept for those who come back."""

    flush_window_s: float = setting(
        "TICKRELAY_FLUSH_WINDOW",
        "at least between two writes to a client; more of it costs latency and saves CPU",
        number(0, 10),
        flag="flush-window",
        default=0.0,
        unit="s",
    )
    stuck_timeout_s: float = setting(
        "TICKRELAY_STUCK_TIMEOUT",
        "after which a client that drains nothing is closed",
        number(1, 3600),
        flag="stuck-timeout",
        default=30.0,
        unit="s",
    )
    max_queued_bytes: int = setting(
        "TICKRELAY_MAX_QUEUED",
        "answers that may wait for a client that does not read; ticks never wait",
        integer(65_536, 1_073_741_824),
        flag="max-queued",
        default=4_194_304,
        unit="bytes",
    )
    history_ticks: int = setting(
        "TICKRELAY_HISTORY",
        "newest ticks kept of each symbol for clients that resume",
        integer(0, 1_000_000),
        flag="history",
        default=5_000,
    )
    history_s: float = setting(
        "TICKRELAY_HISTORY_AGE",
        "how old a tick may be that is replayed",
        number(0, 86_400),
        flag="history-age",
        default=300.0,
        unit="s",
    )
    replay_ticks: int = setting(
        "TICKRELAY_REPLAY",
        "ticks of a symbol replayed to a client that resumes; who missed more gets a snapshot",
        integer(0, 1_000_000),
        flag="replay",
        default=1_000,
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, and where each that was set came from (its name -> ``flag``, ``environment``, ``.env``, a file)."""

    ctrader: CTraderSettings
    clients: ClientSettings
    relay: RelaySettings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    """What is probably a mistake, a line each; the relay starts nevertheless."""


def settings() -> Iterator[dataclasses.Field[Any]]:
    """Every setting, in the order of the documentation."""
    for group in (CTraderSettings, ClientSettings, RelaySettings):
        yield from dataclasses.fields(group)


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
    if not client_values.get("listen"):
        with problems:
            port, sources["listen"] = clients_port(places)
            client_values["listen"] = f"tcp:{port}:backlog=1024"
    mistaken, warnings = unknown_names(places, [f.metadata["env"] for f in settings()])
    problems += mistaken
    problems += _reversed(ctrader_values, sources)
    if problems:
        raise SettingError(*problems, *warnings)  # a misspelt name may be why another is missing
    made = CTraderSettings(**ctrader_values)
    return Config(
        ctrader=made,
        clients=ClientSettings(**client_values),
        relay=RelaySettings(**relay_values),
        sources=sources,
        warnings=(*warnings, *doubts(made.host, made.port, sources, places)),
    )


def _reversed(values: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[str]:
    """A line for each least wait that is above its most."""
    fields = {f.name: f for f in dataclasses.fields(CTraderSettings)}
    for kind in ("retry", "refused"):
        pair = [fields[f"{kind}_{end}_s"] for end in ("least", "most")]
        least, most = (values.get(f.name, f.default) for f in pair)
        if least > most:
            names = [sources.get(f.name, f.metadata["env"]) for f in pair]
            yield f"{names[0]} must not be above {names[1]}: {least:g} s and {most:g} s"
