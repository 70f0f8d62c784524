"""Which addresses mean this machine."""

import pytest

from gglib.core.addresses import Endpoint, base_url, http_url, is_loopback, reachable_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("192.168.1.2", "http://192.168.1.2:8080"),
        ("box.local", "http://box.local:8080"),
        ("::1", "http://[::1]:8080"),
        ("fe80::1", "http://[fe80::1]:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - not bound
        ("::", "http://[::1]:8080"),
    ],
)
def test_a_server_is_reached_at_the_address_that_it_listens_on(host: str, url: str) -> None:
    """A server that listens on all addresses is reached on loopback; an IPv6 address has brackets in a URL."""
    assert reachable_url(host, 8080) == url


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"]
)
def test_loopback_means_this_machine(host: str) -> None:
    """All of 127.0.0.0/8, ``::1``, an IPv4 address mapped into IPv6, and the name ``localhost``."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104 - not bound
        "::",
        "128.0.0.1",
        "10.0.0.1",
        "::2",
        "::ffff:10.0.0.1",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "example.com",
        "",
    ],
)
def test_any_other_address_may_be_another_machine(host: str) -> None:
    """Names are not looked up, so only ``localhost`` is known."""
    assert not is_loopback(host)


def test_a_key_does_not_appear_in_a_log() -> None:
    """The representation of an endpoint has only its URL."""
    assert "SECRET" not in repr(Endpoint("http://127.0.0.1:8080", "SECRET"))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "http://box:8080"),
        (" box:9000 ", "http://box:9000"),
        ("http://box", "http://box"),
        ("http://box:8080/", "http://box:8080"),
        ("https://BOX:8443", "https://box:8443"),
        ("192.168.1.2", "http://192.168.1.2:8080"),
        ("fe80::1", "http://[fe80::1]:8080"),
        ("[fe80::1]:9000", "http://[fe80::1]:9000"),
    ],
)
def test_an_address_of_a_server_becomes_its_url(text: str, url: str) -> None:
    """Without a scheme http and gglib's port; with one the scheme's port."""
    assert base_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "ftp://box",
        "box:port",
        "box:99999",
        "http://box/v1",
        "box?x=1",
        "http://u@box",
        "[::1",
        "a b",
    ],
)
def test_other_texts_are_no_address_of_a_server(text: str) -> None:
    """A path would be another server's, and a name or a password does not belong into a URL."""
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are those of the standard library, too
        base_url(text)


def test_other_schemes_and_ports() -> None:
    """Without a port the scheme's own is meant."""
    assert http_url("::1", None, scheme="https") == "https://[::1]"
    assert http_url("box", 8443, scheme="https") == "https://box:8443"
    assert reachable_url("0.0.0.0", 8443, scheme="https") == "https://127.0.0.1:8443"  # noqa: S104 - not bound
