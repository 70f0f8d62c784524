"""Which proxy the environment sets."""

import pytest

from gglib.core.errors import HubError
from gglib.hf.transport.proxies import parse_proxy, proxy_for, unusable_proxy
from gglib.hf.transport.urls import parse_address

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear all proxies from the environment."""
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
def test_usual_variables_count(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, host: str | None
) -> None:
    """The proxy is chosen by scheme, and excluded hosts are contacted directly."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(parse_address(url).origin)
    assert (None if proxy is None else proxy.host) == host


def test_credentials_are_kept_and_not_shown() -> None:
    """Credentials are percent-encoded in the variable."""
    proxy = parse_proxy("http://me:hu%20sh@p")
    assert proxy.authorization == "Basic bWU6aHUgc2g="
    assert proxy.port == 80
    assert "bWU6" not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    ["socks5://me:hush@p:1", "https://p:1", "http://me:hush@", "http://p:x", "http://[::1", "me:hush@[::1"],
)
def test_unusable_proxy_is_an_error(url: str) -> None:
    """The error does not contain the password, and there is no fallback to a direct connection."""
    with pytest.raises(HubError, match="https_proxy") as caught:
        parse_proxy(url)
    assert "hush" not in str(caught.value)


def test_proxy_is_named_without_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names host and port, including those of a proxy for other addresses."""
    assert parse_proxy("http://me:hush@p:3128").authority == "p:3128"
    assert parse_proxy("http://[::1]:3128").authority == "[::1]:3128"
    assert unusable_proxy() is None
    monkeypatch.setenv("https_proxy", "http://p:1")
    assert unusable_proxy() is None
    monkeypatch.setenv("all_proxy", "socks5h://me:hush@p:9")
    assert "(socks5h://p:9)" in str(unusable_proxy())
