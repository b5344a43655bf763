"""Names that are no settings: what counts as one, and what was probably meant."""

import pytest

from tickrelay.config import settings
from tickrelay.config.places import Places
from tickrelay.config.spelling import closest, is_ours, unknown_names

SETTINGS = [s.env for s in settings.settings()]


def found(environ: dict[str, str], dotenv: dict[str, str]) -> tuple[list[str], list[str]]:
    """The errors and the warnings."""
    return unknown_names(Places({}, environ, dotenv), SETTINGS)


def test_every_setting_and_its_file_are_known() -> None:
    """Neither NAME nor NAME_FILE is complained of, nor a name of another prefix."""
    names = dict.fromkeys([*SETTINGS, *(f"{name}_FILE" for name in SETTINGS), "WS_PORT", "HOST", "PATH", "LISTEN"], "x")
    assert found(names, names) == ([], [])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TICKRELAY_ALLOWED_ORIGIN", "TICKRELAY_ALLOWED_ORIGINS"),
        ("TICKRELAY_TOKEN_FILE", "TICKRELAY_TOKENS_FILE"),
        ("CTRADER_ACESS_TOKEN", "CTRADER_ACCESS_TOKEN"),
        ("CTRADER_CLIENT_SECRET_FLIE", "CTRADER_CLIENT_SECRET_FILE"),
        ("tickrelay_listen", "TICKRELAY_LISTEN"),
    ],
)
def test_a_misspelling_is_recognised(name: str, meant: str) -> None:
    """An error in .env, a warning in the environment, with the suggestion in both."""
    line = f"is no setting; did you mean {meant}?"
    assert found({}, {name: "x"}) == ([f"{name} in .env {line}"], [])
    assert found({name: "x"}, {}) == ([], [f"{name} {line}"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("WS_PROT", "did you mean WS_PORT?"),
        ("WSPORT", "did you mean WS_PORT?"),
        ("ws_port", "did you mean WS_PORT?"),
        ("TICK_RELAY_LISTEN", "did you mean TICKRELAY_LISTEN?"),
        ("TICKERLAY_TOKENS_FILE", "did you mean TICKRELAY_TOKENS_FILE?"),
        ("TICK_RELAY_MAX", "docs/operations.rst lists those there are"),
        ("TICKRELAY", "docs/operations.rst lists those there are"),
    ],
)
def test_a_name_that_is_almost_ours_is_an_error_in_our_own_file(name: str, hint: str) -> None:
    """The process environment is full of names that are nobody's mistake."""
    assert found({}, {name: "x"}) == ([f"{name} in .env is no setting; {hint}"], [])
    assert found({name: "x"}, {}) == ([], [])
    assert is_ours(name, SETTINGS)


@pytest.mark.parametrize("name", ["DATABASE_URL", "CLIENT_SECRET", "DB_PORT", "POST", "HOSTS", "PATH", "LISTEN"])
def test_names_of_others_are_left_alone(name: str) -> None:
    """Other programs may read the same file."""
    assert found({}, {name: "x"}) == ([], [])


def test_other_programs_may_use_the_prefix_of_ctrader() -> None:
    """A CTRADER_ name unlike any setting only warns in .env; a TICKRELAY_ name is nobody else's."""
    errors, warnings = found({}, {"CTRADER_WEBHOOK_URL": "x", "TICKRELAY_XYZZY": "x"})
    assert [line.split()[0] for line in errors] == ["TICKRELAY_XYZZY"]
    assert [line.split()[0] for line in warnings] == ["CTRADER_WEBHOOK_URL"]


def test_the_variables_that_kubernetes_makes_are_passed_over() -> None:
    """A Service named tickrelay puts seven of them into every container."""
    address = {"TICKRELAY_PORT": "tcp://10.0.0.1:8080", "TICKRELAY_PORT_8080_TCP": "tcp://10.0.0.1:8080"}
    parts = {"TICKRELAY_PORT_8080_TCP_ADDR": "10.0.0.1", "TICKRELAY_PORT_8080_TCP_PROTO": "tcp"}
    service = {"TICKRELAY_SERVICE_HOST": "10.0.0.1", "TICKRELAY_SERVICE_PORT": "8080", "TICKRELAY_SERVICE_PORT_WS": "1"}
    assert found({**address, **parts, **service}, {}) == ([], [])
    assert len(found({"TICKRELAY_PORT": "8080"}, {})[1]) == 1


def test_nothing_is_suggested_where_nothing_is_alike() -> None:
    """A wild guess would mislead."""
    assert closest("xyzzy", ["listen", "admin"]) is None
    assert closest("lsiten", ["listen", "admin"]) == "listen"
