"""Which figures there are: the one place where the parts' counters get the names that operators see."""

from collections.abc import Callable

from tickrelay.downstream.factory import ClientFactory
from tickrelay.metrics import Metric
from tickrelay.model.status import Status
from tickrelay.recording.recorder import Recorder
from tickrelay.relay.hub import Hub
from tickrelay.upstream.service import UpstreamService


def figures(
    hub: Hub,
    clients: ClientFactory,
    upstream: Callable[[], UpstreamService | None],
    recorder: Recorder | None,
) -> list[Metric]:
    """Every figure of the relay; *upstream* gives the cTrader side once there is one."""
    groups = list(hub.fanout.groups.values())
    here = hub.fanout.counters

    def of_upstream(name: str) -> Callable[[], float]:
        def read() -> float:
            service = upstream()
            return float(getattr(service.counters, name)) if service is not None else 0.0

        return read

    def gauge(name: str, about: str, read: Callable[[], float]) -> Metric:
        return Metric(name, about, read, "gauge")

    recording = (
        [
            gauge("recording", "1 while frames are recorded, 0 on an alarm.", lambda: not recorder.alarm),
            Metric("recorded_frames_total", "Frames recorded.", lambda: recorder.recorded),
            Metric("record_lost_frames_total", "Frames not recorded.", lambda: recorder.lost),
        ]
        if recorder is not None
        else []
    )
    return [
        *recording,
        gauge("connected", "1 while the session with cTrader is up.", lambda: hub.status.status is Status.CONNECTED),
        gauge("last_spot_age_seconds",
              "Since the newest tick, while the market of a subscribed symbol is open; else 0.",
              lambda: hub.spot_age_s or 0.0),
        gauge("clients", "WebSocket clients.", lambda: len(clients)),
        Metric("clients_refused_total", "Connections refused, and clients closed for a fault of theirs.",
               lambda: clients.refusals.counts, label="reason"),
        gauge("clients_behind", "Clients whose transport holds data.", lambda: len(hub.fanout.behind)),
        gauge("symbols_wanted", "Symbols that clients subscribe.",
              lambda: sum(1 for channel in hub.channels.values() if hub.subscribers(channel))),
        Metric("spots_total", "Spot events received.", lambda: hub.spots),
        Metric("spots_unwanted_total", "Of these, for symbols that nobody wants.", lambda: hub.spots_unwanted),
        Metric("ticks_total", "Ticks handed to the fan-out.", lambda: here.ticks),
        Metric("flushes_total", "Ends of a turn with ticks.", lambda: here.flushes),
        Metric("flush_seconds_total", "Time spent in them.", lambda: here.flush_s),
        Metric("sends_total", "Writes of ticks to clients that keep up.", lambda: sum(lane.sends for lane in groups)),
        Metric("sent_bytes_total", "Bytes of ticks in them.", lambda: sum(lane.bytes for lane in groups)),
        Metric("clients_fell_behind_total", "Times a client fell behind.", lambda: here.fell_behind),
        Metric("clients_caught_up_total", "Times one caught up.", lambda: here.caught_up),
        Metric("clients_expelled_total", "Slow clients closed with 4008.", lambda: here.expelled),
        Metric("gaps_total", "Gaps declared, one a symbol and outage.", lambda: hub.gaps),
        *(
            Metric(f"upstream_{name}_total", about, of_upstream(name))
            for name, about in (
                ("frames", "Frames from cTrader."),
                ("requests", "Requests sent to it."),
                ("request_errors", "Requests that it refused."),
                ("request_timeouts", "Requests that it did not answer in time."),
                ("rate_limited", "Answers that asked for a pause."),
                ("protocol_errors", "Frames that are not what they announce."),
                ("connects", "Connections made."),
                ("connect_failures", "Attempts that came to nothing."),
                ("losses", "Connections lost."),
                ("stale_feeds", "Times the feed fell silent in an open market."),
            )
        ),
    ]  # fmt: skip
