"""Which certificates the connection to cTrader trusts: the system's authorities and those in ``CTRADER_CA_FILE``.

Certificate and host name are always verified; there is no switch that turns it off.
"""

import os
from typing import Any

from OpenSSL import SSL

from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import TLSVersion, optionsForClientTLS
from twisted.logger import Logger
from zope.interface import implementer

from tickrelay.model.errors import SettingError


# IOpenSSLTrustRoot is private, in Twisted 26.10 too: the public trust roots are the system's authorities
# (`platformTrust`) or a list of certificates (`trustRootFromCertificates`), and never both.
@implementer(IOpenSSLTrustRoot)
class SystemAndFile:
    """The system's certificate authorities, and those of a PEM file besides. Raises SettingError for a bad file."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file
        # Once now, so that a file that is wrong ends the start and not the first connection.
        self._addCACertsToContext(SSL.Context(SSL.TLS_METHOD))

    def _addCACertsToContext(self, context: Any) -> None:
        context.set_default_verify_paths()
        try:
            context.load_verify_locations(self._ca_file)
        except SSL.Error:
            raise SettingError(f"CTRADER_CA_FILE: {self._ca_file} cannot be read as certificates in PEM form") from None


def _options(host: str, ca_file: str) -> IOpenSSLClientConnectionCreator:
    trust: dict[str, Any] = {"trustRoot": SystemAndFile(ca_file)} if ca_file else {}
    options: IOpenSSLClientConnectionCreator = optionsForClientTLS(
        host, extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2}, **trust
    )
    return options


@implementer(IOpenSSLClientConnectionCreator)
class ClientOptions:
    """The TLS options of `connectSSL` for *host*; the CA file is read again for a connection after it has changed.

    Raises SettingError where *ca_file* is no certificate file.
    """

    _log = Logger()

    def __init__(self, host: str, ca_file: str = "") -> None:
        self._host = host
        self._ca_file = ca_file
        self._seen = self._look()
        self._options = _options(host, ca_file)

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        """Called for each connection."""
        seen = self._look()
        if seen != self._seen:
            try:
                self._options = _options(self._host, self._ca_file)
                self._seen = seen
            except SettingError as e:
                self._log.warn("{error}: the certificates read before stay trusted", error=str(e))
        return self._options.clientConnectionForTLS(protocol)

    def _look(self) -> tuple[int, int, int]:
        """What changes when the file does."""
        try:
            found = os.stat(self._ca_file) if self._ca_file else None
        except OSError:
            found = None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else (0, 0, 0)
