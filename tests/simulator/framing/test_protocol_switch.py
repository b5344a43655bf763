"""All framings on one port: plain TCP, WebSocket, and JSON over either, on real sockets."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from websockets.sync.client import ClientConnection, connect

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread

from tests.support.broker import ACCOUNT, APPLICATION, Broker
from tests.support.frames import length_prefixed
from tests.support.tls_line import tls_line
from tickrelay.openapi import frames
from tickrelay.openapi.messages_pb2 import (
    ProtoOAErrorRes,
    ProtoOASpotEvent,
    ProtoOASubscribeSpotsReq,
)
from tickrelay.simulator.framing.protocol_switch import ProtocolSwitchFactory
from tickrelay.simulator.service import SimulatorService
from tickrelay.simulator.settings import Rules, SimulatorSettings

REQUESTS = (
    APPLICATION,
    ACCOUNT,
    ProtoOASubscribeSpotsReq(ctidTraderAccountId=1001, symbolId=[1, 41]),
)


def test_a_client_that_says_nothing_is_closed(broker: Broker, clock: Clock) -> None:
    """After the deadline of a connection without application auth."""
    switch = ProtocolSwitchFactory(broker.broker, clock).buildProtocol(None)
    wire = StringTransport()
    switch.makeConnection(wire)
    clock.pump([1] * 29)
    assert not wire.disconnecting
    clock.pump([1] * 2)
    assert wire.disconnecting
    switch.connectionLost()


@pytest.mark.parametrize("first", [b"\0", b"G"])
def test_a_late_first_byte_gets_no_second_deadline(broker: Broker, clock: Clock, first: bytes) -> None:
    """The time to log in counts from the connection, whatever was sent before and in whichever framing."""
    switch = ProtocolSwitchFactory(broker.broker, clock).buildProtocol(None)
    wire = StringTransport()
    switch.makeConnection(wire)
    clock.advance(29)
    if first == b"G":
        switch.dataReceived(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
    else:
        switch.dataReceived(first)
    assert not wire.disconnecting
    assert len(broker.broker.sessions) == 1
    clock.advance(1.1)
    assert wire.disconnecting or wire.value().endswith(b"\x88\x05\x03\xe8Bye")
    switch.connectionLost()


def test_the_first_byte_decides(broker: Broker, clock: Clock) -> None:
    """A length begins with zero, an HTTP request with GET; one byte at a time is enough."""
    factory = ProtocolSwitchFactory(broker.broker, clock)
    switch = factory.buildProtocol(None)
    wire = StringTransport()
    switch.makeConnection(wire)
    frame = frames.encode(REQUESTS[0], "m")
    for byte in length_prefixed(frame):
        switch.dataReceived(bytes([byte]))
    assert wire.value()[4:] == b"\x08\xb5\x10\x12\x00\x1a\x01m"


@pytest_twisted.async_yield_fixture
async def service(tmp_path: Path) -> AsyncIterator[SimulatorService]:
    """A simulator with both ports."""
    settings = SimulatorSettings(
        port=0, json_port=0, ca_file=str(tmp_path / "ca.pem"), rules=Rules(idle_s=1.0, unknown_field_every=0)
    )
    made = SimulatorService(settings, reactor)
    made.startService()
    yield made
    await made.stopService()


def tls(service: SimulatorService) -> ssl.SSLContext:
    """A context that trusts the simulator's authority alone."""
    return ssl.create_default_context(cafile=service.ca_file)


def in_thread(call: Callable[..., Any], *args: Any) -> Any:
    """Run blocking client code in a thread, beside the reactor."""
    return deferToThread(call, *args).addTimeout(10, reactor)


def websocket(service: SimulatorService, port: int) -> ClientConnection:
    """A WebSocket client that has verified the certificate."""
    line, _ = tls_line(tls(service), socket.create_connection(("localhost", port)))
    return connect("ws://localhost", sock=line, open_timeout=5, close_timeout=2)


@pytest.mark.integration
@pytest_twisted.ensureDeferred
async def test_protobuf_over_websocket(service: SimulatorService) -> None:
    """Each binary message is a ProtoMessage without a length; the idle cut-off is a close with 1000 "Bye"."""

    def client() -> tuple[list[Any], int, str]:
        with websocket(service, service.port) as wire:
            found: list[Any] = []
            for request in REQUESTS:
                wire.send(frames.encode(request, "m"))
            while len(found) < 5:
                found.append(frames.open_payload(frames.open_envelope(wire.recv(5))))  # type: ignore[arg-type]
            for _ in wire:
                pass
            return found, wire.close_code or 0, wire.close_reason or ""

    found, code, reason = await in_thread(client)
    assert [type(m).__name__ for m in found[:3]] == [
        "ProtoOAApplicationAuthRes",
        "ProtoOAAccountAuthRes",
        "ProtoOASubscribeSpotsRes",
    ]
    assert all(isinstance(m, ProtoOASpotEvent) for m in found[3:])
    assert (code, reason) == (1000, "Bye")


@pytest.mark.integration
@pytest_twisted.ensureDeferred
async def test_json_over_websocket(service: SimulatorService) -> None:
    """Text messages with objects; a malformed one is refused with its place, then the connection closes."""

    def client() -> list[Any]:
        with websocket(service, service.json_port) as wire:
            login = {"clientId": "sim", "clientSecret": "sim-secret"}
            wire.send(json.dumps({"clientMsgId": "m", "payloadType": 2100, "payload": login}))
            found = [json.loads(wire.recv(5))]
            wire.send("{1:2}")
            found.append(json.loads(wire.recv(5)))
            for _ in wire:
                pass
            return found

    login, error = await in_thread(client)
    assert login == {"clientMsgId": "m", "payloadType": 2101}
    assert error["payload"]["description"] == "Malformed JSON message at 1:2"


@pytest.mark.integration
@pytest_twisted.ensureDeferred
async def test_json_over_tcp(service: SimulatorService) -> None:
    """Objects one a line, spot events among them."""

    def client() -> list[Any]:
        with socket.create_connection(("127.0.0.1", service.json_port), 5) as plain:
            with tls(service).wrap_socket(plain, server_hostname="localhost") as wire:
                for payload in (
                    {"payloadType": 2100, "payload": {"clientId": "sim", "clientSecret": "sim-secret"}},
                    {"payloadType": 2102, "payload": {"ctidTraderAccountId": 1001, "accessToken": "sim-token"}},
                    {"payloadType": 2127, "payload": {"ctidTraderAccountId": 1001, "symbolId": [1]}},
                ):
                    wire.sendall(json.dumps(payload).encode())
                reader = wire.makefile()
                return [json.loads(reader.readline()) for _ in range(4)]

    found = await in_thread(client)
    assert [m["payloadType"] for m in found] == [2101, 2103, 2128, 2131]
    assert found[3]["payload"]["bid"] > 0


@pytest.mark.integration
@pytest_twisted.ensureDeferred
async def test_garbage_over_websocket(service: SimulatorService) -> None:
    """A message that is no frame is refused, then the connection closes."""

    def client() -> Any:
        with websocket(service, service.port) as wire:
            wire.send(b"\xff\xff\xff")
            found = frames.open_payload(frames.open_envelope(wire.recv(5)))  # type: ignore[arg-type]
            for _ in wire:
                pass
            return found

    error = await in_thread(client)
    assert isinstance(error, ProtoOAErrorRes)
    assert error.errorCode == "INVALID_REQUEST"
