"""HTTP on the clients' port: the transport of a twisted.web channel, which gets one whole, checked head at a time."""

from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IPushProducer, ISSLTransport, ITransport
from zope.interface import alsoProvides, implementer


class ChannelOwner(Protocol):
    """What a channel's transport needs of the connection."""

    def channel_paused(self, paused: bool) -> None:
        """Whether the channel wants no further request now."""

    def channel_closed(self) -> None:
        """The channel has closed the connection: no further request is to be read."""


@implementer(ITransport, IConsumer, IPushProducer)
class ChannelTransport:
    """Passes on what a channel writes; what it asks of reading is for its owner, who reads for it.

    twisted.web's requests find it as ``request.channel.transport``: *address* is the client's, which pages may need.
    """

    def __init__(self, owner: ChannelOwner, transport: Any, address: str) -> None:
        self._owner = owner
        self._transport = transport
        self.address = address
        if ISSLTransport.providedBy(transport):
            alsoProvides(self, ISSLTransport)

    @property
    def disconnecting(self) -> bool:
        """Nothing more is written."""
        return bool(self._transport.disconnecting)

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._transport.write(data)

    def writeSequence(self, data: Any) -> None:
        """Write several parts."""
        self._transport.writeSequence(data)

    def loseConnection(self) -> None:
        """Close, after all that was written."""
        self._owner.channel_closed()
        self._transport.loseConnection()

    def abortConnection(self) -> None:
        """Close at once."""
        self._owner.channel_closed()
        self._transport.abortConnection()

    def getPeer(self) -> IAddress:
        """The client, not the proxy that it came by. The port is not known."""
        return (IPv6Address if ":" in self.address else IPv4Address)("TCP", self.address, 0)

    def getHost(self) -> IAddress:
        """Our own address."""
        host: IAddress = self._transport.getHost()
        return host

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Called by a channel over TLS: ISSLTransport is an ITCPTransport (Twisted 26.10)."""
        self._transport.setTcpNoDelay(enabled)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Let the transport pause *producer* while it cannot write."""
        self._transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """There is nothing to pause any more."""
        self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The channel wants no further request now: what it answered is not read."""
        self._owner.channel_paused(True)

    def resumeProducing(self) -> None:
        """The channel takes requests again, or has answered one."""
        self._owner.channel_paused(False)

    def stopProducing(self) -> None:
        """As `loseConnection`."""
        self.loseConnection()
