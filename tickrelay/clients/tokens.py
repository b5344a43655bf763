"""Who may come in where a token is required: a file of SHA-256 digests, so that reading it gives no token away."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from tickrelay.errors import SettingError

SUBPROTOCOL_PREFIX = "tickrelay.auth."
"""Of an item in ``Sec-WebSocket-Protocol`` that brings a token: browsers cannot set other headers."""

AUTH_TIMEOUT_S = 10.0
"""For the token to come in ``connect``."""


class Tokens:
    """The tokens that are valid now; several, so that one can follow another without a pause."""

    def __init__(self, digests: Iterable[bytes]) -> None:
        self._digests = tuple(digests)

    def allow(self, token: str) -> bool:
        """Is the token one of those? Takes as long whatever the answer."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found


def load(path: str) -> Tokens:
    """Read a file with one hexadecimal SHA-256 digest a line, what follows it being a remark. Raises SettingError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "not UTF-8 text"
        raise SettingError(f"TICKRELAY_TOKENS_FILE: cannot read {path}: {reason}") from None
    digests = []
    for number, line in enumerate(lines, 1):
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
    return Tokens(digests)


def offered(protocols: Iterable[str], authorization: str) -> str | None:
    """The token in the opening request: a subprotocol item or an ``Authorization: Bearer`` header; None: there is none.

    What is not a token (another scheme, bad base64) counts as a wrong one.
    """
    for item in protocols:
        if item.startswith(SUBPROTOCOL_PREFIX):
            text = item.removeprefix(SUBPROTOCOL_PREFIX)
            try:
                return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            except (binascii.Error, ValueError):
                return ""
    scheme, _, token = authorization.partition(" ")
    if not scheme:
        return None
    return token.strip() if scheme.lower() == "bearer" else ""
