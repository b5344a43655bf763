"""A recording holds no secret, and nobody but its owner can open it."""

import gzip
import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent

from tests.support.relay import TestClock
from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.config.schema import Secret
from tickrelay.config.settings import CTraderSettings
from tickrelay.openapi import frames
from tickrelay.openapi.common_pb2 import ProtoErrorRes
from tickrelay.openapi.messages_pb2 import (
    ProtoOAAccountsTokenInvalidatedEvent,
    ProtoOAClientDisconnectEvent,
    ProtoOAErrorRes,
    ProtoOASpotEvent,
)
from tickrelay.recording.player import records
from tickrelay.recording.recorder import Recorder
from tickrelay.recording.segments import segment_paths
from tickrelay.service import RelayService
from tickrelay.upstream.authorization import Redactor
from tickrelay.upstream.tokens import TokenStore

CONFIGURED = ("client-secret-CANARY", "configured-access-CANARY", "configured-refresh-CANARY")
RENEWED = ("renewed-access-CANARY", "renewed-refresh-CANARY", "second-access-CANARY", "second-refresh-CANARY")


@pytest.fixture
def redactor(clock: Clock, tmp_path: Path) -> Redactor:
    """Of a relay whose token file replaced the configured tokens, and which has renewed them once more."""
    secret, access, refresh = map(Secret, CONFIGURED)
    account = CTraderSettings(
        client_id="id", client_secret=secret, access_token=access, refresh_token=refresh, account_id=1
    )
    path = str(tmp_path / "tokens.json")
    time = TestClock(clock)
    TokenStore(access, refresh, path, time).renewed(*RENEWED[:2], 3600)
    store = TokenStore(access, refresh, path, time)
    store.load()
    store.renewed(*RENEWED[2:], 3600)
    return Redactor(account, store)


@pytest.fixture
def umask() -> Iterator[None]:
    """A umask that takes no right away."""
    before = os.umask(0)
    yield
    os.umask(before)


def recorder(clock: Clock, directory: Path, **options: Any) -> Recorder:
    """A recorder that has started."""
    made = Recorder(
        directory, clock, lambda: 1_763_900_000.0 + clock.seconds(), maybeDeferred, keep_free_bytes=0, **options
    )
    made.start()
    return made


@pytest.mark.parametrize("secret", [*CONFIGURED, *RENEWED])
def test_a_frame_that_quotes_a_secret_is_withheld(
    clock: Clock, tmp_path: Path, redactor: Redactor, secret: str
) -> None:
    """In any kept type and field, whether the secret is configured, renewed, or out of use."""
    directory = tmp_path / "recording"
    made = recorder(clock, directory)
    made.finds_secret = redactor.finds_secret
    quotes = [
        ProtoOAErrorRes(errorCode="CH_ACCESS_TOKEN_INVALID", description=f"token <{secret}> is invalid"),
        ProtoOAErrorRes(errorCode=secret),
        ProtoErrorRes(errorCode="INVALID", description=secret),
        ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1], reason=f"{secret} expired"),
        ProtoOAClientDisconnectEvent(reason=f"bye {secret}"),
    ]
    for message in quotes:
        made.frame(frames.encode(message))
    made.frame(frames.encode(ProtoOAErrorRes(errorCode="X", description="harmless"), secret))
    made.frame(frames.encode(ProtoOAErrorRes(errorCode="X", description="harmless")))
    clock.advance(1)
    (path,) = segment_paths(directory)
    text = path.read_bytes()
    for start in range(3):
        # Base64 shows the same bytes in three ways, by their offset; the ends depend on what stands beside them.
        assert b64encode(bytes(start) + secret.encode())[4:-4] not in text
    assert secret.encode() not in text
    found = [record.frame is not None for record in records(directory)]
    assert found == [False] * (len(quotes) + 1) + [True]
    made.stop()


def test_the_longest_secret_is_redacted_first(redactor: Redactor) -> None:
    """A secret that begins with another one leaves no rest."""
    redactor.tokens.seen |= dict.fromkeys(("abc", "abcdef"))
    assert redactor("token abcdef") == "token ***"


def test_every_file_is_private_from_its_first_byte(
    clock: Clock, tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain, being compressed, and compressed, with a umask that takes nothing away; the directory too."""
    directory = tmp_path / "recording"
    modes: dict[str, int] = {}
    really_open = os.open

    def watched(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        descriptor = really_open(path, flags, *args, **kwargs)
        if flags & os.O_CREAT:
            modes[Path(os.fsdecode(path)).suffix] = os.fstat(descriptor).st_mode & 0o777
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    made = recorder(clock, directory, segment_bytes=100)
    for bid in range(1, 6):
        made.frame(frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=bid)))
        clock.advance(0.25)
        for path in directory.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    made.stop()
    assert modes == {".jsonl": 0o600, ".part": 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert all(path.name.endswith(".gz") for path in directory.iterdir())
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in directory.iterdir())
    assert gzip.open(next(directory.iterdir())).readline()


def test_a_compression_is_private_where_an_open_file_was_in_its_place(clock: Clock, tmp_path: Path) -> None:
    """A ``.part`` file that another process left open to all is not written into."""
    made = recorder(clock, tmp_path)
    made.frame(frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=1)))
    clock.advance(1)
    (path,) = segment_paths(tmp_path)
    part = path.with_name(path.name + ".gz.part")
    part.touch(0o666)
    part.chmod(0o666)
    made.stop()
    (path,) = segment_paths(tmp_path)
    assert path.suffix == ".gz" and stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("mode", "warnings"), [(0o755, 1), (0o750, 1), (0o700, 0)])
def test_a_directory_that_others_may_open_is_warned_of_once(
    clock: Clock, tmp_path: Path, logged: list[LogEvent], mode: int, warnings: int
) -> None:
    """At the start, with its mode; nothing is changed in it."""
    tmp_path.chmod(mode)
    made = recorder(clock, tmp_path)
    made.check()
    for bid in range(1, 4):
        made.frame(frames.encode(ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=bid)))
        clock.advance(1)
    made.stop()
    assert len([e for e in logged if "chmod 700" in (e.get("log_format") or "")]) == warnings
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


def test_the_relay_tells_its_recorder_the_secrets(tmp_path: Path) -> None:
    """A recorder that a relay runs withholds what quotes the relay's own tokens."""
    environ = {
        "CTRADER_CLIENT_ID": "id",
        "CTRADER_CLIENT_SECRET": CONFIGURED[0],
        "CTRADER_ACCESS_TOKEN": CONFIGURED[1],
        "CTRADER_ACCOUNT_ID": "1",
        "CTRADER_HOST": "demo.ctraderapi.com",
    }
    reactor = MemoryReactorClock()
    made = Recorder(tmp_path / "recording", reactor, reactor.seconds, maybeDeferred, keep_free_bytes=0)
    RelayService(settings.load(Places({}, environ, {})), reactor, recorder=made).prepare()
    made.frame(frames.encode(ProtoOAErrorRes(errorCode="X", description=CONFIGURED[1])))
    made.frame(frames.encode(ProtoOAErrorRes(errorCode="X", description=CONFIGURED[0])))
    made.start()
    reactor.advance(1)
    made.stop()
    assert [record.frame for record in records(tmp_path / "recording")] == [None, None]
