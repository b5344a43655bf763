"""cTrader's error codes by class, the exceptions of requests, and the causes that end a session.

The classes are those of the Open API's error table; a code that is in no table is surfaced and never looped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto

from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.frames import clean
from tickrelay.openapi.messages_pb2 import ProtoOAErrorRes


class ErrorClass(StrEnum):
    """What an error code asks for."""

    SUCCESS = auto()
    """The requested state already holds: treat as success."""
    TOKEN = auto()
    """The access token is refused: renew it once."""
    REAUTH_ACCOUNT = auto()
    """The account's session is gone, the socket is fine: authorise the account again."""
    REAUTH_APPLICATION = auto()
    """The application's session is gone: a new connection."""
    FATAL_APPLICATION = auto()
    FATAL_ACCOUNT = auto()
    RATE = auto()
    """Too fast: pause, then send again."""
    SYMBOL = auto()
    """One symbol of the request is refused."""
    UNAVAILABLE = auto()
    """The server is away, or has no connection left for the application: a new connection, later."""
    RETRY = auto()
    """Temporary trouble at cTrader."""
    CLIENT_BUG = auto()
    """The request itself is wrong: never sent again."""
    TRADING = auto()
    """Concerns orders; a relay of quotes never sends what yields it."""
    UNKNOWN = auto()
    """Not in the table: surfaced, never looped."""


_TRADING = (
    "MARKET_CLOSED WORSE_GSL_NOT_ALLOWED SYMBOL_HAS_HOLIDAY NOT_ENOUGH_MONEY MAX_EXPOSURE_REACHED POSITION_NOT_FOUND "
    "ORDER_NOT_FOUND POSITION_NOT_OPEN POSITION_LOCKED TOO_MANY_POSITIONS TRADING_BAD_VOLUME TRADING_BAD_STOPS "
    "TRADING_BAD_PRICES TRADING_BAD_STAKE PROTECTION_IS_TOO_CLOSE_TO_MARKET TRADING_BAD_EXPIRATION_DATE "
    "PENDING_EXECUTION TRADING_DISABLED TRADING_NOT_ALLOWED UNABLE_TO_CANCEL_ORDER UNABLE_TO_AMEND_ORDER "
    "SHORT_SELLING_NOT_ALLOWED"
)

ERROR_CLASSES: dict[str, ErrorClass] = {
    "ALREADY_LOGGED_IN": ErrorClass.SUCCESS,
    "ALREADY_SUBSCRIBED": ErrorClass.SUCCESS,
    "CH_CLIENT_ALREADY_AUTHENTICATED": ErrorClass.SUCCESS,
    "OA_AUTH_TOKEN_EXPIRED": ErrorClass.TOKEN,
    "CH_ACCESS_TOKEN_INVALID": ErrorClass.TOKEN,
    "ACCOUNT_NOT_AUTHORIZED": ErrorClass.REAUTH_ACCOUNT,
    "CH_CLIENT_NOT_AUTHENTICATED": ErrorClass.REAUTH_APPLICATION,
    "CH_CLIENT_AUTH_FAILURE": ErrorClass.FATAL_APPLICATION,
    "CH_OA_CLIENT_NOT_FOUND": ErrorClass.FATAL_APPLICATION,
    "RET_NO_SUCH_LOGIN": ErrorClass.FATAL_ACCOUNT,
    "RET_ACCOUNT_DISABLED": ErrorClass.FATAL_ACCOUNT,
    "CH_CTID_TRADER_ACCOUNT_NOT_FOUND": ErrorClass.FATAL_ACCOUNT,
    "CHANNEL_IS_BLOCKED": ErrorClass.FATAL_ACCOUNT,
    "BLOCKED_PAYLOAD_TYPE": ErrorClass.RATE,
    "REQUEST_FREQUENCY_EXCEEDED": ErrorClass.RATE,
    "NOT_SUBSCRIBED_TO_SPOTS": ErrorClass.SYMBOL,
    "SYMBOL_NOT_FOUND": ErrorClass.SYMBOL,
    "UNKNOWN_SYMBOL": ErrorClass.SYMBOL,
    "NO_QUOTES": ErrorClass.SYMBOL,
    "NOT_SUBSCRIBED_TO_PNL": ErrorClass.SYMBOL,
    "UNKNOWN_ERROR": ErrorClass.RETRY,
    "TIMEOUT_ERROR": ErrorClass.RETRY,
    "CANT_ROUTE_REQUEST": ErrorClass.RETRY,
    "CONCURRENT_MODIFICATION": ErrorClass.RETRY,
    "CH_SERVER_NOT_REACHABLE": ErrorClass.RETRY,
    "SERVER_IS_UNDER_MAINTENANCE": ErrorClass.UNAVAILABLE,
    "CONNECTIONS_LIMIT_EXCEEDED": ErrorClass.UNAVAILABLE,
    "UNSUPPORTED_MESSAGE": ErrorClass.CLIENT_BUG,
    "INVALID_REQUEST": ErrorClass.CLIENT_BUG,
    "ENTITY_NOT_FOUND": ErrorClass.CLIENT_BUG,
    "FRAME_TOO_LONG": ErrorClass.CLIENT_BUG,
    "INCORRECT_BOUNDARIES": ErrorClass.CLIENT_BUG,
    **dict.fromkeys(_TRADING.split(), ErrorClass.TRADING),
}


def classify(code: str, description: str = "") -> ErrorClass:
    """The class of an error code; the text decides where servers answer INVALID_REQUEST for a lost account session."""
    if code in ("INVALID_REQUEST", "UNSUPPORTED_MESSAGE") and "not authorized" in description.lower():
        return ErrorClass.REAUTH_ACCOUNT
    return ERROR_CLASSES.get(code, ErrorClass.UNKNOWN)


class UpstreamError(Exception):
    """A request to cTrader did not succeed."""


class OpenApiError(UpstreamError):
    """cTrader answered a request with an error, or sent one of its own accord.

    ``retry_after_s`` and ``maintenance_end_s`` (Unix seconds) are 0 where the answer has none.
    """

    def __init__(
        self, code: str, description: str = "", request: str = "", retry_after_s: float = 0, maintenance_end: int = 0
    ) -> None:
        super().__init__(code, description, request)
        self.code = code
        self.description = description
        self.request = request
        self.retry_after_s = retry_after_s
        # Milliseconds in ProtoErrorRes, seconds in ProtoOAErrorRes, by the schema's comments; the size decides.
        self.maintenance_end_s = maintenance_end / 1000 if maintenance_end > 1e11 else float(maintenance_end)
        """Unix seconds."""

    @property
    def error_class(self) -> ErrorClass:
        """What the error asks for."""
        return classify(self.code, self.description)

    def __str__(self) -> str:
        said = f": {self.description}" if self.description else ""
        return f"{self.code}{said}" + (f" (in answer to {self.request})" if self.request else "")


def api_error(message: ProtoOAErrorRes | ProtoErrorRes, redact: Callable[[str], str]) -> OpenApiError:
    """The exception that an error message stands for, its text passed through *redact* and `clean`."""
    return OpenApiError(
        clean(message.errorCode, redact=redact),
        clean(message.description, redact=redact),
        retry_after_s=float(message.retryAfter) if isinstance(message, ProtoOAErrorRes) else 0,
        maintenance_end=int(message.maintenanceEndTimestamp),
    )


class RequestTimeout(UpstreamError):
    """A request had no answer within its deadline."""


class LinkLost(UpstreamError):
    """The connection ended before the answer came."""


class NotAllowed(UpstreamError):
    """The message is not among those that the relay ever sends: orders cannot leave it."""


class Kind(StrEnum):
    """Why a session ended; decides how long to wait and which status clients get."""

    NETWORK = auto()
    STALE = auto()
    """The feed was dead though its market is open."""
    MAINTENANCE = auto()
    CONNECTION_LIMIT = auto()
    CERTIFICATE = auto()
    CREDENTIALS = auto()
    REFUSED = auto()
    """cTrader refused a step with a code that does not concern credentials, or that is not in the table."""

    @property
    def needs_operator(self) -> bool:
        """Whether retries are in vain until an operator corrects something."""
        return self in (Kind.CERTIFICATE, Kind.CREDENTIALS, Kind.REFUSED)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a session ended, in a sentence without secrets."""

    kind: Kind
    message: str
    code: str = ""
    """cTrader's own error code."""
    until_s: float = 0.0
    """Unix seconds when a maintenance ends; 0: not announced."""
    least_s: float = 0.0
    """Not to be tried again sooner than that."""


class SessionFailed(UpstreamError):
    """A step on the way to live ended the session for *cause*."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause
