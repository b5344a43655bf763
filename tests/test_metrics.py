"""The metrics that operators see."""

import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from tests.support.browser import Browser, Server
from tests.support.v1 import JSON, results
from tickrelay.metrics import RelayCollector, page
from tickrelay.model.feed import SymbolFeed
from tickrelay.model.schedule import DAY_S, WEEK_S, Schedule
from tickrelay.model.ticks import Symbol
from tickrelay.recording.recorder import Recorder
from tickrelay.upstream.counters import Counters
from tickrelay.upstream.service import UpstreamService

THURSDAY_S = 4 * DAY_S
"""The clock of the tests begins on Thursday, 1 January 2026."""


def text(server: Server, recorder: Recorder | None = None) -> str:
    """The page of metrics of a relay without a cTrader side."""
    return page(RelayCollector(server.hub, server.factory, lambda: None, recorder))().decode()


def read(server: Server) -> dict[str, float]:
    """Every metric without labels, by the name that it has on the page, less ``tickrelay_``."""
    samples = (sample for family in text_string_to_metric_families(text(server)) for sample in family.samples)
    return {sample.name.removeprefix("tickrelay_"): sample.value for sample in samples if not sample.labels}


def age(server: Server) -> float:
    """The metric of the documented alarm."""
    return read(server)["last_spot_age_seconds"]


def feed_age(client: Browser) -> int | None:
    """What a v1 client is told of it."""
    feed = client.ask({"type": "connect", "protocol": 1, "features": []})["feed"]
    assert feed["state"] == "live"
    value: int | None = feed.get("lastSpotAgeMs")
    return value


NAMES = """
recording gauge
recorded_frames_total counter
record_lost_frames_total counter
connected gauge
last_spot_age_seconds gauge
clients gauge
clients_refused_total counter
clients_behind gauge
client_work_seconds_total counter
client_work_deferred_total counter
symbols_wanted gauge
spots_total counter
spots_unwanted_total counter
ticks_total counter
flushes_total counter
flush_seconds_total counter
sends_total counter
sent_bytes_total counter
clients_fell_behind_total counter
clients_caught_up_total counter
clients_expelled_total counter
gaps_total counter
upstream_frames_total counter
upstream_requests_total counter
upstream_request_errors_total counter
upstream_request_timeouts_total counter
upstream_rate_limited_total counter
upstream_protocol_errors_total counter
upstream_connects_total counter
upstream_connect_failures_total counter
upstream_losses_total counter
upstream_stale_feeds_total counter
upstream_request_seconds histogram
job_errors_total counter
"""
"""Name and type of every metric. Operators' alarms and dashboards use them: add, never rename."""

REASONS = ["origin", "token", "protocol", "address_limit", "connection_limit", "slow_client"]


def test_names_and_types_stay(clock: Clock, tmp_path: Path) -> None:
    """Each recorded name has its type and at least one value on the page, and there is no other name."""
    shown = text(Server(clock), Recorder(tmp_path, clock, clock.seconds, maybeDeferred))
    types = re.findall(r"^# TYPE tickrelay_(\S+ \S+)$", shown, re.MULTILINE)
    assert sorted(types) == sorted(NAMES.split("\n")[1:-1])
    values = re.findall(r"^tickrelay_([^ {]+)", shown, re.MULTILINE)
    parts = {f"upstream_request_seconds{part}" for part in ("_bucket", "_count", "_sum")}
    assert set(values) == {line.split()[0] for line in types} - {"upstream_request_seconds"} | parts


def test_refusals_are_counted_by_reason(clock: Clock) -> None:
    """Each reason is a value of the label, and is shown before it first happens."""
    server = Server(clock)
    server.factory.refusals.counts["token"] = 2
    found = re.findall(r'^tickrelay_clients_refused_total\{reason="(\w+)"\} (\S+)$', text(server), re.MULTILINE)
    assert found == [(reason, "2.0" if reason == "token" else "0.0") for reason in REASONS]


def test_counters_keep_their_precision(clock: Clock) -> None:
    """A counter beyond a million million is not rounded."""
    server = Server(clock)
    server.hub.gaps = 1_234_567_890_123
    assert read(server)["gaps_total"] == 1_234_567_890_123


def test_a_distribution_has_its_buckets_and_their_sum(clock: Clock) -> None:
    """Buckets count upwards, as Prometheus reads them; the last holds all."""
    server, service = Server(clock), UpstreamService.__new__(UpstreamService)
    service.counters, service.jobs = Counters(), ()
    for seconds in (0.02, 0.02, 0.3, 99.0):
        service.counters.request_s.observe(seconds)
    shown = page(RelayCollector(server.hub, server.factory, lambda: service, None))().decode()
    pairs = re.findall(r'^tickrelay_upstream_request_seconds(?:_bucket\{le="(.+)"\}|_(sum|count)) (\S+)$', shown, re.M)
    found = {bound or name: float(value) for bound, name, value in pairs}
    assert (found["0.01"], found["0.025"], found["0.25"], found["0.5"], found["10.0"]) == (0, 2, 2, 3, 3)
    assert (found["+Inf"], found["count"], found["sum"]) == (4, 4, 99.34)


def test_every_metric_has_a_help(clock: Clock) -> None:
    """Each help is a sentence."""
    helps = re.findall(r"^# HELP \S+ (.*)$", text(Server(clock)), re.MULTILINE)
    assert helps and all(re.fullmatch(r"[A-Z1].*\.", line) for line in helps)


def test_metrics_are_kept_out_of_the_global_registry(clock: Clock) -> None:
    """Another user of prometheus_client in the process sees none of ours, nor do our pages show its metrics."""
    shown = text(Server(clock))
    assert "python_info" not in shown
    assert not any(family.name.startswith("tickrelay") for family in REGISTRY.collect())


def test_a_relay_without_pages_for_operators_does_not_load_the_library() -> None:
    """It takes time and memory that only those with the pages should spend."""
    code = "import sys, tickrelay.service; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_metric_is_a_number_from_the_start(clock: Clock) -> None:
    """Before anything has happened no metric is NaN, which no alarm can compare."""
    values = read(Server(clock))
    assert values["last_spot_age_seconds"] == 0
    assert all(value == value for value in values.values())


def test_the_age_of_the_last_spot_is_no_alarm_while_nobody_subscribes(clock: Clock) -> None:
    """It counts from the subscription, not from ticks of long ago; afterwards it is 0 again."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    client = server.browser(JSON)
    results(client, symbols=["EURUSD"])
    server.pass_time(3)
    server.spot(1, 108_000, 108_010)
    client.hear()
    server.pass_time(2)
    assert (age(server), feed_age(client)) == (2, 2000)
    client.ask({"type": "unsubscribe", "symbols": ["EURUSD"]})
    server.pass_time(702)
    assert (age(server), feed_age(client)) == (0, None), "702 s without a tick, and none was due"
    results(client, symbols=["EURUSD"])
    server.pass_time(4)
    assert (age(server), feed_age(client)) == (4, 4000)
    server.spot(1, 108_000, 108_010)
    assert age(server) == 0


def test_the_age_of_the_last_spot_rises_before_the_first_tick_too(clock: Clock) -> None:
    """A feed that never brings a tick of an open market is what the alarm is for."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    results(server.browser(JSON), symbols=["EURUSD"])
    server.pass_time(600)
    assert age(server) == 600


def test_the_age_of_the_last_spot_stands_still_while_the_market_is_closed(clock: Clock) -> None:
    """Closed: 0. Open again: counted from the opening."""
    server = Server(clock, ping_interval_s=0.0)
    hours = Schedule(((THURSDAY_S, THURSDAY_S + 600), (THURSDAY_S + 7200, WEEK_S)))
    server.symbols = [Symbol(symbol_id=1, name="EURUSD", schedule=hours)]
    server.go_live()
    client = server.browser(JSON)
    results(client, symbols=["EURUSD"])
    server.pass_time(590)
    server.spot(1, 108_000, 108_010)
    client.hear()
    server.pass_time(9)
    assert age(server) == 9
    server.pass_time(7200 - 600)
    assert (age(server), feed_age(client)) == (0, None)
    server.pass_time(301)
    assert 295 <= age(server) <= 300


def test_the_age_of_the_last_spot_leaves_out_refused_symbols(clock: Clock) -> None:
    """cTrader sends no ticks of a symbol that it refused."""
    server = Server(clock, ping_interval_s=0.0)
    server.go_live()
    results(server.browser(JSON), symbols=["EURUSD"])
    server.feed.explain = lambda name: SymbolFeed(  # type: ignore[method-assign]
        wanted=True, confirmed_at_ms=0, refused="SYMBOL_NOT_FOUND"
    )
    server.pass_time(600)
    assert age(server) == 0


def test_errors_of_jobs_are_counted_by_job(clock: Clock, tmp_path: Path) -> None:
    """Each job is a value of the label, and is shown before its first error."""
    server = Server(clock)
    server.factory.jobs.errors["tokens"] = 3
    shown = text(server, Recorder(tmp_path, clock, clock.seconds, maybeDeferred))
    found = dict(re.findall(r'^tickrelay_job_errors_total\{job="(\w+)"\} (\S+)$', shown, re.MULTILINE))
    assert found == {
        "stuck_clients": "0.0", "heartbeats": "0.0", "market_states": "0.0", "tokens": "3.0", "settled_accounts": "0.0",
        "replay_cache": "0.0", "recording": "0.0",
    }  # fmt: skip
