"""The access token: where it is read, how long it lasts, and how its renewal survives a crash.

A refresh token is good for one renewal, which brings a new pair; a pair that is lost is lost for good. So the new
pair is in the token file, on the disk, before it is used. The file is read again before every authorisation: an
operator or another program may replace it at any time.

The file is JSON: ``{"accessToken": "…", "refreshToken": "…", "expiresAt": 1800000000}`` (Unix seconds, 0 or absent:
not known). What the relay writes also has ``"from"``, a digest of the configured tokens that the pair came from: where
the configuration has other tokens now, the file is out of date and the configuration wins.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from twisted.logger import Logger

from tickrelay.config.schema import Secret
from tickrelay.model.clock import Clock

RENEW_BEFORE_S = 3 * 86_400
"""A token with less time left than this is renewed before it is used."""


MAX_SEEN = 64
"""Tokens that are kept out of texts: a server that renews them for ever must not fill the memory."""


class TokenFileError(Exception):
    """The token file cannot be read or written; the message names it and holds no secret."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens. ``expires_at_s``: Unix seconds, 0 where it is not known. The secrets do not print."""

    access: Secret
    refresh: Secret
    expires_at_s: float = 0.0

    def ends_soon(self, now_s: float) -> bool:
        """Should it be renewed before use (*now_s*: Unix seconds)?"""
        return bool(self.expires_at_s) and self.expires_at_s - now_s < RENEW_BEFORE_S


class TokenStore:
    """The configured tokens and the file that keeps renewed ones; without a file, renewed tokens live in memory."""

    _log = Logger()

    def __init__(self, access: Secret, refresh: Secret, path: str, clock: Clock) -> None:
        self._configured = Tokens(access, refresh)
        self._path = Path(path) if path else None
        self._clock = clock
        self._unsaved: Tokens | None = None
        self._warned = ""
        self.seen = dict.fromkeys((access.reveal(), refresh.reveal()))
        """The configured tokens and the newest others that were given out, to be kept out of logs, messages and
        recordings.
        """

    def load(self) -> Tokens:
        """The tokens to use now. A file that cannot be read any longer is logged and passed over: the relay goes on."""
        if self._unsaved is not None:
            tokens = self._unsaved
            with contextlib.suppress(TokenFileError):
                self.save(tokens)
        else:
            tokens = self._current()
        self._note(tokens)
        return tokens

    def _current(self) -> Tokens:
        try:
            found = self._read()
        except TokenFileError as e:
            if str(e) != self._warned:
                self._log.warn("{error}: using the configured tokens", error=str(e))
                self._warned = str(e)
            found = None
        return found or self._configured

    def prepare(self) -> None:
        """Make sure that the file has tokens (or is missing or empty), and where there is a refresh token, that a new
        pair could be saved now. Raises TokenFileError.
        """
        if self._path is None:
            return
        try:
            found = self._read() or self._configured
        except TokenFileError as e:
            # At the start somebody is there to look. The configured refresh token was probably spent for what the file
            # held, and a directory in its place would lose the next pair.
            raise TokenFileError(f"{e}; restore it, or remove it to begin with the configured tokens") from None
        if not found.refresh:
            return
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".tickrelay-")
            os.close(handle)
            os.unlink(name)
        except OSError as e:
            raise TokenFileError(
                f"cannot write beside the token file {self._path}: {e.strerror}; renewed tokens would be lost"
            ) from None

    def renewed(self, access: str, refresh: str, expires_in_s: float) -> Tokens:
        """Keep a new pair: on the disk when this returns. Raises TokenFileError, and keeps it in memory then."""
        tokens = Tokens(Secret(access), Secret(refresh), self._clock.wall_ms() / 1000 + expires_in_s)
        self._unsaved = tokens
        self._note(tokens)
        self.save(tokens)
        return tokens

    def _note(self, tokens: Tokens) -> None:
        for token in (tokens.access.reveal(), tokens.refresh.reveal()):
            self.seen.pop(token, None)
            self.seen[token] = None
        while len(self.seen) > MAX_SEEN:
            del self.seen[next(iter(self.seen))]

    def save(self, tokens: Tokens) -> None:
        """Write the file: mode 0600, complete or not at all. Raises TokenFileError."""
        if self._path is None:
            return  # stays in memory
        content = json.dumps(
            {
                "accessToken": tokens.access.reveal(),
                "refreshToken": tokens.refresh.reveal(),
                "expiresAt": int(tokens.expires_at_s),
                "from": self._digest(),
            }
        )
        try:
            # mkstemp makes the file with mode 0600; in the same directory, so that the rename is atomic.
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".tickrelay-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as e:
            raise TokenFileError(f"cannot write the token file {self._path}: {e.strerror}") from None
        self._unsaved = None

    def _read(self) -> Tokens | None:
        if self._path is None:
            return None
        try:
            text = self._path.read_text(encoding="utf-8")
            if not text.strip():
                return None
            content = json.loads(text)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise TokenFileError(f"cannot read the token file {self._path}: {e.strerror}") from None
        except (ValueError, RecursionError):
            raise TokenFileError(f"the token file {self._path} is not JSON") from None
        if not isinstance(content, dict) or not isinstance(content.get("accessToken"), str):
            raise TokenFileError(f"the token file {self._path} has no accessToken")
        if content.get("from", self._digest()) != self._digest():
            return None
        refresh, expires_at = content.get("refreshToken"), content.get("expiresAt")
        return Tokens(
            Secret(content["accessToken"]),
            Secret(refresh if isinstance(refresh, str) else ""),
            float(expires_at) if isinstance(expires_at, (int, float)) else 0.0,
        )

    def _digest(self) -> str:
        text = f"{self._configured.access.reveal()}\n{self._configured.refresh.reveal()}"
        return hashlib.sha256(text.encode()).hexdigest()
