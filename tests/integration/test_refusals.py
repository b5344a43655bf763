"""What goes wrong at the edges: a clear log line, the right status, everyone else unharmed, and no secret anywhere."""

import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.integration.test_end_to_end import subscribed
from tests.support.processes import PATIENCE_S, Twistd, free_port, relay, simulator

CANARIES = {
    "CTRADER_CLIENT_SECRET": "canary-secret-8d1f",
    "CTRADER_ACCESS_TOKEN": "canary-token-77aa",
}


def status_of(ws_port: int, wanted: str) -> dict[str, Any]:
    """Connect until the status is the one wanted; returns it."""
    with connect(f"ws://127.0.0.1:{ws_port}/", open_timeout=PATIENCE_S) as frontend:
        frontend.send(json.dumps({"type": "connect"}))
        while True:
            message: dict[str, Any] = json.loads(frontend.recv(timeout=PATIENCE_S))
            if message["type"] == "status" and message["status"] == wanted:
                return message


def test_a_wrong_certificate(wheel_python: Path, tmp_path: Path) -> None:
    """Another authority than the trusted one: never a credential sent, a line that says certificate, no tick."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        own = tmp_path / "other.pem"
        with simulator(wheel_python, tmp_path, free_port(), "--ca-file", str(own)) as other:
            other.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_CA_FILE=str(own)) as service:
            service.wait_for("(?i)certificate")
            assert "certificate" in json.dumps(status_of(ws_port, "error")).lower()
            assert "Traceback" not in service.text()


def test_a_refused_client_secret(wheel_python: Path, tmp_path: Path) -> None:
    """The status says that the application's credentials are wrong, and the log too."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_CLIENT_SECRET="wrong") as service:
            service.wait_for("CH_CLIENT_AUTH_FAILURE|CTRADER_CLIENT_SECRET")
            assert "CTRADER_CLIENT_SECRET" in status_of(ws_port, "error")["message"]


def test_an_unknown_account(wheel_python: Path, tmp_path: Path) -> None:
    """The status names the account setting."""
    port, ws_port = free_port(), free_port()
    with simulator(wheel_python, tmp_path, port) as broker:
        broker.wait_for("cTrader simulator on")
        with relay(wheel_python, tmp_path, port, ws_port, CTRADER_ACCOUNT_ID="424242") as service:
            service.wait_for("status ws-open")
            assert "CTRADER_ACCOUNT_ID" in status_of(ws_port, "error")["message"]


def test_a_garbage_client_frame(wheel_python: Path, tmp_path: Path) -> None:
    """One client's nonsense gets it an error or a close; another's ticks go on."""
    ws_port = free_port()
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env={"WS_PORT": str(ws_port)}) as service:
        service.wait_for("status connected")
        with subscribed(ws_port) as healthy:
            with connect(f"ws://127.0.0.1:{ws_port}/") as rude:
                rude.send("{garbage")
                assert json.loads(rude.recv(timeout=PATIENCE_S)) == {
                    "type": "error",
                    "message": "Invalid message format",
                }
                rude.send(b"\x00\xff")
                assert json.loads(rude.recv(timeout=PATIENCE_S))["type"] == "error"
            with socket.create_connection(("127.0.0.1", ws_port)) as raw:
                raw.sendall(b"\x16\x03\x01\xff\xff not http\r\n\r\n")
                assert b"400" in raw.recv(1000)
            healthy.ticks_of(["EURUSD", "BTCUSD"])
        assert "Traceback" not in service.text()


@contextmanager
def rude_broker(folder: Path, port: int, answers: list[bytes]) -> Iterator[None]:
    """A TLS server with a certificate for localhost that answers anything with *answers*, one a connection."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "rude.key", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "rude.key")
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        for answer in answers:
            try:
                accepted, _ = listener.accept()
                with context.wrap_socket(accepted, server_side=True) as peer:
                    peer.recv(1000)
                    peer.sendall(answer)
                    while peer.recv(1000):
                        pass
            except OSError:
                if listener.fileno() < 0:
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_garbage_from_upstream(wheel_python: Path, tmp_path: Path) -> None:
    """Nonsense in a frame and an endless frame: a log line each, another connection, clients still served."""
    port, ws_port = free_port(), free_port()
    garbage = struct.pack("!I", 5) + b"\xff" * 5
    endless = struct.pack("!I", 2**31)
    with (
        rude_broker(tmp_path, port, [garbage, endless]),
        relay(wheel_python, tmp_path, port, ws_port, TICKRELAY_REQUEST_TIMEOUT="1") as service,
    ):
        service.wait_for("garbage from cTrader: a frame of 5 bytes", timeout_s=30)
        service.wait_for("a frame of 2147483648 bytes is announced", timeout_s=30)
        assert status_of(ws_port, "ctrader-connecting")["availableSymbols"] == []
        assert "Traceback" not in service.text()


def test_no_secret_is_ever_written(wheel_python: Path, tmp_path: Path) -> None:
    """At debug level, through a whole session and through refusals, no output holds a secret."""
    port, ws_port = free_port(), free_port()
    args = ["--client-secret", CANARIES["CTRADER_CLIENT_SECRET"], "--access-token", CANARIES["CTRADER_ACCESS_TOKEN"]]
    with simulator(wheel_python, tmp_path, port, *args) as broker:
        broker.wait_for("cTrader simulator on")
        for change in ({}, {"CTRADER_CLIENT_ID": "wrong"}, {"CTRADER_ACCOUNT_ID": "424242"}):
            with relay(wheel_python, tmp_path, port, ws_port, **(CANARIES | change)) as service:
                service.wait_for("status ws-open")
                with socket.create_connection(("127.0.0.1", ws_port)) as raw:
                    raw.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer canary-client-55\r\n\r\n")
                    assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")
                if change:
                    status_of(ws_port, "error")
                else:
                    service.wait_for("status connected")
                    with subscribed(ws_port):
                        pass
                service.stop()
                for canary in (*CANARIES.values(), "canary-client-55"):
                    assert canary not in service.text()


FOREGROUND = ("--nodaemon", "--pidfile=")


def twistd(python: Path, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run twistd in *folder* until it returns to the terminal; standard output and error are kept together."""
    base = {key: value for key, value in os.environ.items() if not re.search("PORT|HOST|CTRADER|TICKRELAY", key)}
    return subprocess.run(
        [python.parent / "twistd", *words], cwd=folder, env={**base, **environ},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused start leaves on the terminal."""
    assert done.returncode == 1, done.stdout
    (line,) = done.stdout.splitlines()
    return line


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll *condition* for up to 20 seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def end_daemon(folder: Path) -> None:
    """Stop the daemon of *folder*; twistd removes the pid file at its end."""
    os.kill(int((folder / "twistd.pid").read_text()), signal.SIGTERM)
    wait_until(lambda: not (folder / "twistd.pid").exists())


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server(("0.0.0.0", 0)) as other:
        yield int(other.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["tickrelay", "--foo"], "tickrelay: unknown option --foo; see --help"),
        (["tickrelay", "--nodaemon"], "tickrelay: --nodaemon is an option of twistd: write it before tickrelay"),
        (["tickrelay", "--simulate", "9001"], "tickrelay: unexpected '9001'; did you mean --listen tcp:9001?"),
        (["tickrelay", "--env-file", "nope.env"], "tickrelay: --env-file: nope.env does not exist"),
        (
            ["tickrelay", "--simulate", "--listen", "127.0.0.1:9001"],
            "tickrelay: --listen: '127.0.0.1:9001' is no Twisted endpoint: write tcp:9001:interface=127.0.0.1",
        ),
        (
            ["tickrelay", "--simulate", "--listen", "tcp:abc"],
            "tickrelay: --listen: the port in 'tcp:abc' must be a whole number from 0 to 65535, as in tcp:9001",
        ),
        (["ctrader-simulator", "--foo"], "ctrader-simulator: unknown option --foo; see --help"),
        (["ctrader-simulator", "9001"], "ctrader-simulator: unexpected '9001'; did you mean --port 9001?"),
        (["ctrader-simulator", "--config", "x.toml"], "ctrader-simulator: --config: x.toml does not exist"),
    ],
)
@pytest.mark.parametrize("twistds", [FOREGROUND, []])
def test_a_bad_command_line_is_one_line(
    wheel_python: Path, tmp_path: Path, twistds: Sequence[str], words: list[str], line: str
) -> None:
    """In the foreground and for a daemon alike, what the terminal shows is one line with the way out."""
    assert said(twistd(wheel_python, tmp_path, *twistds, *words)) == line


def test_all_missing_settings_are_named_at_once(wheel_python: Path, tmp_path: Path) -> None:
    """Four of them, in one run."""
    line = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay"))
    for name in ("CTRADER_CLIENT_ID", "CTRADER_CLIENT_SECRET", "CTRADER_ACCESS_TOKEN", "CTRADER_ACCOUNT_ID"):
        assert name in line


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_a_settings_file_that_is_no_utf8(wheel_python: Path, tmp_path: Path, encoding: str) -> None:
    """What to do, with and without a byte order mark."""
    (tmp_path / ".env").write_text("CTRADER_ACCOUNT_ID=1", encoding=encoding)
    line = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", "--simulate"))
    assert line == f"tickrelay: --env-file: save .env as UTF-8 (it looks like {encoding[:6].upper()})"


def test_a_byte_order_mark_is_no_part_of_the_first_name(wheel_python: Path, tmp_path: Path) -> None:
    """Windows editors put one before UTF-8."""
    (tmp_path / ".env").write_text("TICKRELAY_LISTEN=tcp:abc", encoding="utf-8-sig")
    assert "TICKRELAY_LISTEN in .env" in said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", "--simulate"))


def test_a_misspelt_name_in_dotenv_ends_the_start(wheel_python: Path, tmp_path: Path) -> None:
    """With the name that was meant."""
    (tmp_path / ".env").write_text("TICKRELAY_TOKEN_FILE=tokens\n")
    line = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", "--simulate"))
    assert line == "tickrelay: TICKRELAY_TOKEN_FILE in .env is no setting; did you mean TICKRELAY_TOKENS_FILE?"


def test_a_misspelt_name_in_the_environment_is_warned_of(wheel_python: Path, tmp_path: Path) -> None:
    """The relay starts, and its log names the variable."""
    env = {"TICKRELAY_LISTN": "tcp:1", "TICKRELAY_LISTEN": "tcp:0:interface=127.0.0.1"}
    with Twistd(wheel_python, tmp_path, "tickrelay", "--simulate", env=env) as service:
        service.wait_for("#warn. TICKRELAY_LISTN is no setting; did you mean TICKRELAY_LISTEN")
        service.wait_for("status connected")


def test_an_address_to_listen_on_in_dotenv(wheel_python: Path, tmp_path: Path) -> None:
    """HOST there is cTrader's."""
    (tmp_path / ".env").write_text("HOST=0.0.0.0\nPORT=8080\n")
    account = {"CTRADER_CLIENT_ID": "a", "CTRADER_ACCOUNT_ID": "1", **CANARIES}
    line = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", **account))
    assert line.startswith("tickrelay: HOST in .env must be a host to connect to")
    assert "CTRADER_HOST" in line and "--listen" in line


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("flag", ["--listen", "--admin"])
def test_a_taken_port_is_said_on_the_terminal_and_in_the_log(
    wheel_python: Path, tmp_path: Path, flag: str, foreground: bool
) -> None:
    """One line that names the setting of that listener; the log file has the same line and no traceback."""
    listen = [] if flag == "--listen" else ["--listen", "tcp:0:interface=127.0.0.1"]
    with taken_port() as port:
        words = ["--nodaemon"] * foreground + ["--logfile", "some.log", "tickrelay", "--simulate", *listen]
        line = said(twistd(wheel_python, tmp_path, *words, flag, f"tcp:{port}"))
    assert line.startswith(f"tickrelay: cannot listen on port {port} (")
    assert line.endswith(f"choose another with {flag}")
    log = (tmp_path / "some.log").read_text()
    assert line in log
    assert "Traceback" not in log
    assert not (tmp_path / "twistd.pid").exists()


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["tickrelay", "--simulate", "--listen", "tcp:0:interface=127.0.0.1"], r"clients connect to ws://[^:]+:(\d+)/"),
        (
            ["ctrader-simulator", "--port", "0", "--ca-file", "ca.pem"],
            r"simulates cTrader on [^:]+:(\d+) \(TLS\)",
        ),
    ],
)
def test_a_daemon_says_where_it_listens(wheel_python: Path, tmp_path: Path, words: list[str], where: str) -> None:
    """Before it leaves the terminal: the address, the pid file and the log file; and it is there."""
    done = twistd(wheel_python, tmp_path, *words)
    try:
        files = f", pid file {tmp_path}/twistd.pid, log file {tmp_path}/twistd.log"
        found = re.fullmatch(rf"{words[0]}: {where}; runs in the background{re.escape(files)}\n", done.stdout)
        assert found is not None, done.stdout
        assert done.returncode == 0
        if words[0] == "tickrelay":
            status_of(int(found[1]), "connected")
        else:
            context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as raw:
                context.wrap_socket(raw, server_hostname="localhost").close()
    finally:
        end_daemon(tmp_path)
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()


def test_relative_paths_count_from_where_twistd_was_started(wheel_python: Path, tmp_path: Path) -> None:
    """With --rundir too, as for twistd's own pid and log file."""
    (tmp_path / "run").mkdir()
    words = ["--rundir", "run", "tickrelay", "--simulate", "--record", "recording"]
    twistd(wheel_python, tmp_path, *words, TICKRELAY_LISTEN="tcp:0:interface=127.0.0.1")
    wait_until(lambda: "status connected" in (tmp_path / "twistd.log").read_text())
    end_daemon(tmp_path)
    assert list((tmp_path / "recording").iterdir())
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"CTRADER_REFRESH_TOKEN": "canary"}, "CTRADER_REFRESH_TOKEN needs CTRADER_TOKEN_FILE"),
        ({"TICKRELAY_LISTEN": "tcp:abc"}, "TICKRELAY_LISTEN: the port in 'tcp:abc'"),
        ({"TICKRELAY_ADMIN": "9090"}, "TICKRELAY_ADMIN: '9090' is no Twisted endpoint: write tcp:9090"),
        ({"TICKRELAY_TOKENS_FILE": "/nowhere/tokens"}, "TICKRELAY_TOKENS_FILE: /nowhere/tokens does not exist"),
        ({"CTRADER_CA_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"CTRADER_REFRESH_TOKEN": "canary", "CTRADER_TOKEN_FILE": "/nowhere/t"}, "CTRADER_TOKEN_FILE: cannot write"),
    ],
)
def test_check_refuses_what_the_start_refuses(
    wheel_python: Path, tmp_path: Path, environ: dict[str, str], line: str
) -> None:
    """The same line from both, before anything connects."""
    account = {"CTRADER_CLIENT_ID": "a", "CTRADER_ACCOUNT_ID": "1", "CTRADER_HOST": "localhost", "CTRADER_PORT": "1"}
    env = {"TICKRELAY_LISTEN": "tcp:0:interface=127.0.0.1", **account, **CANARIES, **environ}
    started = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", **env))
    checked = said(twistd(wheel_python, tmp_path, *FOREGROUND, "tickrelay", "--check", **env))
    assert line in started
    assert checked.split(maxsplit=2) == ["FAILED", "start", started.removeprefix("tickrelay: ")]
    assert "canary" not in started


def test_check_does_not_mind_a_relay_that_runs(wheel_python: Path, tmp_path: Path) -> None:
    """Its port is in use: a warning, and the exit status 0."""
    with taken_port() as port:
        done = twistd(wheel_python, tmp_path, "-n", "tickrelay", "--simulate", "--check", "--listen", f"tcp:{port}")
    assert done.returncode == 0
    assert re.match(rf"warn +start +cannot listen on port {port} .*the relay that runs", done.stdout)
