"""What all connections share: the market's time, and its one timer."""

from collections.abc import Callable

from twisted.internet.task import Clock

from tests.support.broker import Broker
from tickrelay.simulator.broker import SimulatedBroker
from tickrelay.simulator.framing.factory import SimulatorFactory
from tickrelay.simulator.settings import SimulatorSettings


def test_a_clock_that_is_set_back_does_not_stop_the_market(clock: Clock) -> None:
    """Ticks go on, and their times never go back; a clock that is set forward is followed."""
    offset_s = 1_763_900_000.0
    broker = SimulatedBroker(SimulatorSettings(symbols=("EURUSD",)), lambda: offset_s + clock.seconds())
    broker.run(clock)
    times = []
    for step_s in (0.0, -3600.0, 7200.0, 0.0):
        offset_s += step_s
        clock.pump([0.1] * 300)
        last = broker.source.technical(1)
        assert last is not None
        times.append(last.time_ms / 1000)
    assert times == sorted(times)
    assert 25 < times[1] - times[0] < 35
    assert times[2] - times[1] > 7000
    broker.stop()


def test_one_timer_for_the_market(broker: Broker) -> None:
    """Its number does not grow with symbols or factories."""
    SimulatorFactory(broker.broker, broker.clock)
    broker.run(5)
    assert len(broker.clock.getDelayedCalls()) == 1
    broker.broker.stop()
    assert not broker.clock.getDelayedCalls()


def test_a_frame_is_encoded_once_for_all_who_get_it(make_broker: Callable[..., Broker]) -> None:
    """Connections of the same account share the bytes."""
    broker = make_broker(settings={"symbols": ("EURUSD",)})
    peers = [broker.connect() for _ in range(3)]
    batches: list[list[bytes]] = []
    for peer in peers:
        peer.log_in()
        peer.subscribe(1)
        sent: list[bytes] = []
        peer.protocol.session.line = type("Line", (), {"send": lambda _, batch, sent=sent: sent.extend(batch)})()
        batches.append(sent)
    broker.run(5)
    assert batches[0]
    for one, other, third in zip(*batches, strict=True):
        assert one is other is third
