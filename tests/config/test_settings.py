"""Settings: where each comes from, and what is said when one is missing or malformed."""

from pathlib import Path

import pytest

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.config.schema import Secret
from tickrelay.config.settings import Config
from tickrelay.model.errors import SettingError

ACCOUNT = {
    "CTRADER_CLIENT_ID": "id",
    "CTRADER_CLIENT_SECRET": "canary-secret",
    "CTRADER_ACCESS_TOKEN": "canary-token",
    "CTRADER_ACCOUNT_ID": "1001",
}


def load(environ: dict[str, str] | None = None, dotenv: dict[str, str] | None = None, **flags: str) -> Config:
    """The Config of these places, with the account in the environment."""
    named: dict[str, str | None] = {name.replace("_", "-"): value for name, value in flags.items()}
    return settings.load(Places(named, {**ACCOUNT, **(environ or {})}, dict(dotenv or {})))


def test_defaults() -> None:
    """Without more than the account: the demo host, port 8080 on every interface."""
    settings = load()
    assert (settings.ctrader.host, settings.ctrader.port) == ("demo.ctraderapi.com", 5035)
    assert settings.clients.listen == "tcp:8080:backlog=1024"
    assert settings.ctrader.account_id == 1001


@pytest.mark.parametrize("name", ACCOUNT)
def test_a_missing_setting_is_named(name: str) -> None:
    """The error says which setting is missing and where it can be set."""
    places = Places({}, {k: v for k, v in ACCOUNT.items() if k != name}, {})
    with pytest.raises(SettingError, match=f"^{name} is not set: .*{name}_FILE.*--simulate"):
        settings.load(places)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Missing settings share a line, every malformed one has its own, of whatever section."""
    with pytest.raises(SettingError) as raised:
        settings.load(Places({"heartbeat": "x"}, {"WS_PORT": "y", "TICKRELAY_MAX_SYMBOLS": "z"}, {}))
    first, *others = sorted(raised.value.problems, key=lambda line: "not set" not in line)
    assert first.startswith(f"{', '.join(ACCOUNT)} are not set: client id ")
    assert [line.split(" must be ")[0] for line in others] == ["--heartbeat", "TICKRELAY_MAX_SYMBOLS", "WS_PORT"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CTRADER_HOST": "0.0.0.0"}, "CTRADER_HOST must be a host to connect to"),
        ({"TICKRELAY_ALLOWED_ORIGINS": "example.com"}, "TICKRELAY_ALLOWED_ORIGINS.0. must be an origin, scheme://"),
        (
            {"TICKRELAY_RETRY_LEAST": "61"},
            "TICKRELAY_RETRY_LEAST must not be above TICKRELAY_RETRY_MOST: 61 s",
        ),
        (
            {"TICKRELAY_REFUSED_LEAST": "5", "TICKRELAY_REFUSED_MOST": "4"},
            "TICKRELAY_REFUSED_LEAST must not be above TICKRELAY_REFUSED_MOST: 5 s and 4 s",
        ),
        ({"CTRADER_ACCOUNT_ID": "abc"}, "CTRADER_ACCOUNT_ID must be a whole number .*'abc'"),
        ({"CTRADER_ACCOUNT_ID": "0"}, "CTRADER_ACCOUNT_ID must be"),
        ({"CTRADER_ACCOUNT_ID": "١٢"}, "CTRADER_ACCOUNT_ID must be"),
        ({"CTRADER_HOST": "https://demo.ctraderapi.com"}, "CTRADER_HOST must be a host name without scheme"),
        ({"CTRADER_PORT": "70000"}, "CTRADER_PORT must be a whole number from 1 to 65535"),
        ({"PORT": "http"}, "PORT must be"),
        ({"WS_PORT": "-1"}, "WS_PORT must be"),
        ({"TICKRELAY_HEARTBEAT": "nan"}, "TICKRELAY_HEARTBEAT must be a number from 1 to 25"),
        (
            {"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": "/nowhere"},
            "CTRADER_CLIENT_SECRET_FILE: /nowhere does not",
        ),
    ],
)
def test_a_malformed_setting_is_named(environ: dict[str, str], said: str) -> None:
    """The error names the setting, what it must be and what it is."""
    with pytest.raises(SettingError, match=said):
        load(environ)


def test_an_empty_secret_file_says_no_secret(tmp_path: Path) -> None:
    """A bad secret is never quoted."""
    (tmp_path / "s").write_text("\n")
    with pytest.raises(SettingError) as raised:
        load({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": str(tmp_path / "s")})
    assert "must not be empty" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_secret_file_that_is_no_utf8(tmp_path: Path) -> None:
    """What to do, without what the file holds."""
    (tmp_path / "s").write_bytes("canary-é".encode("latin-1"))
    with pytest.raises(SettingError, match=r"^CTRADER_CLIENT_SECRET_FILE: save .*/s as UTF-8$"):
        load({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": str(tmp_path / "s")})


def test_secret_files(tmp_path: Path) -> None:
    """NAME_FILE holds the value; white space around it does not count."""
    (tmp_path / "s").write_text(" from-file \n")
    settings = load({"CTRADER_CLIENT_SECRET": "", "CTRADER_CLIENT_SECRET_FILE": str(tmp_path / "s")})
    assert settings.ctrader.client_secret.reveal() == "from-file"
    assert settings.sources["client_secret"] == "CTRADER_CLIENT_SECRET_FILE"


def test_the_strongest_place_wins() -> None:
    """A flag over the environment, the environment over .env."""
    assert load({"CTRADER_HOST": "env"}, {"CTRADER_HOST": "file"}, ctrader_host="flag").ctrader.host == "flag"
    assert load({"CTRADER_HOST": "env"}, {"CTRADER_HOST": "file"}).ctrader.host == "env"
    assert load({}, {"CTRADER_HOST": "file"}).ctrader.host == "file"


@pytest.mark.parametrize(
    ("environ", "dotenv", "ctrader", "listen"),
    [
        ({}, {"HOST": "live.example", "PORT": "5135"}, ("live.example", 5135), "tcp:8080"),
        ({"PORT": "9000"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9000"),
        ({"PORT": "9000"}, {"HOST": "live.example", "PORT": "5135"}, ("live.example", 5135), "tcp:9000"),
        ({"HOST": "0.0.0.0"}, {}, ("demo.ctraderapi.com", 5035), "tcp:8080"),
        ({"WS_PORT": "9001"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9001"),
        ({"WS_PORT": "9001", "PORT": "9000"}, {}, ("demo.ctraderapi.com", 5035), "tcp:9000"),
        ({}, {"WS_PORT": "9002"}, ("demo.ctraderapi.com", 5035), "tcp:9002"),
        ({"CTRADER_HOST": "a", "CTRADER_PORT": "1"}, {"HOST": "b", "PORT": "2"}, ("a", 1), "tcp:8080"),
    ],
)
def test_host_and_port_by_their_rule(
    environ: dict[str, str], dotenv: dict[str, str], ctrader: tuple[str, int], listen: str
) -> None:
    """In .env they are cTrader's; in the process environment PORT is the WebSocket listener's."""
    settings = load(environ, dotenv)
    assert (settings.ctrader.host, settings.ctrader.port) == ctrader
    assert settings.clients.listen.removesuffix(":backlog=1024") == listen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "*"])
def test_an_address_to_listen_on_is_no_host_of_ctraders(host: str) -> None:
    """HOST in .env that was meant for the clients' side ends the start and says what HOST means there."""
    said = r"^HOST in \.env must be a host to connect to.*HOST is cTrader's host.*CTRADER_HOST.*--listen"
    with pytest.raises(SettingError, match=said):
        load({}, {"HOST": host})


@pytest.mark.parametrize(
    ("environ", "dotenv", "names"),
    [
        ({}, {"HOST": "localhost"}, ["HOST"]),
        ({}, {"HOST": "127.0.0.1", "PORT": "5035"}, ["HOST"]),
        ({}, {"PORT": "3000"}, ["PORT"]),
        ({}, {"HOST": "live.ctraderapi.com", "PORT": "5035"}, []),
        ({}, {"HOST": "proxy.example", "PORT": "3000"}, []),
        ({"CTRADER_HOST": "localhost"}, {"HOST": "localhost"}, []),
    ],
)
def test_a_doubtful_host_or_port_is_warned_of(
    environ: dict[str, str], dotenv: dict[str, str], names: list[str]
) -> None:
    """A loopback HOST may be a local simulator, so it works; the warning says what the variable means in .env."""
    warnings = load(environ, dotenv).warnings
    assert [line.split(" in .env is ")[0] for line in warnings] == names
    assert all(f"better named CTRADER_{name}" in line for name, line in zip(names, warnings, strict=True))


def test_messages_name_the_settings_file_that_was_given() -> None:
    """With --env-file prod.env nothing is "in .env"."""
    places = Places({}, ACCOUNT, {"WS_PORT": "x"}, "prod.env")
    with pytest.raises(SettingError, match=r"^WS_PORT in prod\.env must be"):
        settings.load(places)


def test_an_unknown_name_is_an_error_in_dotenv_and_a_warning_in_the_environment() -> None:
    """A misspelt setting is named with the one that was meant, never with its value."""
    with pytest.raises(
        SettingError, match=r"^TICKRELAY_LISTN in \.env is no setting; did you mean TICKRELAY_LISTEN\?$"
    ):
        load({}, {"TICKRELAY_LISTN": "canary"})
    warnings = load({"TICKRELAY_LISTN": "canary"}).warnings
    assert warnings == ("TICKRELAY_LISTN is no setting; did you mean TICKRELAY_LISTEN?",)


def test_a_missing_setting_and_its_misspelling_are_told_together() -> None:
    """What only warns when the relay can start is said where it cannot: it is the reason."""
    environ = {"CTRADER_ACESS_TOKEN": "x", **{k: v for k, v in ACCOUNT.items() if k != "CTRADER_ACCESS_TOKEN"}}
    with pytest.raises(SettingError) as raised:
        settings.load(Places({}, environ, {}))
    assert [line.split(" ")[0] for line in raised.value.problems] == ["CTRADER_ACCESS_TOKEN", "CTRADER_ACESS_TOKEN"]


def test_paths_do_not_depend_on_a_later_working_directory() -> None:
    """Made absolute when they are read: twistd changes to --rundir after that."""
    assert load({"TICKRELAY_TOKENS_FILE": "tokens"}).clients.tokens_file == str(Path.cwd() / "tokens")


def test_secrets_do_not_print() -> None:
    """Neither the Config nor a Secret shows a secret, however it is printed."""
    settings = load()
    for text in (repr(settings), str(settings), f"{settings.ctrader.client_secret}", f"{settings.ctrader!r}"):
        assert "canary" not in text
    assert Secret("a") == Secret("a") != Secret("b")


def test_every_setting_has_one_name_and_one_flag() -> None:
    """No two settings share an environment name or a flag, and none of the secrets has a flag."""
    known = list(settings.settings())
    for names in ([s.env for s in known], [s.flag for s in known if s.flag]):
        assert len(names) == len(set(names))
    assert [s.name for s in known if s.secret] == ["client_secret", "access_token", "refresh_token"]
    assert [s.name for s in known if s.secret and s.flag] == []
