"""Every attack against a real relay, and a table of what its other clients saw of it.

::

    python -m tests.hostile                              # all of it: half an hour
    python -m tests.hostile --short names patterns       # two attacks, some seconds each

Exit status 1: a figure is beyond its bound. Columns: the innocents' round trip (p50/p99, milliseconds) before, during
and after the attack, the age of ticks (p99), how long a newcomer took to subscribe (maximum), the lateness of the
process that measures (p99), ticks a second, what the relay used. Run it on a machine with nothing else to do.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.hostile.attacks import ATTACKS
from tests.hostile.figures import FULL, LADDER, SHORT, Figures, measure
from tests.hostile.rig import Stages

HEAD = (
    f"{'attack':<18}{'conns':>6}  {'before':>10} {'during':>13} {'after':>10} {'age':>6} {'join':>6} {'lag':>5}"
    f" {'ticks/s':>9}  {'cpu':>4} {'RSS MiB':>11} {'fds':>9} {'log KB':>7}  verdict"
)


def row(figures: Figures, wrong: list[str]) -> str:
    """A line of the table."""
    before, during, after = (figures.phase(name) for name in ("before", "during", "after"))

    def trip(phase: dict[str, dict[str, float]], width: int) -> str:
        return f"{phase['trip']['p50']:.0f}/{phase['trip']['p99']:.0f}".rjust(width)

    fds = "{}>{}".format(*figures.descriptors)
    rss = f"{figures.rss_mib[0]:.0f}>{figures.peak_rss_mib:.0f}>{figures.rss_mib[1]:.0f}"
    return (
        f"{figures.attack:<18}{figures.connections:>6}  {trip(before, 10)} {trip(during, 13)} {trip(after, 10)}"
        f" {during['age']['p99']:>6.0f} {during['join']['max']:>6.0f} {during['lag']['p99']:>5.0f}"
        f" {before['ticks_per_s']:>4.0f}/{during['ticks_per_s']:<4.0f}  {figures.cpu:>4.0%} {rss:>11} {fds:>9}"
        f" {figures.log_bytes / 1000:>7.0f}  {'; '.join(wrong) or 'ok'}  {figures.done}"
    )


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacks", nargs="*", help=f"of {', '.join(ATTACKS)}")
    parser.add_argument("--short", action="store_true", help="some seconds an attack")
    parser.add_argument("--connections", type=int, help=f"only this step of {', '.join(str(n) for n, _ in LADDER)}")
    parser.add_argument("--keep", type=Path, help="an empty directory for what the processes print")
    options = parser.parse_args()
    if unknown := set(options.attacks) - set(ATTACKS):
        parser.error(f"no attack {', '.join(unknown)}")
    chosen = [ATTACKS[name] for name in options.attacks or ATTACKS]
    ladder = [step for step in LADDER if options.connections in (None, step[0])]
    failed = 0
    print(HEAD, flush=True)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stages = stack.enter_context(Stages(folder))
        for attack in sorted(chosen, key=lambda attack: attack.stage):
            for connections, addresses in ladder:
                length = SHORT if options.short else FULL
                figures = measure(stages.get(attack.stage), attack.name, connections, addresses, length)
                wrong = figures.wrong()
                print(row(figures, wrong), flush=True)
                if wrong:
                    failed += 1
                    stages.strike()
    print(f"{failed} beyond their bounds" if failed else "all within their bounds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
