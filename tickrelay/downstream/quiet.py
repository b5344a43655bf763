"""The logger that Autobahn gets: its debug lines cost time per frame and would print tokens, so they are dropped.

Its warnings quote what the client sent (an origin, a key); they become one debug line of ours without the quote.
"""

from twisted.logger import Logger


class QuietLogger:
    """Has the methods that Autobahn calls on ``log``."""

    _log = Logger(namespace="tickrelay.downstream.websocket")

    def debug(self, *args: object, **kwargs: object) -> None:
        """Dropped."""

    trace = debug

    def info(self, message: str, *args: object, **kwargs: object) -> None:
        """A failed handshake or a closed connection, without what the client had sent."""
        self._log.debug("{event}", event=message.split("(")[0].split("{")[0].strip())

    warn = info

    def error(self, message: str, *args: object, **kwargs: object) -> None:
        """A fault inside Autobahn."""
        self._log.error("{event}", event=message)

    failure = critical = error


QUIET = QuietLogger()
