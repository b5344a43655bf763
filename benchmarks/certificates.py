"""Certificates for `HOST` that are their own authority, good for a day."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.contender import CACHE

HOST = "localhost"


def _make() -> tuple[bytes, bytes]:
    """A key and its certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), pem


def self_signed(authority: Path) -> ssl.SSLContext:
    """A server's context; the certificate is written to *authority* to be trusted."""
    key, certificate = _make()
    authority.write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as kept:  # the ssl module reads keys from files only
        kept.write(key + certificate)
        kept.flush()
        context.load_cert_chain(kept.name)
    return context


def server_pem() -> Path:
    """A file with a key and its certificate, for the servers whose clients speak TLS."""
    path = CACHE / "server.pem"
    path.touch(mode=0o600)
    path.write_bytes(b"".join(_make()))
    return path
