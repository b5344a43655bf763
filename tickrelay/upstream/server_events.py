"""ServerEvents: messages that answer no request, as calls of the session: loss events, changed symbols, errors."""

from collections.abc import Callable, Iterable
from typing import Protocol

from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.frames import clean
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountDisconnectEvent,
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAErrorRes,
    ProtoOASymbolChangedEvent,
)
from tickrelay.upstream.errors import Cause, Kind, api_error
from tickrelay.upstream.protocol import OpenApiProtocol


class EventsOwner(Protocol):
    """What the events are reported to: the session."""

    def drop(self, cause: Cause) -> None:
        """The connection is of no use any longer."""

    def account_lost(self, why: str) -> None:
        """The account's session is gone, the connection is not."""

    def symbols_outdated(self, ids: Iterable[int]) -> None:
        """What is known of these symbols is out of date."""

    def request_failed(self, error: Exception) -> None:
        """An error that answers no request."""


class ServerEvents:
    """Listens on a connection for one account. Events about trading are not listened to."""

    def __init__(self, account_id: int, owner: EventsOwner, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._account_id = account_id
        self._owner = owner

    def listen(self, link: OpenApiProtocol) -> None:
        """Begin, for the lifetime of the connection."""
        link.listen(ProtoOAClientDisconnectEvent, self._client_disconnected)
        link.listen(ProtoOAAccountDisconnectEvent, self._account_disconnected)
        link.listen(ProtoOAAccountsTokenInvalidatedEvent, self._token_invalidated)
        link.listen(ProtoOASymbolChangedEvent, self._symbols_changed)
        link.listen(ProtoOAErrorRes, self._error_came)
        link.listen(ProtoErrorRes, self._error_came)

    def _client_disconnected(self, event: ProtoOAClientDisconnectEvent) -> None:
        reason = clean(event.reason, redact=self._redact) or "no reason given"
        self._owner.drop(Cause(Kind.NETWORK, f"cTrader ended the application's session: {reason}"))

    def _account_disconnected(self, event: ProtoOAAccountDisconnectEvent) -> None:
        if event.ctidTraderAccountId == self._account_id:
            self._owner.account_lost("cTrader ended the account's session")

    def _token_invalidated(self, event: ProtoOAAccountsTokenInvalidatedEvent) -> None:
        if self._account_id in event.ctidTraderAccountIds:
            # Never renewed straight from here: whoever replaced the token may have written the new one to the token
            # file, which is read again; a renewal would invalidate that one in turn, round and round.
            reason = clean(event.reason, redact=self._redact) or "no reason given"
            self._owner.account_lost(f"the access token was invalidated: {reason}")

    def _symbols_changed(self, event: ProtoOASymbolChangedEvent) -> None:
        if event.ctidTraderAccountId == self._account_id:
            self._owner.symbols_outdated(event.symbolId)

    def _error_came(self, message: ProtoOAErrorRes | ProtoErrorRes) -> None:
        self._owner.request_failed(api_error(message, self._redact))
