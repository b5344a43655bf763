"""Certificates for `HOST`, of an authority of one run."""

import ssl
from pathlib import Path

import trustme

from benchmarks.contender import CACHE

HOST = "localhost"


def server_context(authority: Path) -> ssl.SSLContext:
    """A server's context; its authority is written to *authority* to be trusted."""
    own = trustme.CA()
    own.cert_pem.write_to_path(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.issue_cert(HOST).configure_cert(context)
    return context


def server_pem() -> Path:
    """A file with a key and its certificate, for the servers whose clients speak TLS."""
    path = CACHE / "server.pem"
    path.touch(mode=0o600)
    path.chmod(0o600)
    trustme.CA().issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(path)
    return path
