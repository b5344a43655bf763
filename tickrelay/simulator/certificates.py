"""A certificate authority for one run of the simulator, and the server certificate it signs.

Made at start. The authority's key never leaves memory, so a client that trusts the authority trusts this process and
nothing else. Written on `cryptography`, which the TLS of a relay needs anyway: trustme would be one more dependency of
every installation, and takes the time of its authority from no clock but its own.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from twisted.internet.ssl import CertificateOptions, TLSVersion

from tickrelay.model.errors import SettingError

LIFE = timedelta(days=90)
_HOUR = timedelta(hours=1)
_EARLIER = timedelta(days=1)
"""Valid from before the start: clocks of client and server differ."""
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
"""A host name; a wildcard stands for the whole first label (RFC 6125)."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The options of the TLS server, and the authority (PEM) that its clients must trust."""

    authority_pem: bytes
    options: CertificateOptions


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        # x509.DNSName takes any ASCII text (cryptography 50).
        if not _HOST.fullmatch(name):
            raise SettingError(f"certificate-names: {name!r} is neither a host name nor an IP address") from None
        return x509.DNSName(name)


def make_certificate(names: Sequence[str], now_s: float, expired: bool = False) -> ServerCertificate:
    """A fresh authority and a certificate for *names* (host names, wildcards, addresses), valid around *now_s*.

    An *expired* one ended an hour before. Raises SettingError for a name that no host can have.
    """
    now = datetime.fromtimestamp(now_s, UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("cTrader simulator CA")
    authority = (
        x509.CertificateBuilder()
        .subject_name(authority_name)
        .issuer_name(authority_name)
        .public_key(authority_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .issuer_name(authority_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now - _HOUR if expired else now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    options = CertificateOptions(
        privateKey=cast(Any, key),  # pyOpenSSL takes these objects now, Twisted's annotations lag behind
        certificate=cast(Any, certificate),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    return ServerCertificate(authority.public_bytes(Encoding.PEM), options)
