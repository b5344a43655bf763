"""The figures that the tables show, by their keys."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    key: str
    title: str
    digits: int


COLUMNS = (
    Column("A", "A max, k/s", 0),
    Column("B", "B max, k/s", 0),
    Column("light", "A equal light, k per CPU-s", 0),
    Column("light p50", "its p50, ms", 1),
    Column("light p99", "p99", 1),
    Column("own light", "B equal light, k per CPU-s", 0),
    Column("own light p50", "its p50, ms", 1),
    Column("own light p99", "p99", 1),
    Column("heavy", "A equal heavy, k per CPU-s", 0),
    Column("heavy p99", "its p99, ms", 1),
    Column("own heavy", "B equal heavy, k per CPU-s", 0),
    Column("own heavy p99", "its p99, ms", 1),
    Column("kib", "C: KiB a client", 1),
    Column("handshakes", "C: handshakes/s", 0),
    Column("subscribes", "C: subscribes/s", 0),
    Column("p50", "D: p50, ms", 2),
    Column("p99", "D: p99, ms", 2),
    Column("cpu", "D: CPU, %", 1),
)

WSS_COLUMNS = (
    Column("wss kib", "KiB a client", 1),
    Column("wss slow cpu", "A, 100 ticks/s: CPU, %", 0),
    Column("wss slow p50", "- p50, ms", 1),
    Column("wss slow p99", "- p99, ms", 1),
    Column("wss light cpu", "A, 500 ticks/s: CPU, %", 0),
    Column("wss light", "- k ticks per CPU-s", 0),
    Column("wss light p50", "- p50, ms", 1),
    Column("wss light p99", "- p99, ms", 1),
    Column("wss heavy cpu", "A, 8,000 ticks/s: CPU, %", 0),
    Column("wss heavy", "- k ticks per CPU-s", 0),
    Column("wss heavy p50", "- p50, ms", 1),
    Column("wss heavy p99", "- p99, ms", 1),
)

OWN_COLUMNS = (
    Column("upstream", "received and published with no subscriber, k ticks per CPU-s", 0),
    Column("cost 100", "CPU per delivered tick, 100 clients, µs", 2),
    Column("cost 1000", "- 1,000 clients, µs", 2),
    Column("cost 10000", "- 10,000 clients, µs", 2),
    Column("skew", "skewed popularity: max, k/s", 0),
    Column("few", "100 clients, 50 symbols each: max, k/s", 0),
    Column("many p50", "10,000 clients, 1 symbol each, 500 ticks/s: p50, ms", 1),
    Column("many p99", "- p99, ms", 1),
    Column("many trip", "- longest wait of a request, ms", 1),
    Column("churn p99", "B light, 1,000 list changes/s: p99, ms", 1),
    Column("churn cpu", "- CPU, %", 0),
    Column("steps light", "A, light and heavy load by turns: p99 light, ms", 1),
    Column("steps heavy", "- p99 heavy, ms", 1),
    Column("burst worst", "A light, 5,000 ticks at once: p99 of the worst 100 ms, ms", 1),
    Column("burst max", "- oldest tick, ms", 1),
    Column("join before", "A light: p99, ms", 1),
    Column("join p99", "- while 5,000 join in 5 s", 1),
    Column("join worst", "- worst 250 ms of it, ms", 1),
    Column("join took", "- p99 of a join, ms", 1),
    Column("stuck before", "A, 2,000 ticks/s: p99, ms", 1),
    Column("stuck p99", "- while 100 read nothing, ms", 1),
    Column("stuck grown", "- memory, MB more", 1),
    Column("slow before", "the same again: p99, ms", 1),
    Column("slow p99", "- while 100 read 20 KB/s, ms", 1),
    Column("slow grown", "- memory, MB more", 1),
)

V1_COLUMNS = (
    Column("unlimited p50", "2,000 clients, 200 ticks/s: p50, ms", 1),
    Column("unlimited p99", "- p99, ms", 1),
    Column("unlimited cpu", "- CPU, %", 0),
    Column("rated p50", "- with limits of 1 to 10 ticks/s: p50 of ticks that are due at once, ms", 1),
    Column("rated p99", "- p99, ms", 1),
    Column("rated cpu", "- CPU, %", 0),
    Column("resume before", "A light: p99, ms", 1),
    Column("resume worst before", "- worst 100 ms, ms", 1),
    Column("resume worst", "- worst 100 ms while 200 resume, ms", 1),
    Column("resume ticks", "- k ticks replayed", 0),
)
