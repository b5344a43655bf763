"""The listeners that are called with a message that answers no request."""

from collections.abc import Callable
from typing import Any

import pytest

from tickrelay.openapi import registry
from tickrelay.openapi.messages_pb2 import ProtoOASpotEvent, ProtoOASymbolChangedEvent
from tickrelay.upstream.event_listeners import EventListeners

CHANGED = registry.lookup(ProtoOASymbolChangedEvent).number
SPOT = registry.lookup(ProtoOASpotEvent).number


def test_each_listener_of_the_type_is_called_in_order() -> None:
    """Listeners of other types are not; the same listener may be there twice, and each ends alone."""
    events = EventListeners()
    calls: list[tuple[str, Any]] = []

    def note(name: str) -> Callable[[Any], None]:
        return lambda message: calls.append((name, message))

    again = note("a")
    events.listen(ProtoOASymbolChangedEvent, again)
    events.listen("PROTO_OA_SYMBOL_CHANGED_EVENT", note("b"))
    stop = events.listen(CHANGED, again)
    events.listen(ProtoOASpotEvent, note("spot"))
    message = ProtoOASymbolChangedEvent()
    events.call(CHANGED, message)
    stop()
    stop()
    events.call(CHANGED, message)
    assert [name for name, _ in calls] == ["a", "b", "a", "b", "a"]
    assert all(one is message for _, one in calls)


def test_the_list_of_a_type_is_one_object() -> None:
    """The protocol keeps a reference to it: empty before the first listener and after the last."""
    events = EventListeners()
    spots = events.of(SPOT)
    assert not spots
    events.listen(ProtoOASpotEvent, print)
    assert spots == [print]
    events.clear()
    assert not spots and events.of(SPOT) is spots


def test_an_unknown_type_is_refused() -> None:
    """No listener can be added that would never be called."""
    with pytest.raises(registry.UnknownPayloadType):
        EventListeners().listen("ProtoOANoSuchEvent", print)
