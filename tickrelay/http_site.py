"""twisted.web's Site without its access log, for the operators' pages and the simulator's control endpoint."""

from twisted.web.server import Site


class UnloggedSite(Site):
    """A web site without an access log: probes and scrapes come every few seconds and would drown all else.

    `HTTPFactory` dates its access log by ``reactor.seconds()``, which `tickrelay.startup.steady` makes monotonic, so
    its lines would be dated 1970 (Twisted 26.10). The ``Date`` header is not concerned: it comes from the wall clock.
    """

    noisy = False

    def startFactory(self) -> None:
        """Open no access log, and start no timer for its dates."""
