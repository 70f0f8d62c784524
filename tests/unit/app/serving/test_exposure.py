"""The addresses on which a server may listen without a key."""

import pytest

from gglib.app.serving.exposure import Exposure, check_exposure, exposure_of, plaintext_warning
from gglib.core.errors import InvalidSettingError

HERE = ["127.0.0.1", "127.8.9.1", "localhost", "::1", "::ffff:127.0.0.1"]
THERE = [
    *("0.0.0.0", "::"),  # noqa: S104 - only judged
    *("192.168.1.5", "10.0.0.1", "box.lan", "localhost.lan", "128.0.0.1", "fe80::1%eth0", "127.1"),
]


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("has_keys", [False, True])
@pytest.mark.parametrize("is_insecure", [False, True])
def test_loopback_is_always_private(host: str, *, has_keys: bool, is_insecure: bool) -> None:
    """On loopback nothing is required."""
    assert exposure_of(host, has_keys=has_keys, is_insecure=is_insecure) is Exposure.LOOPBACK
    check_exposure(host, has_keys=has_keys, is_insecure=is_insecure)


@pytest.mark.parametrize("host", THERE)
def test_other_addresses_need_a_key_or_the_override(host: str) -> None:
    """Every address that is not clearly loopback counts as public."""
    assert exposure_of(host, has_keys=True, is_insecure=False) is Exposure.KEY_REQUIRED
    assert exposure_of(host, has_keys=True, is_insecure=True) is Exposure.KEY_REQUIRED
    assert exposure_of(host, has_keys=False, is_insecure=True) is Exposure.INSECURE
    assert exposure_of(host, has_keys=False, is_insecure=False) is Exposure.UNPROTECTED
    check_exposure(host, has_keys=True, is_insecure=False)
    check_exposure(host, has_keys=False, is_insecure=True)


def test_plain_http_is_warned_of_where_others_may_read_it() -> None:
    """On loopback, and with TLS, there is nothing to read."""
    for host in THERE:
        assert str(plaintext_warning(host, has_tls=False)).startswith("PLAIN HTTP: ")
        assert plaintext_warning(host, has_tls=True) is None
    for host in HERE:
        assert plaintext_warning(host, has_tls=False) is None


@pytest.mark.parametrize("host", THERE)
def test_refusal_has_its_remedies(host: str) -> None:
    """One sentence with the address, the command that makes a key, and the override."""
    with pytest.raises(InvalidSettingError) as refused:
        check_exposure(host, has_keys=False, is_insecure=False)
    sentence = str(refused.value)
    assert all(word in sentence for word in (host, "'gglib key new NAME'", "--insecure"))
    assert "\n" not in sentence
