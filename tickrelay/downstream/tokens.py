"""The tokens that admit clients: a file of SHA-256 digests, which reveal no token, and the ways to show a token."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from tickrelay.config.places import read_text
from tickrelay.model.errors import SettingError

SUBPROTOCOL_PREFIX = "tickrelay.auth."
"""Of an item in ``Sec-WebSocket-Protocol`` that carries a token: pages in browsers can set no other header."""

AUTH_TIMEOUT_S = 10.0
"""Deadline for the token in ``connect``, from the opening of the connection."""


class Shown(NamedTuple):
    """The token that a client showed, or why it is none."""

    token: str = ""
    fault: str = ""
    """Why there is no token, as a close reason; empty: there is one, not checked yet."""


MISSING = Shown(fault="token expected")

_BASE64URL = "token malformed: expected base64url of its UTF-8 bytes, without padding"
_BEARER = "token malformed: expected Authorization: Bearer"


def digest_of(token: str) -> bytes:
    """The SHA-256 of a token's UTF-8. Lone surrogates, which JSON can carry, are encoded too instead of raising."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


_Signature = tuple[int, int, int, int]


class Tokens:
    """The digests of the valid tokens; several, so that a new token can be valid before the old one is removed.

    *path*: the file that they were read from, when it had this *signature*; None: none, and `refresh` does nothing.
    """

    _log = Logger()

    def __init__(self, digests: Iterable[bytes], path: Path | None = None, signature: _Signature | None = None) -> None:
        self._digests = frozenset(digests)
        self._path = path
        self._read = self._seen = signature

    def holds(self, digest: bytes) -> bool:
        """Whether the token with this digest is valid; in constant time."""
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def revoked_by(self, successor: "Tokens | None") -> frozenset[bytes]:
        """The digests that are not valid any more with *successor* in this one's place; None: none is needed then."""
        return frozenset() if successor is None else self._digests - successor._digests

    def refresh(self) -> frozenset[bytes]:
        """Read the file again if it has changed; returns the digests that are no longer valid. Called once a second.

        A file is read once two calls in a row find the same signature: read in the middle of being written, it would
        close the clients whose tokens are in its missing part. If it cannot be read, or is malformed, that is logged
        once and the present tokens stay valid.
        """
        if self._path is None:
            return frozenset()
        signature = _signature(self._path)
        settled, self._seen = signature == self._seen, signature
        if not settled or signature == self._read:
            return frozenset()
        self._read = signature
        try:
            digests = frozenset(_read(self._path))
        except SettingError as e:
            self._log.error("{error}; the tokens that were valid before stay valid", error=str(e))
            return frozenset()
        revoked = self._digests - digests
        if digests != self._digests:
            self._digests = digests
            self._log.info("tokens read again: {valid} valid, {revoked} revoked", valid=len(digests),
                           revoked=len(revoked))  # fmt: skip
        return revoked


def load(path: str) -> Tokens:
    """Read a file with one hexadecimal SHA-256 digest a line; what follows it is a remark. Raises SettingError."""
    signature = _signature(Path(path))  # before the content: a change in between is noticed by the next `refresh`
    return Tokens(_read(Path(path)), Path(path), signature)


def _signature(path: Path) -> _Signature | None:
    """What differs after the file was written or replaced; None: it does not exist, or cannot be examined."""
    try:
        status = path.stat()
    except OSError:
        return None
    # The modification time can be set, and is by what copies files with their times; the change time cannot.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _read(path: Path) -> list[bytes]:
    digests = []
    for number, line in enumerate(read_text(str(path), "TICKRELAY_TOKENS_FILE").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            digest = bytes.fromhex(words[0])
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size:
            raise SettingError(
                f"TICKRELAY_TOKENS_FILE: line {number} of {path} must begin with the 64 hexadecimal digits of a "
                "token's SHA-256; make one with: printf %s TOKEN | sha256sum"
            )
        digests.append(digest)
    if not digests:
        raise SettingError(f"TICKRELAY_TOKENS_FILE: {path} has no digest in it, so nobody could connect")
    return digests


def offered(protocols: Iterable[str], authorization: str) -> Shown | None:
    """The token in the opening request: a subprotocol item or an ``Authorization: Bearer`` header; None: neither."""
    for item in protocols:
        if item.startswith(SUBPROTOCOL_PREFIX):
            return _decoded(item.removeprefix(SUBPROTOCOL_PREFIX))
    scheme, _, token = authorization.partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "bearer" or not token.strip():
        return Shown(fault=_BEARER)
    return Shown(token.strip())


def in_connect(token: str) -> Shown:
    """The token in ``connect``."""
    return Shown(token) if token else Shown(fault="token malformed: expected a string that is not empty")


def _decoded(text: str) -> Shown:
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        token = ""
    return Shown(token) if token else Shown(fault=_BASE64URL)
