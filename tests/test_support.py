"""What the tests themselves stand on: ports, processes, and which tests a run leaves out."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.frames import frame, length_prefixed, payload_of, take_frames, take_length_prefixed
from tests.support.processes import Process, free_port
from tickrelay.wire import frames

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no port for a server to come")
def test_a_free_port_is_kept_for_the_server() -> None:
    """A server can listen on it, again after its end, and nobody else gets it before, between and after."""
    port = free_port()
    for _ in range(2):
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)) as client:
            assert client.getpeername()[1] == port


def test_a_process_keeps_its_temporary_files_in_its_folder(tmp_path: Path) -> None:
    """So a killed one leaves nothing behind elsewhere."""
    command = [sys.executable, "-c", "import tempfile; print(tempfile.mkstemp()[1])"]
    with Process("maker", command, tmp_path) as process:
        assert process.ends() == 0
        assert tmp_path in Path(process.text().strip()).parents


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_a_process_takes_signals_though_the_tests_run_in_the_background(tmp_path: Path, number: signal.Signals) -> None:
    """There these are ignored, which processes inherit; for the tests' own process it stays so."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        command = [sys.executable, "-c", f"import signal; print(signal.getsignal({int(number)}))"]
        with Process("child", command, tmp_path) as process:
            assert process.ends() == 0
            assert "SIG_IGN" not in process.text() and process.text().strip()
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_run_without_foreign_clients_says_so() -> None:
    """One line, with the command that runs them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "not foreign"]
    done = subprocess.run(
        [*command, "tests/integration/test_foreign_clients.py"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "2 tests of foreign clients left out: make test-foreign runs them" in done.stdout.splitlines()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_read_at_any_cut(size: int) -> None:
    """A cut frame stays in the buffer, a whole one is taken out of it; both kinds."""
    payload = b"x" * size
    for whole, take in (
        (frames.text(payload), lambda buffer: [data for _, data in take_frames(buffer)]),
        (length_prefixed(payload), lambda buffer: list(take_length_prefixed(buffer))),
    ):
        for cut in {1, 3, len(whole) - 1} & set(range(len(whole))):
            buffer = bytearray(whole[:cut])
            assert take(buffer) == [] and buffer == whole[:cut]
            buffer += whole[cut:] + whole[:1]
            assert take(buffer) == [payload] and buffer == whole[:1]


def test_a_masked_frame_is_none_of_a_servers() -> None:
    """Clients mask, servers must not."""
    with pytest.raises(AssertionError):
        payload_of(frame(b"x"))
