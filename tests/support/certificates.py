"""A certificate for ``localhost``, and a client that trusts it."""

import ssl
from pathlib import Path

import trustme

LISTEN = "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
"""The endpoint of a relay that runs in the folder of the certificate."""


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Write ``key.pem`` and ``cert.pem`` into *folder*; returns what trusts them and offers HTTP/1.1."""
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(folder / "key.pem")
    pair.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    trust.set_alpn_protocols(["http/1.1"])
    return trust
