"""Whom the connection to cTrader trusts: the system's authorities and the one named in ``CTRADER_CA_FILE``.

Certificate and host name are always verified; there is no switch that turns it off.
"""

from typing import Any

from OpenSSL import SSL

from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import TLSVersion, optionsForClientTLS
from twisted.logger import Logger
from zope.interface import implementer

from tickrelay.errors import SettingError


@implementer(IOpenSSLTrustRoot)
class SystemAndFile:
    """The system's certificate authorities, and those of a PEM file besides."""

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


def client_options(host: str, ca_file: str = "") -> IOpenSSLClientConnectionCreator:
    """What `connectSSL` needs to speak to *host*. Raises SettingError where *ca_file* is no certificate file."""
    return _Rereading(host, ca_file) if ca_file else _options(host, "")


@implementer(IOpenSSLClientConnectionCreator)
class _Rereading:
    """Reads the CA file for each connection, so that an authority can be replaced without a restart."""

    _log = Logger()

    def __init__(self, host: str, ca_file: str) -> None:
        self._host = host
        self._ca_file = ca_file
        self._options = _options(host, ca_file)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Called by Twisted for each connection; a file that is being replaced leaves the last good one in force."""
        try:
            self._options = _options(self._host, self._ca_file)
        except SettingError as e:
            self._log.warn("{problem}: still trusting what it held before", problem=str(e))
        return self._options.clientConnectionForTLS(tlsProtocol)


def _options(host: str, ca_file: str) -> IOpenSSLClientConnectionCreator:
    trust: dict[str, Any] = {"trustRoot": SystemAndFile(ca_file)} if ca_file else {}
    options: IOpenSSLClientConnectionCreator = optionsForClientTLS(
        host, extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2}, **trust
    )
    return options
