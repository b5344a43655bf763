"""The codes that clients see, and the exceptions that cross floors.

Close codes: the standard ones first (RFC 6455 and its registry); of the private range, after 40xx the client should
reconnect with backoff, after 45xx it should not. 4504 is retired: too many connections are 1013 now.
"""

from enum import IntEnum, StrEnum
from types import TracebackType


class CloseCode(IntEnum):
    """Why a WebSocket connection was closed."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    SLOW_CONSUMER = 4008
    NO_PONG = 4012
    BAD_TOKEN = 4501
    BAD_PROTOCOL = 4502
    FORBIDDEN = 4503


class ErrorCode(StrEnum):
    """The ``code`` of an error, or of one symbol's result, in the v1 protocol."""

    BAD_JSON = "BAD_JSON"
    BAD_REQUEST = "BAD_REQUEST"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    SYMBOL_DISABLED = "SYMBOL_DISABLED"
    NOT_READY = "NOT_READY"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    SUBSCRIPTION_LIMIT = "SUBSCRIPTION_LIMIT"
    INTERNAL = "INTERNAL"


class SettingError(Exception):
    """Settings are missing, malformed or cannot work. Each of *problems* is one line that names the setting and says
    what to do; none holds a secret.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Problems(list[str]):
    """Collects the SettingErrors raised inside ``with`` blocks, so that a start names all of them at once."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not isinstance(error, SettingError):
            return False
        self.extend(error.problems)
        return True

    def check(self) -> None:
        """Raise SettingError with all that was collected, if anything was."""
        if self:
            raise SettingError(*self)
