"""Which metrics there are: the one place where the parts' counters get the names that operators see on ``/metrics``.

The parts count in plain integers of their own. These are read when a page of metrics is asked for, so that nothing here
is on the way of a tick. Names follow Prometheus' conventions: base units, ``_total`` for what only rises.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tickrelay.downstream.factory import ClientFactory
from tickrelay.model.histogram import Histogram
from tickrelay.model.status import Status
from tickrelay.recording.recorder import Recorder
from tickrelay.relay.hub import Hub
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.service import UpstreamService

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

UPSTREAM: Mapping[str, str] = {
    "frames": "Frames received from cTrader.",
    "requests": "Requests sent to cTrader.",
    "request_errors": "Requests that cTrader answered with an error.",
    "request_timeouts": "Requests that cTrader did not answer before their deadline.",
    "rate_limited": "Answers of cTrader that told the relay to send fewer requests.",
    "protocol_errors": "Malformed frames received from cTrader.",
    "connects": "Connections to cTrader established.",
    "connect_failures": "Attempts to connect to cTrader that failed.",
    "losses": "Connections to cTrader lost.",
    "stale_feeds": "Times no tick arrived for too long while a market was open.",
}
"""Field of `Counters` -> help; the metric is ``tickrelay_upstream_FIELD_total``."""


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tickrelay_{name}", about, value=value)


def _counter(name: str, about: str, value: float) -> CounterMetricFamily:
    # The exposition appends _total; a name that ends with it already is shortened first, so that it is not doubled.
    return CounterMetricFamily(f"tickrelay_{name}", about, value=value)


def _histogram(name: str, about: str, values: Histogram) -> HistogramMetricFamily:
    bounds = [str(bound) for bound in values.bounds] + ["+Inf"]
    buckets = list(zip(bounds, accumulate(values.counts), strict=True))
    return HistogramMetricFamily(f"tickrelay_{name}", about, buckets=buckets, sum_value=values.total)


class RelayCollector(Collector):
    """Reads the counters of the parts. *upstream* returns the cTrader side, None before it is made."""

    def __init__(
        self,
        hub: Hub,
        clients: ClientFactory,
        upstream: Callable[[], UpstreamService | None],
        recorder: Recorder | None,
    ) -> None:
        self._hub = hub
        self._clients = clients
        self._upstream = upstream
        self._recorder = recorder

    def collect(self) -> Iterator[Family]:
        """Every metric with its present value."""
        yield from self._of_the_recorder()
        yield from self._of_the_feed()
        yield from self._of_the_clients()
        yield from self._of_the_upstream()
        yield self._of_the_jobs()

    def _of_the_recorder(self) -> Iterator[Family]:
        if (recorder := self._recorder) is not None:
            yield _gauge("recording", "1 while frames are recorded, 0 after a write failed.", not recorder.alarm)
            yield _counter("recorded_frames_total", "Frames recorded.", recorder.recorded)
            yield _counter("record_lost_frames_total", "Frames that could not be recorded.", recorder.lost)

    def _of_the_feed(self) -> Iterator[Family]:
        hub = self._hub
        wanted = sum(1 for channel in hub.channels.values() if hub.subscribers(channel))
        yield _gauge("connected", "1 while the session with cTrader is up.", hub.status.status is Status.CONNECTED)
        yield _gauge(
            "last_spot_age_seconds",
            "Time since the newest tick while the market of a subscribed symbol is open, else 0.",
            hub.spot_age_s or 0.0,
        )
        yield _gauge("symbols_wanted", "Symbols with at least one subscribed client.", wanted)
        yield _counter("spots_total", "Spot events received.", hub.spots)
        yield _counter("spots_unwanted_total", "Spot events of symbols without a subscriber.", hub.spots_unwanted)
        yield _counter("gaps_total", "Gaps declared to clients, one for each symbol of each outage.", hub.gaps)

    def _of_the_clients(self) -> Iterator[Family]:
        fanout, counters = self._hub.fanout, self._hub.fanout.counters
        groups = fanout.groups.values()
        refused = CounterMetricFamily(
            "tickrelay_clients_refused_total",
            "Connections refused, and clients closed because of what they did.",
            labels=("reason",),
        )
        for reason, count in self._clients.refusals.counts.items():
            refused.add_metric((reason,), count)
        yield _gauge("clients", "WebSocket clients connected.", len(self._clients))
        yield refused
        ledger = self._clients.context.ledger
        yield _counter("client_work_seconds_total", "Reactor time spent on what clients sent.", ledger.seconds)
        yield _counter(
            "client_work_deferred_total", "Pieces of that work that had to wait for their turn.", ledger.deferred
        )
        yield _gauge("clients_behind", "Clients whose transport holds unsent data.", len(fanout.behind))
        yield _counter("clients_fell_behind_total", "Times a client fell behind.", counters.fell_behind)
        yield _counter("clients_caught_up_total", "Times a client caught up.", counters.caught_up)
        yield _counter("clients_expelled_total", "Slow clients closed with code 4008.", counters.expelled)
        yield _counter("ticks_total", "Ticks passed to the fan-out.", counters.ticks)
        yield _counter("flushes_total", "Reactor turns at whose end ticks were sent.", counters.flushes)
        yield _counter("flush_seconds_total", "Time spent encoding and sending ticks.", counters.flush_s)
        yield _counter(
            "sends_total", "Writes of ticks to clients that are not behind.", sum(group.sends for group in groups)
        )
        yield _counter(
            "sent_bytes_total",
            "Bytes of ticks sent to clients that are not behind.",
            sum(group.bytes for group in groups),
        )

    def _of_the_upstream(self) -> Iterator[Family]:
        service = self._upstream()
        counters = service.counters if service is not None else Counters()
        for name, about in UPSTREAM.items():
            yield _counter(f"upstream_{name}_total", about, getattr(counters, name))
        yield _histogram(
            "upstream_request_seconds", "Time from a request to cTrader to its answer.", counters.request_s
        )

    def _of_the_jobs(self) -> Family:
        jobs = [self._clients.jobs]
        if (service := self._upstream()) is not None:
            jobs += service.jobs
        if self._recorder is not None:
            jobs.append(self._recorder.jobs)
        errors = CounterMetricFamily(
            "tickrelay_job_errors_total", "Errors of periodic jobs; a job goes on after one.", labels=("job",)
        )
        for name, count in ((name, count) for group in jobs for name, count in group.errors.items()):
            errors.add_metric((name,), count)
        return errors


def page(collector: Collector) -> Callable[[], bytes]:
    """What makes the body of ``/metrics``: Prometheus' text format 0.0.4.

    The registry is its own: prometheus_client's global one also holds metrics of the Python process.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    return lambda: generate_latest(registry)
