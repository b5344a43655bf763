"""Who may come in where a token is required: a file of SHA-256 digests, so that reading it gives no token away."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from tickrelay.config.schema import read_text
from tickrelay.model.errors import SettingError

SUBPROTOCOL_PREFIX = "tickrelay.auth."
"""Of an item in ``Sec-WebSocket-Protocol`` that brings a token: browsers cannot set other headers."""

AUTH_TIMEOUT_S = 10.0
"""For the token to come in ``connect``."""


class Shown(NamedTuple):
    """What a client showed for a token."""

    token: str = ""
    fault: str = ""
    """Why it cannot be a token, in words for the client; empty: it may be one."""


MISSING = Shown(fault="token expected")

_BASE64URL = "token malformed: expected base64url of its UTF-8 bytes, without padding"
_BEARER = "token malformed: expected Authorization: Bearer"


def digest_of(token: str) -> bytes:
    """What the file has of a token. Lone surrogates, which JSON can bring, are no reason to fail."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


_Signature = tuple[int, int, int, int]


class Tokens:
    """The tokens that are valid now; several, so that one can follow another without a pause.

    *path*: the file that they were read from, when its *signature* was this one; `refresh` follows its changes.
    """

    _log = Logger()

    def __init__(self, digests: Iterable[bytes], path: Path | None = None, signature: _Signature | None = None) -> None:
        self._digests = frozenset(digests)
        self._path = path
        self._read = self._seen = signature

    def holds(self, digest: bytes) -> bool:
        """Is the token with this digest valid? Takes as long whatever the answer."""
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def refresh(self) -> frozenset[bytes]:
        """Read the file again if it has changed; returns the digests that are valid no more. Called once a second.

        A file is read once two looks in a row find it the same: one that is being written is not taken for whole,
        which would close the clients whose tokens are in its missing part. Where it cannot be read, or is not what it
        should be, that is logged once and the tokens stay as they were.
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
    """Read a file with one hexadecimal SHA-256 digest a line, what follows it being a remark. Raises SettingError."""
    signature = _signature(Path(path))  # before the content: a change in between is seen as one
    return Tokens(_read(Path(path)), Path(path), signature)


def _signature(path: Path) -> _Signature | None:
    """What differs when the file was written or replaced; None: there is none that could be looked at."""
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
