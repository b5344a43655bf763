"""A start that cannot be: one line on the terminal says what is wrong, and ``--check`` says the same."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.processes import FOREGROUND, Twistd, said, taken_port, twistd

CANARIES = {
    "CTRADER_CLIENT_SECRET": "canary-secret-8d1f",
    "CTRADER_ACCESS_TOKEN": "canary-token-77aa",
}


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
