"""Connections that are refused or expelled: the close code, the log line and the counter of each reason."""

from collections.abc import Callable
from enum import StrEnum

from twisted.logger import Logger, LogLevel

from tickrelay.model.errors import CloseCode
from tickrelay.model.minute_counter import MinuteCounter


class Refusal(StrEnum):
    """Why a connection is refused; the value is the label ``reason`` of the metric."""

    ORIGIN = "origin"
    TOKEN = "token"
    PROTOCOL = "protocol"
    ADDRESS_LIMIT = "address_limit"
    CONNECTION_LIMIT = "connection_limit"
    SLOW_CLIENT = "slow_client"

    @property
    def code(self) -> CloseCode:
        """The close code."""
        return _CODES[self]


_CODES = {
    Refusal.ORIGIN: CloseCode.FORBIDDEN,
    Refusal.TOKEN: CloseCode.BAD_TOKEN,
    Refusal.PROTOCOL: CloseCode.BAD_PROTOCOL,
    Refusal.ADDRESS_LIMIT: CloseCode.TRY_AGAIN_LATER,
    Refusal.CONNECTION_LIMIT: CloseCode.TRY_AGAIN_LATER,
    Refusal.SLOW_CLIENT: CloseCode.SLOW_CONSUMER,
}

BY_CODE: dict[CloseCode, Refusal] = {
    code: refusal for refusal, code in _CODES.items() if code is not CloseCode.TRY_AGAIN_LATER
}
"""The refusal of each close code that only one refusal has."""

# A setting of the operator's may be the cause of these: logged as warnings. The others are mistakes of clients.
_WARNINGS = {
    Refusal.ORIGIN: " (TICKRELAY_ALLOWED_ORIGINS)",
    Refusal.ADDRESS_LIMIT: " (TICKRELAY_MAX_CONNECTIONS_PER_ADDRESS)",
    Refusal.CONNECTION_LIMIT: " (TICKRELAY_MAX_CONNECTIONS)",
}

MAX_LOGGED_CHARACTERS = 100
"""Of an origin, in the log."""

LINES = 10
"""Log lines of one reason in a minute."""


def origin_refusal(origin: str) -> tuple[Refusal, str, str]:
    """The refusal of a page whose origin is not in the list: with close reason, and detail for the log."""
    return Refusal.ORIGIN, "origin not allowed", f"origin {origin[:MAX_LOGGED_CHARACTERS]}"


class Refusals:
    """Counts refusals by reason, and logs them, a bounded number of lines a minute."""

    _log = Logger()

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.counts: dict[str, int] = {reason.value: 0 for reason in Refusal}
        self._seen: MinuteCounter[Refusal] = MinuteCounter(monotonic)

    def note(self, refusal: Refusal, address: str, detail: str) -> None:
        """Count a refusal. *detail* is logged: it must hold no token, and no more than a short echo of the client's."""
        self.counts[refusal] += 1
        for reason, seen in self._seen.ended().items():
            if seen > LINES:
                self._log.info("{count} more closed for {reason}", count=seen - LINES, reason=reason.value)
        if self._seen.add(refusal) <= LINES:
            self._log.emit(
                LogLevel.warn if refusal in _WARNINGS else LogLevel.info,
                "closed {address}: {detail}{setting}",
                address=address,
                detail=detail,
                setting=_WARNINGS.get(refusal, ""),
            )
