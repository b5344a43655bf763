"""The command line of twistd ctrader-simulator."""

from pathlib import Path

import pytest

from tickrelay.simulator.settings import AccountSettings, Rules, SimulatorSettings, UserSettings
from tickrelay.simulator_tap import Options


def parse(*arguments: str) -> SimulatorSettings:
    """The settings that a command line makes."""
    options = Options()
    options.parseOptions(list(arguments))
    return options.settings


def test_no_flag_gives_the_defaults() -> None:
    """Port 5035 of the loopback interface, client sim, account 1001, markets always open."""
    settings = parse()
    assert (settings.host, settings.port, settings.schedule) == ("127.0.0.1", 5035, "open")
    assert (settings.client_id, settings.client_secret, settings.access_token, settings.account_id) == (
        "sim",
        "sim-secret",
        "sim-token",
        1001,
    )
    assert settings.rules == Rules()


def test_flags() -> None:
    """Every kind of flag, repeated ones too."""
    settings = parse(
        "--port", "0", "--rate", "2.5", "--symbols", "EURUSD,BTCUSD", "--schedule", "real", "--control", "8000",
        "--rule", "idle_s=5", "--rule", "mixed-batch-refused=no", "--user", "abc:7,8L",
        "--fault", "at 30s: drop", "--fault", "slow 1s",
    )  # fmt: skip
    assert (settings.port, settings.rate, settings.symbols, settings.schedule, settings.control_port) == (
        0,
        2.5,
        ("EURUSD", "BTCUSD"),
        "real",
        8000,
    )
    assert (settings.rules.idle_s, settings.rules.mixed_batch_refused) == (5.0, False)
    accounts = (AccountSettings(account_id=7), AccountSettings(account_id=8, live=True))
    assert settings.users == (UserSettings(access_token="abc", accounts=accounts),)
    assert settings.faults.split("\n")[1:] == ["at 30s: drop", "slow 1s"]


def test_a_toml_file_and_flags_over_it(tmp_path: Path) -> None:
    """A flag is stronger than the file."""
    path = tmp_path / "simulator.toml"
    path.write_text(
        """
        port = 6000
        seed = 7
        symbols = ["EURUSD", "XAUUSD"]
        faults = "at 1m: drop"

        [rules]
        heartbeat_s = 20

        [[users]]
        access_token = "second"
        scope = "accounts"
        accounts = [{ account_id = 5, live = true, login = 99 }]
        """
    )
    settings = parse("--config", str(path), "--port", "6001", "--rule", "idle_s=9")
    assert (settings.port, settings.seed, settings.symbols) == (6001, 7, ("EURUSD", "XAUUSD"))
    assert (settings.rules.heartbeat_s, settings.rules.idle_s) == (20.0, 9.0)
    assert settings.users[0].accounts == (AccountSettings(account_id=5, live=True, login=99),)
    assert "at 1m: drop" in settings.faults


def test_a_fault_script_in_a_file(tmp_path: Path) -> None:
    """Read, and checked before anything listens."""
    path = tmp_path / "script"
    path.write_text("at 30s: drop\nat 60s: hang account-auth for 20s\n")
    assert "hang account-auth" in parse("--faults", str(path)).faults


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "x"], "port must be a whole number from 0 to 65535, not 'x'"),
        (["--port", "70000"], "port must be a whole number from 0 to 65535"),
        (["--rate", "0"], "rate must be a number over 0"),
        (["--rate", "nan"], "rate must be a number over 0"),
        (["--schedule", "never"], "schedule must be open or real"),
        (["--symbols", "EURUSD,NOPE"], "no symbol 'NOPE'"),
        (["--rule", "nonsense=1"], "nonsense is no setting"),
        (["--rule", "idle_s=x"], "rules.idle_s must be a number from 0 to 1000000000, not 'x'"),
        (["--rule", "mixed_batch_refused=perhaps"], "must be yes or no"),
        (["--json-port", "99999"], "json-port must be a whole number from 0 to 65535"),
        (["--control", "99999"], "control must be a whole number from 0 to 65535"),
        (["--control", "-1"], "control must be a whole number from 0 to 65535"),
        (["--account-id", "0"], "account-id must be a whole number from 1 to"),
        (["--account-id", "99999999999999999999"], "account-id must be a whole number from 1 to"),
        (["--user", "foo"], "--user must be TOKEN:ACCOUNT,ACCOUNT, such as abc:7,8L, not 'foo'"),
        (["--user", "abc:"], "--user must be TOKEN:ACCOUNT"),
        (["--user", ":7"], "--user must be TOKEN:ACCOUNT"),
        (["--user", "abc:x"], "--user must be TOKEN:ACCOUNT"),
        (["--user", "abc:7LL"], "--user must be TOKEN:ACCOUNT"),
        (["--user", "abc:7,,8"], "--user must be TOKEN:ACCOUNT"),
        (["--user", "abc:0"], "users[0].accounts[0].account_id must be a whole number from 1 to"),
        (["--user", "abc:7", "--user", "abc:8"], "two users have the access token 'abc'"),
        (["--user", "sim-token:7"], "two users have the access token 'sim-token'"),
        (["--access-token", ""], "access-token must not be empty"),
        (["--scope", "all"], "scope must be accounts or trading"),
        (["--rule", "heartbeat_s=0"], "rules.heartbeat_s must be a number from 0.01 to 1000000000, not '0'"),
        (["--rule", "idle_s=nan"], "rules.idle_s must be a number from 0 to"),
        (["--certificate-names", ""], "certificate-names must hold a name"),
        (
            ["--certificate-names", "\u00e4.example"],
            "certificate-names[0] must be an ASCII name of at most 64 characters, not",
        ),
        (["--fault", "maintenance 3s soon"], "'soon' is neither ms nor common"),
        (["--xyzzy"], "unknown option --xyzzy; see --help"),
        (["--rate"], "option --rate requires argument; see --help"),
        (["--fault", "dorp"], "no fault 'dorp'"),
        (["--faults", "/nowhere/script"], "--faults: /nowhere/script does not exist"),
        (["--config", "/nowhere/file"], "--config: /nowhere/file does not exist"),
        (["--prot", "1"], "unknown option --prot; did you mean --port?"),
        (["6000"], "unexpected '6000'; did you mean --port 6000?"),
        (["0.0.0.0:6000"], "did you mean --port 6000?"),
        (["127.0.0.1:6000"], "did you mean --host 127.0.0.1 --port 6000?"),
        (["--replay", "/nowhere/recording"], "--replay: /nowhere/recording is no directory"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the flag or setting; the exit status is 1."""
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    message = str(caught.value.code)
    assert message.startswith("ctrader-simulator: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("port = true", "port must be a whole number from 0 to 65535, not True"),
        ("port = 1.5", "port must be a whole number from 0 to 65535, not 1.5"),
        ("rate = true", "rate must be a number over 0, at most 100000, not True"),
        ("rules = 5", "rules must be a table"),
        ("users = 5", "users must be a list of tables"),
        ('[[users]]\naccess_token = "a"\nscope = "all"', "scope must be accounts or trading"),
        ("control_port = 99999", "control must be a whole number"),
    ],
)
def test_a_mistake_in_a_file_is_one_clear_line(tmp_path: Path, content: str, words: str) -> None:
    """No value of the wrong kind is taken for another, none ends in a traceback."""
    path = tmp_path / "simulator.toml"
    path.write_text(content)
    with pytest.raises(SystemExit) as caught:
        parse("--config", str(path))
    assert str(caught.value.code).startswith("ctrader-simulator: ") and words in str(caught.value.code)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A line each, whether in a flag or in the file, by the names that are written there."""
    path = tmp_path / "simulator.toml"
    path.write_text('seed = "x"\n[rules]\nidle-s = -1\n[[users]]\nscope = "all"\n')
    with pytest.raises(SystemExit) as caught:
        parse("--config", str(path), "--port", "x")
    assert str(caught.value.code).splitlines() == [
        "ctrader-simulator: seed must be a whole number from -9223372036854775807 to 9223372036854775807, not 'x'",
        "ctrader-simulator: rules.idle_s must be a number from 0 to 1000000000, not -1",
        "ctrader-simulator: users[0].scope must be accounts or trading, not 'all'",
        "ctrader-simulator: users[0].access_token is missing",
        "ctrader-simulator: port must be a whole number from 0 to 65535, not 'x'",
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("9" * 5000, "has a number of thousands of digits"),
        ("0x" + "f" * 5000, "port must be a whole number from 0 to 65535, not one of thousands of digits"),
        (f"'{'9' * 5000}'", "port must be a whole number from 0 to 65535, not '99999"),
    ],
    ids=["decimal", "hexadecimal", "text"],
)
def test_a_number_of_thousands_of_digits(tmp_path: Path, number: str, words: str) -> None:
    """Python's limit of 4300 digits ends in one short line."""
    path = tmp_path / "simulator.toml"
    path.write_text(f"port = {number}")
    with pytest.raises(SystemExit) as caught:
        parse("--config", str(path))
    assert words in str(caught.value.code)
    assert len(str(caught.value.code).removeprefix(str(path))) < 400


def test_a_user_of_every_form() -> None:
    """The token may hold a colon; accounts are demo, or live with an L."""
    (user,) = parse("--user", "a:b:7,8L").users
    assert (user.access_token, [(a.account_id, a.live) for a in user.accounts]) == ("a:b", [(7, False), (8, True)])


def test_a_file_that_is_no_utf8(tmp_path: Path) -> None:
    """What Windows editors write by default is named."""
    path = tmp_path / "simulator.toml"
    path.write_text("port = 6000", encoding="utf-16")
    with pytest.raises(SystemExit, match=r"--config: save .*simulator.toml as UTF-8 \(it looks like UTF-16\)"):
        parse("--config", str(path))


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    """One line, with the place."""
    path = tmp_path / "bad.toml"
    path.write_text("port = = 1")
    with pytest.raises(SystemExit, match="is no TOML"):
        parse("--config", str(path))
