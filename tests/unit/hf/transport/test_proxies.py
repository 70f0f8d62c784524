"""Which proxy the environment names."""

import pytest

from gglib.core.errors import HubError
from gglib.hf.transport.proxies import proxy_for, read_proxy, unusable_proxy
from gglib.hf.transport.urls import read_address

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with an environment without any."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variables", "url", "host"),
    [
        ({}, "https://hub/", None),
        ({"https_proxy": "http://p:1"}, "https://hub/", "p"),
        ({"HTTPS_PROXY": "p:1"}, "https://hub/", "p"),
        ({"https_proxy": "http://p:1"}, "http://hub/", None),
        ({"all_proxy": "http://p:1"}, "http://hub/", "p"),
        ({"https_proxy": "http://p:1", "no_proxy": "hub"}, "https://hub/", None),
        ({"https_proxy": "http://p:1", "no_proxy": "hub:443"}, "https://hub/", None),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https://hub/", None),
        ({"https_proxy": "http://p:1", "no_proxy": ".example"}, "https://a.example/", None),
    ],
)
def test_the_usual_variables_count(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, host: str | None
) -> None:
    """By scheme, and not for hosts that are left out."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(read_address(url).origin)
    assert (None if proxy is None else proxy.host) == host


def test_credentials_are_kept_and_not_shown() -> None:
    """Percent-encoded in the variable."""
    proxy = read_proxy("http://me:hu%20sh@p")
    assert proxy.authorization == "Basic bWU6aHUgc2g="
    assert proxy.port == 80
    assert "bWU6" not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    ["socks5://me:hush@p:1", "https://p:1", "http://me:hush@", "http://p:x", "http://[::1", "me:hush@[::1"],
)
def test_a_proxy_that_cannot_be_used_is_said_so(url: str) -> None:
    """Without the password; going there directly would be what its owner did not want."""
    with pytest.raises(HubError, match="https_proxy") as caught:
        read_proxy(url)
    assert "hush" not in str(caught.value)


def test_a_proxy_is_named_without_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Host and port are enough to find the variable, also of one that is for other addresses."""
    assert read_proxy("http://me:hush@p:3128").authority == "p:3128"
    assert read_proxy("http://[::1]:3128").authority == "[::1]:3128"
    assert unusable_proxy() is None
    monkeypatch.setenv("https_proxy", "http://p:1")
    assert unusable_proxy() is None
    monkeypatch.setenv("all_proxy", "socks5h://me:hush@p:9")
    assert "(socks5h://p:9)" in str(unusable_proxy())
