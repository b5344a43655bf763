"""The listeners of one connection: who is called with which messages that answer no request."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from google.protobuf.message import Message

from twisted.logger import Logger

from tickrelay.openapi import registry

M = TypeVar("M", bound=Message)


class EventListeners:
    """Listeners by payload type. One that raises is logged and keeps none of the others from being called."""

    _log = Logger()

    def __init__(self) -> None:
        self._by_type: dict[int, list[Callable[[Any], None]]] = {}

    def of(self, payload_type: int) -> list[Callable[[Any], None]]:
        """The one list of a payload type, which `listen` adds to: to be kept by a caller that must not look it up."""
        return self._by_type.setdefault(payload_type, [])

    @overload
    def listen(self, event: type[M], listener: Callable[[M], None]) -> Callable[[], None]: ...
    @overload
    def listen(self, event: str | int, listener: Callable[[Any], None]) -> Callable[[], None]: ...

    def listen(self, event: Any, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call *listener* with each message of a payload type, given by either name, number or class, that answers no
        request; returns what ends it. Raises UnknownPayloadType.
        """
        listeners = self.of(registry.lookup(event).number)
        listeners.append(listener)
        listening = True

        def stop() -> None:
            # Once: the same listener may be in the list a second time.
            nonlocal listening
            if listening and listener in listeners:
                listeners.remove(listener)
            listening = False

        return stop

    def call(self, payload_type: int, message: Message) -> None:
        """Call every listener of the type, in the order in which they began."""
        for listener in tuple(self._by_type.get(payload_type, ())):
            with self._log.failuresHandled("a listener of {type} failed", type=payload_type):
                listener(message)

    def clear(self) -> None:
        """The connection is gone: forget every listener."""
        for listeners in self._by_type.values():
            listeners.clear()
