"""The certificate of the simulator: for which names it can be made."""

import pytest
from cryptography import x509

from tickrelay.model.errors import SettingError
from tickrelay.simulator.certificates import make_certificate

NOW_S = 1_763_900_000.0


@pytest.mark.parametrize(
    "name",
    ["x..y", ".x", "x.", "", "-x.example", "a b", "*", "*.*.example", "x.*.example", "https://x", "x" * 64, "1::g"],
)
def test_a_name_that_no_host_has(name: str) -> None:
    """It is named in one line; no client could ever match it."""
    with pytest.raises(SettingError) as raised:
        make_certificate(["localhost", name], NOW_S)
    assert str(raised.value) == f"certificate-names: {name!r} is neither a host name nor an IP address"


def test_names_that_hosts_have() -> None:
    """Host names, a wildcard as the first label, addresses of both kinds; the expired one has ended."""
    names = ["localhost", "127.0.0.1", "::1", "*.ctraderapi.com", "my_host-1.example", "1.example"]
    made = make_certificate(names, NOW_S, expired=True)
    certificate = made.options.certificate
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in found] == names
    assert certificate.not_valid_after_utc.timestamp() == NOW_S - 3600
